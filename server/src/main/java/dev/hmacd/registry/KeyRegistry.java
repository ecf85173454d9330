package dev.hmacd.registry;

import dev.hmacd.key.Alias;
import dev.hmacd.key.AliasEntry;
import dev.hmacd.key.ArnScope;
import dev.hmacd.key.KeyAttributes;
import dev.hmacd.key.KeyCheck;
import dev.hmacd.key.KeyEntry;
import dev.hmacd.key.KeyId;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.KeyOrigin;
import dev.hmacd.key.KeySpec;
import dev.hmacd.key.KeyState;
import dev.hmacd.key.Tag;
import dev.hmacd.registry.RegistryException.Kind;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Clock;
import java.time.Instant;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Registry of keys, aliases and tags. Thread-safe.
///
/// Look-ups are answered from memory. Changes and lists run on the store's thread, and fail like
/// the store.
public final class KeyRegistry {
  /// Quota of aliases for one key in AWS KMS.
  public static final int MAX_ALIASES_PER_KEY = 50;

  private static final String KEYS = "SELECT * FROM keys JOIN key_versions USING (key_id, version)";

  /// State of a key during its destruction: on the disk only, never in memory.
  private static final String CONDEMNED = "CONDEMNED";

  private final RegistryStore store;
  private final Clock clock;
  private final String arnPrefix;
  private final Map<String, KeyEntry> keys = new ConcurrentHashMap<>();
  private final Map<String, AliasEntry> aliases = new ConcurrentHashMap<>();

  /// @param store a store that is not open yet
  public KeyRegistry(RegistryStore store, Clock clock) {
    this.store = store;
    this.clock = clock;
    this.arnPrefix = store.scope().prefix();
    store.remember(this::load);
  }

  /// Like [RegistryStore#forOwner].
  public <T> CompletableFuture<T> forOwner(Object owner, Supplier<CompletableFuture<T>> work) {
    return store.forOwner(owner, work);
  }

  private void load(Database db) throws SQLException {
    Map<String, AliasEntry> newAliases = new HashMap<>();
    Map<String, Set<Alias>> byKey = new HashMap<>();
    for (AliasEntry entry : db.query("SELECT * FROM aliases", KeyRegistry::readAlias)) {
      newAliases.put(entry.alias().name(), entry);
      byKey.computeIfAbsent(entry.target().value(), _ -> new HashSet<>()).add(entry.alias());
    }
    Map<String, List<String>> copies = copies(db);
    Map<String, KeyEntry> newKeys = new HashMap<>();
    for (KeyEntry entry :
        db.query(KEYS + " WHERE keys.state <> ?", KeyRegistry::readKey, CONDEMNED)) {
      newKeys.put(
          entry.id().value(),
          entry
              .with(byKey.getOrDefault(entry.id().value(), Set.of()))
              .alsoOn(copies.getOrDefault(entry.id().value(), List.of())));
    }
    aliases.keySet().retainAll(newAliases.keySet());
    keys.putAll(newKeys);
    keys.keySet().retainAll(newKeys.keySet());
    aliases.putAll(newAliases);
  }

  /// By key id, the further tokens that hold the current version.
  private static Map<String, List<String>> copies(Database db) throws SQLException {
    Map<String, List<String>> copies = new HashMap<>();
    var _ =
        db.query(
            "SELECT key_id, token_serial FROM key_copies JOIN keys USING (key_id, version)"
                + " ORDER BY token_serial",
            row ->
                copies
                    .computeIfAbsent(row.getString(1), _ -> new ArrayList<>())
                    .add(row.getString(2)));
    return copies;
  }

  /// The key with an id.
  public Optional<KeyEntry> find(KeyId id) {
    return Optional.ofNullable(keys.get(id.value()));
  }

  /// The key that an alias points at now.
  public Optional<KeyEntry> find(Alias alias) {
    return findNamed(alias.name());
  }

  /// The key that an alias points at, with the alias among its names. An alias may move during the
  /// look-up: then the look-up is repeated.
  private Optional<KeyEntry> findNamed(String alias) {
    while (true) {
      AliasEntry entry = aliases.get(alias);
      if (entry == null) {
        return Optional.empty();
      }
      KeyEntry key = keys.get(entry.target().value());
      if (key != null && key.aliases().contains(entry.alias())) {
        return Optional.of(key);
      }
      Thread.onSpinWait();
    }
  }

  /// The key that a caller names by id, ARN, alias or alias ARN: [KeyName#parse] and [#find] in
  /// one, for every MAC. Empty also if the name is malformed.
  public Optional<KeyEntry> resolve(String given) {
    String name = given.startsWith(arnPrefix) ? given.substring(arnPrefix.length()) : given;
    if (name.startsWith(Alias.PREFIX)) {
      return findNamed(name);
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
    return store.scope();
  }

  /// The keys in state CREATING.
  public List<KeyEntry> creating() {
    return keys.values().stream().filter(key -> key.state() == KeyState.CREATING).toList();
  }

  /// Stores a new key. After this a crash cannot orphan its object on the token.
  ///
  /// @param tags at most [Tag#MAX_PER_KEY], with different keys
  public CompletableFuture<KeyEntry> insert(KeyEntry entry, List<Tag> tags) {
    return insert(entry, tags, entry.tokenSerials());
  }

  /// Like [#insert(KeyEntry, List)].
  ///
  /// @param tokenSerials the tokens on which the object's name must not belong to another key
  /// @return fails with `OBJECT_TAKEN` if it does
  public CompletableFuture<KeyEntry> insert(
      KeyEntry entry, List<Tag> tags, List<String> tokenSerials) {
    return store.change(
        db -> {
          for (String serial : tokenSerials) {
            requireFree(db, serial, entry.object());
          }
          db.update(
              "INSERT INTO keys (key_id, spec, state, origin, created_ms, description, version)"
                  + " VALUES (?, ?, ?, ?, ?, ?, ?)",
              entry.id().value(),
              entry.spec().name(),
              entry.state().name(),
              entry.origin().name(),
              entry.created().toEpochMilli(),
              entry.description(),
              entry.version());
          KeyAttributes read = entry.attributes();
          KeyCheck check = entry.check();
          db.update(
              "INSERT INTO key_versions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
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
              read == null ? null : read.keyBytes(),
              check == null ? null : check.macHex());
          for (String serial : entry.tokenSerials()) {
            if (!serial.equals(entry.tokenSerial())) {
              putCopy(db, entry, serial);
            }
          }
          for (Tag tag : tags) {
            put(db, entry.id(), tag);
          }
          return () -> {
            keys.put(entry.id().value(), entry);
            return entry;
          };
        });
  }

  private static void requireFree(Database db, String serial, KeyObject object)
      throws SQLException {
    List<Integer> taken =
        db.query(
            "SELECT 1 FROM key_versions WHERE object_label = ? AND object_id = ?"
                + " AND (token_serial = ? OR EXISTS (SELECT 1 FROM key_copies"
                + " WHERE key_copies.key_id = key_versions.key_id"
                + " AND key_copies.version = key_versions.version"
                + " AND key_copies.token_serial = ?))",
            row -> row.getInt(1),
            object.label(),
            object.idHex(),
            serial,
            serial);
    if (!taken.isEmpty()) {
      throw new RegistryException(Kind.OBJECT_TAKEN, "the object backs a key already");
    }
  }

  private static void putCopy(Database db, KeyEntry key, String serial) throws SQLException {
    db.update("INSERT INTO key_copies VALUES (?, ?, ?)", key.id().value(), key.version(), serial);
  }

  /// Stores that another token holds a key's object, too.
  ///
  /// @return fails with `KEY_NOT_FOUND`, or `OBJECT_TAKEN` if the object belongs to another key
  public CompletableFuture<KeyEntry> alsoOn(KeyId id, String serial) {
    return store.change(
        db -> {
          KeyEntry key = require(id);
          if (key.tokenSerials().contains(serial)) {
            return () -> key;
          }
          requireFree(db, serial, key.object());
          putCopy(db, key, serial);
          KeyEntry more = key.alsoOn(List.of(serial));
          return () -> {
            keys.put(id.value(), more);
            return more;
          };
        });
  }

  /// Stores that a token no longer holds a key's object. Not for the token on which the key was
  /// made or adopted.
  ///
  /// @return fails with `KEY_NOT_FOUND`
  public CompletableFuture<KeyEntry> notOn(KeyId id, String serial) {
    return store.change(
        db -> {
          KeyEntry less = require(id).notOn(serial);
          db.update(
              "DELETE FROM key_copies WHERE key_id = ? AND version = ? AND token_serial = ?",
              id.value(),
              less.version(),
              serial);
          return () -> {
            keys.put(id.value(), less);
            return less;
          };
        });
  }

  /// Stores that a token was restored from a backup, with all its objects, under another serial
  /// number.
  ///
  /// @param now the new serial number, without keys in the registry; its own keys in the registry
  ///   are replaced
  /// @return number of keys that the registry knows on the token
  public CompletableFuture<Long> restored(String before, String now) {
    return store.change(
        db -> {
          db.update("DELETE FROM own_keys WHERE token_serial = ?", now);
          for (String table : List.of("key_versions", "key_copies", "own_keys")) {
            db.update(
                "UPDATE " + table + " SET token_serial = ? WHERE token_serial = ?", now, before);
          }
          return () -> {
            keys.replaceAll((_, key) -> key.restored(before, now));
            return keys.values().stream().filter(key -> key.tokenSerials().contains(now)).count();
          };
        });
  }

  /// All keys, in any order.
  public List<KeyEntry> all() {
    return List.copyOf(keys.values());
  }

  /// Enables a new key, after its object was generated with these attributes.
  ///
  /// @param check the check value; null if the token cannot compute it
  public CompletableFuture<KeyEntry> enable(
      KeyId id, KeyAttributes read, @Nullable KeyCheck check) {
    return store.change(
        db -> {
          KeyEntry enabled = require(id).enabled(read, check);
          db.update(
              "UPDATE keys SET state = ? WHERE key_id = ?", enabled.state().name(), id.value());
          db.update(
              "UPDATE key_versions SET attributes_read = TRUE, sensitive = ?, extractable = ?,"
                  + " sign = ?, always_sensitive = ?, never_extractable = ?, local = ?,"
                  + " key_bytes = ?, check_value = ? WHERE key_id = ? AND version = ?",
              read.sensitive(),
              read.extractable(),
              read.sign(),
              read.alwaysSensitive(),
              read.neverExtractable(),
              read.local(),
              read.keyBytes(),
              check == null ? null : check.macHex(),
              id.value(),
              enabled.version());
          return () -> {
            keys.put(id.value(), enabled);
            return enabled;
          };
        });
  }

  /// Stores the check value of a key that has none. A stored check value never changes.
  ///
  /// @return the key with the stored check value; fails with `KEY_NOT_FOUND`
  public CompletableFuture<KeyEntry> recognise(KeyId id, KeyCheck check) {
    return store.change(
        db -> {
          KeyEntry entry = require(id);
          if (entry.check() != null) {
            return () -> entry;
          }
          db.update(
              "UPDATE key_versions SET check_value = ? WHERE key_id = ? AND version = ?",
              check.macHex(),
              id.value(),
              entry.version());
          KeyEntry recognised = entry.recognisedBy(check);
          return () -> {
            keys.put(id.value(), recognised);
            return recognised;
          };
        });
  }

  /// Deletes a key in state CREATING that has no object on the token.
  public CompletableFuture<KeyId> abandon(KeyId id) {
    return store.change(
        db -> {
          for (String part : List.of("key_copies", "key_versions", "tags")) {
            db.update(
                "DELETE FROM "
                    + part
                    + " WHERE key_id IN"
                    + " (SELECT key_id FROM keys WHERE key_id = ? AND state = ?)",
                id.value(),
                KeyState.CREATING.name());
          }
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

  /// Changes a key's state, deletion date or description.
  ///
  /// @param change gets the key in its state at that time; empty refuses the change
  /// @return fails with `KEY_NOT_FOUND`, or with `REFUSED` if `change` refused
  public CompletableFuture<KeyEntry> update(
      KeyId id, Function<KeyEntry, Optional<KeyEntry>> change) {
    return store.change(
        db -> {
          KeyEntry entry = require(id);
          KeyEntry changed =
              change
                  .apply(entry)
                  .orElseThrow(
                      () -> new RegistryException(Kind.REFUSED, "the key is not as it was"));
          Instant deletion = changed.deletion();
          db.update(
              "UPDATE keys SET state = ?, deletion_ms = ?, description = ? WHERE key_id = ?",
              changed.state().name(),
              deletion == null ? null : deletion.toEpochMilli(),
              changed.description(),
              id.value());
          return () -> {
            keys.put(id.value(), changed);
            return changed;
          };
        });
  }

  private KeyEntry require(KeyId id) {
    KeyEntry entry = keys.get(id.value());
    if (entry == null) {
      throw new RegistryException(Kind.KEY_NOT_FOUND, "no such key");
    }
    return entry;
  }

  /// Marks the keys whose deletion is due as condemned, and deletes their aliases. Callers cannot
  /// name these keys any more. Their rows stay until [#forget].
  ///
  /// @param limit maximum number of keys
  public CompletableFuture<List<KeyEntry>> condemnDue(int limit) {
    return store.change(
        db -> {
          List<KeyEntry> due =
              db
                  .query(
                      "SELECT key_id FROM keys WHERE state = ? AND deletion_ms <= ?"
                          + " ORDER BY deletion_ms LIMIT ?",
                      row -> new KeyId(row.getString(1)),
                      KeyState.PENDING_DELETION.name(),
                      clock.millis(),
                      limit)
                  .stream()
                  .map(this::require)
                  .toList();
          for (KeyEntry key : due) {
            db.update("DELETE FROM aliases WHERE key_id = ?", key.id().value());
            db.update("UPDATE keys SET state = ? WHERE key_id = ?", CONDEMNED, key.id().value());
          }
          return () -> {
            for (KeyEntry key : due) {
              key.aliases().forEach(alias -> aliases.remove(alias.name()));
              keys.remove(key.id().value());
            }
            return due;
          };
        });
  }

  /// The condemned keys. Their objects may still be on a token.
  public CompletableFuture<List<KeyEntry>> condemned() {
    return store.read(
        db -> {
          Map<String, List<String>> copies = copies(db);
          return db
              .query(KEYS + " WHERE keys.state = ?", KeyRegistry::readCondemned, CONDEMNED)
              .stream()
              .map(key -> key.alsoOn(copies.getOrDefault(key.id().value(), List.of())))
              .toList();
        });
  }

  /// Deletes a condemned key, after its object is gone from its tokens.
  public CompletableFuture<KeyId> forget(KeyId id) {
    return store.change(
        db -> {
          for (String part : List.of("key_copies", "key_versions", "tags")) {
            db.update(
                "DELETE FROM "
                    + part
                    + " WHERE key_id IN"
                    + " (SELECT key_id FROM keys WHERE key_id = ? AND state = ?)",
                id.value(),
                CONDEMNED);
          }
          db.update("DELETE FROM keys WHERE key_id = ? AND state = ?", id.value(), CONDEMNED);
          return () -> id;
        });
  }

  /// Adds tags to a key. A tag replaces an existing tag with the same tag key.
  ///
  /// @return fails with `KEY_NOT_FOUND`, `REFUSED`, or `TOO_MANY_TAGS`
  public CompletableFuture<KeyId> tag(KeyId id, Predicate<KeyEntry> allowed, List<Tag> tags) {
    return store.change(
        db -> {
          requireAllowed(id, allowed);
          for (Tag tag : tags) {
            put(db, id, tag);
          }
          int count =
              db.query(
                      "SELECT count(*) FROM tags WHERE key_id = ?",
                      row -> row.getInt(1),
                      id.value())
                  .getFirst();
          if (count > Tag.MAX_PER_KEY) {
            throw new RegistryException(Kind.TOO_MANY_TAGS, "the key has its most tags");
          }
          return () -> id;
        });
  }

  /// Removes tags from a key. Ignores tag keys that the key does not have.
  ///
  /// @return fails with `KEY_NOT_FOUND` or `REFUSED`
  public CompletableFuture<KeyId> untag(
      KeyId id, Predicate<KeyEntry> allowed, List<String> tagKeys) {
    return store.change(
        db -> {
          requireAllowed(id, allowed);
          for (String tagKey : tagKeys) {
            db.update("DELETE FROM tags WHERE key_id = ? AND tag_key = ?", id.value(), tagKey);
          }
          return () -> id;
        });
  }

  private void requireAllowed(KeyId id, Predicate<KeyEntry> allowed) {
    if (!allowed.test(require(id))) {
      throw new RegistryException(Kind.REFUSED, "the key is not as it was");
    }
  }

  private static void put(Database db, KeyId id, Tag tag) throws SQLException {
    db.update(
        "INSERT INTO tags (key_id, tag_key, tag_value, position) VALUES (?, ?, ?,"
            + " (SELECT coalesce(max(position), 0) + 1 FROM tags WHERE key_id = ?))"
            + " ON CONFLICT (key_id, tag_key) DO UPDATE SET tag_value = excluded.tag_value",
        id.value(),
        tag.key(),
        tag.value(),
        id.value());
  }

  /// A key's tags after a position (0: from the start), in the order of their first addition.
  public CompletableFuture<List<PlacedTag>> listTags(KeyId id, int after, int limit) {
    return store.read(
        db ->
            db.query(
                "SELECT * FROM tags WHERE key_id = ? AND position > ? ORDER BY position LIMIT ?",
                row ->
                    new PlacedTag(
                        new Tag(row.getString("tag_key"), row.getString("tag_value")),
                        row.getInt("position")),
                id.value(),
                after,
                limit));
  }

  /// A tag with its position in the list.
  ///
  /// @param position increases along the list; 1 or more
  public record PlacedTag(Tag tag, int position) {}

  /// Creates an alias that points at a key.
  public CompletableFuture<AliasEntry> createAlias(Alias alias, KeyId target) {
    return store.change(
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
    return store.change(
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
    return store.change(
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

  /// Points an alias at a key, in this order because of concurrent look-ups. At every moment the
  /// alias points at a key that has the alias among its names. Access rules may depend on the name.
  private AliasEntry point(Alias alias, AliasEntry entry) {
    rename(entry.target(), names -> names.add(alias));
    AliasEntry old = aliases.put(alias.name(), entry);
    if (old != null && !old.target().equals(entry.target())) {
      rename(old.target(), names -> names.remove(alias));
    }
    return entry;
  }

  private void unpoint(Alias alias) {
    AliasEntry old = aliases.remove(alias.name());
    if (old != null) {
      rename(old.target(), names -> names.remove(alias));
    }
  }

  private void rename(KeyId key, Consumer<Set<Alias>> change) {
    keys.computeIfPresent(
        key.value(),
        (_, entry) -> {
          Set<Alias> names = new HashSet<>(entry.aliases());
          change.accept(names);
          return entry.with(names);
        });
  }

  /// The keys after an id (empty: from the start), ordered by id.
  public CompletableFuture<List<KeyId>> listKeys(String after, int limit) {
    return store.read(
        db ->
            db.query(
                "SELECT key_id FROM keys WHERE key_id > ? AND state <> ? ORDER BY key_id LIMIT ?",
                row -> new KeyId(row.getString(1)),
                after,
                CONDEMNED,
                limit));
  }

  /// The aliases after a name (empty: from the start), ordered by name.
  ///
  /// @param target the key whose aliases are listed; empty for all aliases
  public CompletableFuture<List<AliasEntry>> listAliases(
      Optional<KeyId> target, String after, int limit) {
    return store.read(
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

  private static AliasEntry readAlias(ResultSet row) throws SQLException {
    return new AliasEntry(
        new Alias(row.getString("name")),
        new KeyId(row.getString("key_id")),
        Instant.ofEpochMilli(row.getLong("created_ms")),
        Instant.ofEpochMilli(row.getLong("updated_ms")));
  }

  private static KeyEntry readKey(ResultSet row) throws SQLException {
    return readKey(row, KeyState.valueOf(row.getString("state")));
  }

  private static KeyEntry readCondemned(ResultSet row) throws SQLException {
    return readKey(row, KeyState.PENDING_DELETION);
  }

  private static KeyEntry readKey(ResultSet row, KeyState state) throws SQLException {
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
    KeyId id = new KeyId(row.getString("key_id"));
    KeySpec spec = KeySpec.valueOf(row.getString("spec"));
    int version = row.getInt("version");
    String checkValue = row.getString("check_value");
    return new KeyEntry(
        id,
        spec,
        state,
        KeyOrigin.valueOf(row.getString("origin")),
        Instant.ofEpochMilli(row.getLong("created_ms")),
        row.getString("description"),
        version,
        List.of(row.getString("token_serial")),
        new KeyObject(row.getString("object_label"), row.getString("object_id")),
        read,
        checkValue == null
            ? null
            : KeyCheck.of(id, version, spec.algorithm(), HexFormat.of().parseHex(checkValue)),
        instant(row, "deletion_ms"),
        Set.of());
  }

  private static @Nullable Instant instant(ResultSet row, String column) throws SQLException {
    long value = row.getLong(column);
    return row.wasNull() ? null : Instant.ofEpochMilli(value);
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
