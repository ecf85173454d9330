package dev.hmacd.key;

import dev.hmacd.key.RegistryException.Kind;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Clock;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Remembers what is known about keys and aliases. Thread-safe.
///
/// Look-ups are answered from memory. Changes and lists run one after another on a thread of the
/// registry's own, with a bounded queue: a change is on the disk first, then in memory, then
/// answered. Futures complete on that thread and fail with a [RegistryException].
public final class KeyRegistry implements AutoCloseable {
  /// AWS KMS's quota of aliases for one key.
  public static final int MAX_ALIASES_PER_KEY = 50;

  private static final int MAX_WAITING = 256;
  private static final long CLOSE_SECONDS = 10;
  private static final Logger log = LoggerFactory.getLogger(KeyRegistry.class);

  private final Path file;
  private final ArnScope scope;
  private final Clock clock;
  private final Map<String, KeyEntry> keys = new ConcurrentHashMap<>();
  private final Map<String, AliasEntry> aliases = new ConcurrentHashMap<>();
  private final ThreadPoolExecutor executor =
      new ThreadPoolExecutor(
          1,
          1,
          0,
          TimeUnit.SECONDS,
          new ArrayBlockingQueue<>(MAX_WAITING),
          Thread.ofPlatform().name("hmacd-registry").factory());
  private @Nullable FileChannel lock;

  /// Used by the registry's thread alone, and by [#open] before there is one.
  private @Nullable Database database;

  /// Set once by [#open], before there is a thread.
  private boolean opened;

  /// The file is opened by [#open].
  public KeyRegistry(Path file, ArnScope scope, Clock clock) {
    this.file = file;
    this.scope = scope;
    this.clock = clock;
  }

  /// Opens or creates the database and reads it whole.
  ///
  /// @throws RegistryException `UNAVAILABLE` when it is in use by another daemon or cannot be read,
  ///   `FOREIGN` when it is not this daemon's
  public void open() {
    try {
      lock =
          FileChannel.open(
              file.resolveSibling(file.getFileName() + ".lock"),
              Set.of(StandardOpenOption.CREATE, StandardOpenOption.WRITE),
              Database.OWNER_ONLY);
      if (lock.tryLock() == null) {
        throw new RegistryException(Kind.UNAVAILABLE, "another daemon uses the registry " + file);
      }
      database = Database.open(file);
      adoptScope(database);
      load(database);
      opened = true;
    } catch (OverlappingFileLockException e) {
      throw new RegistryException(Kind.UNAVAILABLE, "this process uses the registry already", e);
    } catch (IOException | SQLException e) {
      throw new RegistryException(
          Kind.UNAVAILABLE, "cannot open the registry " + file + ": " + e, e);
    }
  }

  private void adoptScope(Database db) throws SQLException {
    db.update(
        "INSERT INTO registry (singleton, revision, arn_prefix) VALUES (1, 0, ?)"
            + " ON CONFLICT (singleton) DO NOTHING",
        scope.prefix());
    // ARNs are in callers' hands as soon as there are keys; until then they may be configured anew.
    db.update(
        "UPDATE registry SET arn_prefix = ? WHERE NOT EXISTS (SELECT 1 FROM keys)", scope.prefix());
    db.commit();
    String fixed = db.query("SELECT arn_prefix FROM registry", row -> row.getString(1)).getFirst();
    if (!fixed.equals(scope.prefix())) {
      throw new RegistryException(
          Kind.FOREIGN, "the registry's keys have ARNs that start with " + fixed);
    }
  }

  private void load(Database db) throws SQLException {
    Map<String, AliasEntry> newAliases = new HashMap<>();
    Map<String, Set<Alias>> byKey = new HashMap<>();
    for (AliasEntry entry : db.query("SELECT * FROM aliases", KeyRegistry::readAlias)) {
      newAliases.put(entry.alias().name(), entry);
      byKey.computeIfAbsent(entry.target().value(), _ -> new HashSet<>()).add(entry.alias());
    }
    Map<String, KeyEntry> newKeys = new HashMap<>();
    for (KeyEntry entry :
        db.query(
            "SELECT * FROM keys JOIN key_versions USING (key_id, version)", KeyRegistry::readKey)) {
      newKeys.put(entry.id().value(), entry.with(byKey.getOrDefault(entry.id().value(), Set.of())));
    }
    // Else the next change would be made to what was read here, not to what is there by then.
    db.rollback();
    aliases.keySet().retainAll(newAliases.keySet());
    keys.putAll(newKeys);
    keys.keySet().retainAll(newKeys.keySet());
    aliases.putAll(newAliases);
  }

  /// The key that an id names now.
  public Optional<KeyEntry> find(KeyId id) {
    return Optional.ofNullable(keys.get(id.value()));
  }

  /// The key that an alias points at now.
  public Optional<KeyEntry> find(Alias alias) {
    AliasEntry entry = aliases.get(alias.name());
    return entry == null ? Optional.empty() : find(entry.target());
  }

  /// The key that a caller names by id, ARN, alias or alias ARN: [KeyName#parse] and [#find] in
  /// one, for the way of every MAC. Empty also when the name has no valid form.
  public Optional<KeyEntry> resolve(String given) {
    String name =
        given.startsWith(scope.prefix()) ? given.substring(scope.prefix().length()) : given;
    if (name.startsWith(Alias.PREFIX)) {
      AliasEntry entry = aliases.get(name);
      return entry == null ? Optional.empty() : find(entry.target());
    }
    if (name.startsWith("key/") && name.length() != given.length()) {
      name = name.substring("key/".length());
    } else if (name.length() != given.length()) {
      return Optional.empty();
    }
    return Optional.ofNullable(keys.get(name));
  }

  public Optional<AliasEntry> alias(Alias alias) {
    return Optional.ofNullable(aliases.get(alias.name()));
  }

  public ArnScope scope() {
    return scope;
  }

  /// The keys whose creation was begun and not ended.
  public List<KeyEntry> creating() {
    return keys.values().stream().filter(key -> key.state() == KeyState.CREATING).toList();
  }

  /// Begins a key: from here on a crash cannot orphan its object on the token.
  public CompletableFuture<KeyEntry> insert(KeyEntry entry) {
    return change(
        db -> {
          boolean taken =
              !db.query(
                      "SELECT 1 FROM key_versions"
                          + " WHERE token_serial = ? AND object_label = ? AND object_id = ?",
                      row -> row.getInt(1),
                      entry.tokenSerial(),
                      entry.object().label(),
                      entry.object().idHex())
                  .isEmpty();
          if (taken) {
            throw new RegistryException(Kind.OBJECT_TAKEN, "the object backs a key already");
          }
          db.update(
              "INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?)",
              entry.id().value(),
              entry.spec().name(),
              entry.state().name(),
              entry.origin().name(),
              entry.created().toEpochMilli(),
              entry.description(),
              entry.version());
          KeyAttributes read = entry.attributes();
          db.update(
              "INSERT INTO key_versions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
              entry.id().value(),
              entry.version(),
              entry.tokenSerial(),
              entry.object().label(),
              entry.object().idHex(),
              read != null,
              read == null ? null : read.sensitive(),
              read == null ? null : read.extractable(),
              read == null ? null : read.sign(),
              read == null ? null : read.alwaysSensitive(),
              read == null ? null : read.neverExtractable(),
              read == null ? null : read.local(),
              read == null ? null : read.keyBytes());
          return () -> {
            keys.put(entry.id().value(), entry);
            return entry;
          };
        });
  }

  /// Ends a key's creation: its object is on the token, with these attributes.
  public CompletableFuture<KeyEntry> enable(KeyId id, KeyAttributes read) {
    return change(
        db -> {
          KeyEntry entry = keys.get(id.value());
          if (entry == null) {
            throw new RegistryException(Kind.KEY_NOT_FOUND, "no such key");
          }
          KeyEntry enabled = entry.enabled(read);
          db.update(
              "UPDATE keys SET state = ? WHERE key_id = ?", enabled.state().name(), id.value());
          db.update(
              "UPDATE key_versions SET attributes_read = TRUE, sensitive = ?, extractable = ?,"
                  + " sign = ?, always_sensitive = ?, never_extractable = ?, local = ?,"
                  + " key_bytes = ? WHERE key_id = ? AND version = ?",
              read.sensitive(),
              read.extractable(),
              read.sign(),
              read.alwaysSensitive(),
              read.neverExtractable(),
              read.local(),
              read.keyBytes(),
              id.value(),
              enabled.version());
          return () -> {
            keys.put(id.value(), enabled);
            return enabled;
          };
        });
  }

  /// Forgets a key whose creation was begun and left no object on the token.
  public CompletableFuture<KeyId> abandon(KeyId id) {
    return change(
        db -> {
          db.update(
              "DELETE FROM key_versions WHERE key_id IN"
                  + " (SELECT key_id FROM keys WHERE key_id = ? AND state = ?)",
              id.value(),
              KeyState.CREATING.name());
          int deleted =
              db.update(
                  "DELETE FROM keys WHERE key_id = ? AND state = ?",
                  id.value(),
                  KeyState.CREATING.name());
          return () -> {
            if (deleted > 0) {
              keys.remove(id.value());
            }
            return id;
          };
        });
  }

  /// Points a new alias at a key.
  public CompletableFuture<AliasEntry> createAlias(Alias alias, KeyId target) {
    return change(
        db -> {
          if (aliases.containsKey(alias.name())) {
            throw new RegistryException(Kind.ALIAS_EXISTS, "the alias exists");
          }
          roomForAlias(target);
          Instant now = Instant.ofEpochMilli(clock.millis());
          db.update(
              "INSERT INTO aliases VALUES (?, ?, ?, ?)",
              alias.name(),
              target.value(),
              now.toEpochMilli(),
              now.toEpochMilli());
          return () -> point(alias, new AliasEntry(alias, target, now, now));
        });
  }

  /// Points an alias at another key.
  public CompletableFuture<AliasEntry> updateAlias(Alias alias, KeyId target) {
    return change(
        db -> {
          AliasEntry old = aliases.get(alias.name());
          if (old == null) {
            throw new RegistryException(Kind.ALIAS_NOT_FOUND, "no such alias");
          }
          if (!old.target().equals(target)) {
            roomForAlias(target);
          }
          Instant now = Instant.ofEpochMilli(clock.millis());
          db.update(
              "UPDATE aliases SET key_id = ?, updated_ms = ? WHERE name = ?",
              target.value(),
              now.toEpochMilli(),
              alias.name());
          return () -> point(alias, new AliasEntry(alias, target, old.created(), now));
        });
  }

  public CompletableFuture<Alias> deleteAlias(Alias alias) {
    return change(
        db -> {
          if (!aliases.containsKey(alias.name())) {
            throw new RegistryException(Kind.ALIAS_NOT_FOUND, "no such alias");
          }
          db.update("DELETE FROM aliases WHERE name = ?", alias.name());
          return () -> {
            unpoint(alias);
            return alias;
          };
        });
  }

  private void roomForAlias(KeyId target) {
    KeyEntry key = keys.get(target.value());
    if (key == null) {
      throw new RegistryException(Kind.KEY_NOT_FOUND, "no such key");
    }
    if (key.aliases().size() >= MAX_ALIASES_PER_KEY) {
      throw new RegistryException(Kind.TOO_MANY_ALIASES, "the key has its most aliases");
    }
  }

  /// Access rules name keys by their aliases, so a key loses a name before another gets it.
  private AliasEntry point(Alias alias, AliasEntry entry) {
    unpoint(alias);
    aliases.put(alias.name(), entry);
    keys.computeIfPresent(
        entry.target().value(),
        (_, key) -> {
          Set<Alias> names = new HashSet<>(key.aliases());
          names.add(alias);
          return key.with(names);
        });
    return entry;
  }

  private void unpoint(Alias alias) {
    AliasEntry old = aliases.remove(alias.name());
    if (old != null) {
      keys.computeIfPresent(
          old.target().value(),
          (_, key) -> {
            Set<Alias> names = new HashSet<>(key.aliases());
            names.remove(alias);
            return key.with(names);
          });
    }
  }

  /// The keys after an id (empty: from the start), ordered by id.
  public CompletableFuture<List<KeyId>> listKeys(String after, int limit) {
    return read(
        db ->
            db.query(
                "SELECT key_id FROM keys WHERE key_id > ? ORDER BY key_id LIMIT ?",
                row -> new KeyId(row.getString(1)),
                after,
                limit));
  }

  /// The aliases after a name (empty: from the start), ordered by name.
  ///
  /// @param target only those of this key
  public CompletableFuture<List<AliasEntry>> listAliases(
      Optional<KeyId> target, String after, int limit) {
    return read(
        db -> {
          String where = target.isPresent() ? "key_id = ? AND " : "";
          List<@Nullable Object> arguments = new ArrayList<>();
          target.ifPresent(id -> arguments.add(id.value()));
          arguments.add(after);
          arguments.add(limit);
          return db.query(
              "SELECT * FROM aliases WHERE " + where + "name > ? ORDER BY name LIMIT ?",
              KeyRegistry::readAlias,
              arguments.toArray());
        });
  }

  /// The daemon's own key for a purpose on a token.
  public CompletableFuture<Optional<OwnKey>> ownKey(String tokenSerial, OwnKey.Purpose purpose) {
    return read(
        db ->
            db
                .query(
                    "SELECT * FROM own_keys WHERE token_serial = ? AND purpose = ?",
                    row ->
                        new OwnKey(
                            purpose,
                            new KeyObject(
                                row.getString("object_label"), row.getString("object_id")),
                            row.getString("known_answer")),
                    tokenSerial,
                    purpose.name())
                .stream()
                .findFirst());
  }

  /// Remembers a key of the daemon's own, in place of the one before.
  public CompletableFuture<OwnKey> putOwnKey(String tokenSerial, OwnKey key) {
    return change(
        db -> {
          db.update(
              "DELETE FROM own_keys WHERE token_serial = ? AND purpose = ?",
              tokenSerial,
              key.purpose().name());
          db.update(
              "INSERT INTO own_keys VALUES (?, ?, ?, ?, ?)",
              tokenSerial,
              key.purpose().name(),
              key.object().label(),
              key.object().idHex(),
              key.knownAnswerHex());
          return () -> key;
        });
  }

  private interface Read<T> {
    T in(Database db) throws SQLException;
  }

  /// What memory has to learn once the change is on the disk.
  private interface Committed<T> {
    T apply();
  }

  private <T> CompletableFuture<T> change(Read<Committed<T>> work) {
    return read(
        db -> {
          // First of all, since SQLite waits for another's lock only before a transaction has read.
          db.update("UPDATE registry SET revision = revision + 1");
          Committed<T> committed = work.in(db);
          db.commit();
          return committed.apply();
        });
  }

  private <T> CompletableFuture<T> read(Read<T> work) {
    CompletableFuture<T> result = new CompletableFuture<>();
    try {
      executor.execute(() -> run(work, result));
    } catch (RejectedExecutionException e) {
      Kind kind = executor.isShutdown() ? Kind.UNAVAILABLE : Kind.BUSY;
      result.completeExceptionally(new RegistryException(kind, "the registry takes no more", e));
    }
    return result;
  }

  private <T> void run(Read<T> work, CompletableFuture<T> result) {
    T value;
    try {
      Database db = database();
      value = inTransaction(db, work);
    } catch (RegistryException e) {
      result.completeExceptionally(e);
      return;
    } catch (SQLException | IOException | RuntimeException e) {
      log.atError().setCause(e).log("The registry cannot be read or written");
      RegistryException failure = new RegistryException(Kind.UNAVAILABLE, "database failure", e);
      reopen(failure);
      result.completeExceptionally(failure);
      return;
    }
    result.complete(value);
  }

  /// Leaves no transaction open: what a read began is ended, and what was refused is undone. After
  /// a commit there is none.
  private static <T> T inTransaction(Database db, Read<T> work) throws SQLException {
    T value;
    try {
      value = work.in(db);
    } catch (RegistryException e) {
      db.rollback();
      throw e;
    }
    db.rollback();
    return value;
  }

  /// The connection; where a failure has closed the one before, a new one, from which memory has
  /// been read anew.
  private Database database() throws SQLException, IOException {
    Database open = database;
    if (open != null) {
      return open;
    }
    if (!opened) {
      throw new RegistryException(Kind.UNAVAILABLE, "not open");
    }
    Database fresh = Database.open(file);
    try {
      load(fresh);
    } catch (SQLException | RuntimeException e) {
      fresh.close();
      throw e;
    }
    database = fresh;
    return fresh;
  }

  /// After a failure nobody knows what the connection still does: SQLite may have ended the
  /// transaction by itself, and then each statement would be committed alone. Only the disk knows
  /// what holds.
  private void reopen(RegistryException failure) {
    try {
      Database failed = database;
      database = null;
      if (failed != null) {
        failed.close();
      }
      var _ = database();
    } catch (SQLException | IOException | RegistryException e) {
      failure.addSuppressed(e);
    }
  }

  /// Ends what is under way, within a limit, and closes the file.
  @Override
  public void close() {
    executor.shutdown();
    try {
      if (!executor.awaitTermination(CLOSE_SECONDS, TimeUnit.SECONDS)) {
        log.atWarn().log("The registry did not end its work in time");
        return;
      }
      if (database != null) {
        database.close();
      }
      if (lock != null) {
        lock.close();
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (SQLException | IOException e) {
      log.atWarn().setCause(e).log("The registry was not closed cleanly");
    }
  }

  private static AliasEntry readAlias(ResultSet row) throws SQLException {
    return new AliasEntry(
        new Alias(row.getString("name")),
        new KeyId(row.getString("key_id")),
        Instant.ofEpochMilli(row.getLong("created_ms")),
        Instant.ofEpochMilli(row.getLong("updated_ms")));
  }

  private static KeyEntry readKey(ResultSet row) throws SQLException {
    KeyAttributes read =
        row.getBoolean("attributes_read")
            ? new KeyAttributes(
                flag(row, "sensitive"),
                flag(row, "extractable"),
                flag(row, "sign"),
                flag(row, "always_sensitive"),
                flag(row, "never_extractable"),
                flag(row, "local"),
                number(row, "key_bytes"))
            : null;
    return new KeyEntry(
        new KeyId(row.getString("key_id")),
        KeySpec.valueOf(row.getString("spec")),
        KeyState.valueOf(row.getString("state")),
        KeyOrigin.valueOf(row.getString("origin")),
        Instant.ofEpochMilli(row.getLong("created_ms")),
        row.getString("description"),
        row.getInt("version"),
        row.getString("token_serial"),
        new KeyObject(row.getString("object_label"), row.getString("object_id")),
        read,
        Set.of());
  }

  private static @Nullable Boolean flag(ResultSet row, String column) throws SQLException {
    boolean value = row.getBoolean(column);
    return row.wasNull() ? null : value;
  }

  private static @Nullable Integer number(ResultSet row, String column) throws SQLException {
    int value = row.getInt(column);
    return row.wasNull() ? null : value;
  }
}
