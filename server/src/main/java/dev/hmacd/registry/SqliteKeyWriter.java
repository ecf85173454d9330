package dev.hmacd.registry;

import dev.hmacd.key.Alias;
import dev.hmacd.key.AliasEntry;
import dev.hmacd.key.Key;
import dev.hmacd.key.KeyAttributes;
import dev.hmacd.key.KeyCheckValue;
import dev.hmacd.key.KeyId;
import dev.hmacd.key.KeyState;
import dev.hmacd.key.Tag;
import dev.hmacd.limit.Owner;
import dev.hmacd.registry.RegistryException.Kind;
import java.sql.SQLException;
import java.time.Clock;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Changes of keys, aliases and tags in the SQLite database.
///
/// Changes run one after the other on the thread of [RegistryStore]. A change reads the key in its
/// own transaction, so it reads the key when it is executed, not when it is requested. SQL
/// statements have the expected key state as a condition. If the condition of a statement does not
/// hold, the change is rolled back.
final class SqliteKeyWriter implements KeyWriter {
  private final RegistryStore store;
  private final Clock clock;
  private final String processId;
  private final SqliteAliases aliases;
  private final SqliteTags tags;

  /// Number of requested stops of each key, since the start of the daemon. A key without an entry
  /// was not stopped. A condemned key has no entry.
  private final Map<KeyId, Integer> stops = new ConcurrentHashMap<>();

  /// @param processId id of this process, the owner of the keys that it creates
  SqliteKeyWriter(RegistryStore store, Clock clock, String processId) {
    this.store = store;
    this.clock = clock;
    this.processId = processId;
    this.aliases = new SqliteAliases(store, clock);
    this.tags = new SqliteTags(store);
  }

  @Override
  public <T> CompletableFuture<T> forOwner(Owner owner, Supplier<CompletableFuture<T>> work) {
    return store.forOwner(owner, work);
  }

  @Override
  public CompletableFuture<Key> insert(Key entry, List<Tag> newTags, List<String> tokenSerials) {
    return store.change(
        change -> {
          for (String serial : tokenSerials) {
            KeyStatements.requireFree(change, serial, entry.object());
          }
          KeyStatements.insert(change, entry, processId);
          SqliteTags.put(change, entry, newTags);
          return entry;
        });
  }

  @Override
  public CompletableFuture<Key> enable(
      KeyId id, KeyAttributes read, @Nullable KeyCheckValue check) {
    return store.daemonChange(
        change -> {
          Key key = KeyRowReader.require(change, id);
          if (key.state() != KeyState.CREATING) {
            return key;
          }
          Key enabled = key.enabled(read, check);
          KeyStatements.setState(change, key, enabled.state().name());
          KeyStatements.putAttributes(change, enabled, read);
          return enabled;
        });
  }

  @Override
  public CompletableFuture<KeyId> abandon(KeyId id) {
    return store.daemonChange(
        change -> {
          boolean _ = KeyStatements.delete(change, id, KeyState.CREATING.name());
          return id;
        });
  }

  @Override
  public CompletableFuture<Key> storeCheckValue(KeyId id, KeyCheckValue check) {
    return store.change(
        change -> {
          Key entry = KeyRowReader.require(change, id);
          if (entry.check() != null) {
            return entry;
          }
          KeyStatements.requireChanged(
              change.update(
                  change.key(id),
                  "UPDATE key_versions SET check_value = ?"
                      + " WHERE key_id = ? AND version = ? AND check_value IS NULL",
                  check.macHex(),
                  id.value(),
                  entry.currentVersion().number()));
          return entry.withCheckValue(check);
        });
  }

  @Override
  public CompletableFuture<Key> update(KeyId id, Function<Key, Optional<Key>> edit) {
    int before = stopsOf(id);
    return store.change(
        change -> {
          Key key = KeyRowReader.require(change, id);
          Key changed = changed(key, edit);
          boolean enables = changed.state() == KeyState.ENABLED && key.state() != KeyState.ENABLED;
          if (enables && stopsOf(id) != before) {
            throw new RegistryException(
                Kind.OVERTAKEN, "change refused: a later request has stopped the key");
          }
          return write(change, key, changed);
        });
  }

  @Override
  public CompletableFuture<Key> stop(Owner owner, KeyId id, Function<Key, Optional<Key>> edit) {
    // Counted before the change is queued, so that no earlier EnableKey can follow it unnoticed.
    stops.merge(id, 1, Integer::sum);
    return store.urgentChange(
        owner,
        change -> {
          Key key = KeyRowReader.require(change, id);
          return write(change, key, changed(key, edit));
        });
  }

  private int stopsOf(KeyId id) {
    return stops.getOrDefault(id, 0);
  }

  private static Key changed(Key key, Function<Key, Optional<Key>> edit) {
    return edit.apply(key).orElseThrow(() -> RegistryException.refused(key));
  }

  /// Writes the changed state, deletion date and description of a key.
  private static Key write(Change change, Key key, Key changed) throws SQLException {
    Instant deletion = changed.deletion();
    KeyStatements.requireChanged(
        change.update(
            change.key(key.id()),
            "UPDATE keys SET state = ?, deletion_ms = ?, description = ?"
                + " WHERE key_id = ? AND state = ?",
            changed.state().name(),
            deletion == null ? null : deletion.toEpochMilli(),
            changed.description(),
            key.id().value(),
            key.state().name()));
    return changed;
  }

  @Override
  public CompletableFuture<List<Key>> condemnDue(int limit) {
    return store
        .daemonRead(db -> due(db, limit))
        .thenCompose(
            due -> {
              if (due.isEmpty() && store.isHealthy()) {
                return CompletableFuture.completedFuture(List.<Key>of());
              }
              return store
                  .daemonChange(change -> condemned(change, limit))
                  .thenApply(
                      condemned -> {
                        condemned.forEach(key -> stops.remove(key.id()));
                        return condemned;
                      });
            });
  }

  private List<KeyId> due(Queries db, int limit) throws SQLException {
    return db.query(
        "SELECT key_id FROM keys WHERE state = ? AND deletion_ms <= ?"
            + " ORDER BY deletion_ms LIMIT ?",
        row -> new KeyId(row.getString("key_id")),
        KeyState.PENDING_DELETION.name(),
        clock.millis(),
        limit);
  }

  private List<Key> condemned(Change change, int limit) throws SQLException {
    List<Key> due = new ArrayList<>();
    for (KeyId id : due(change, limit)) {
      Key key = KeyRowReader.require(change, id);
      for (Alias alias : key.aliases()) {
        change.update(
            change.alias(alias),
            "DELETE FROM aliases WHERE name = ? AND key_id = ?",
            alias.name(),
            id.value());
      }
      KeyStatements.setState(change, key, KeyRowReader.CONDEMNED);
      due.add(key);
    }
    return due;
  }

  @Override
  public CompletableFuture<KeyId> forget(KeyId id) {
    return store.daemonChange(
        change -> {
          KeyStatements.delete(change, id, KeyRowReader.CONDEMNED);
          return id;
        });
  }

  @Override
  public CompletableFuture<Key> alsoOn(KeyId id, String serial) {
    return store.daemonChange(
        change -> {
          Key key = KeyRowReader.require(change, id);
          if (key.tokenSerials().contains(serial)) {
            return key;
          }
          KeyStatements.requireFree(change, serial, key.object());
          KeyStatements.insertCopy(change, key, serial);
          return key.alsoOn(List.of(serial));
        });
  }

  @Override
  public CompletableFuture<Key> notOn(KeyId id, String serial) {
    return store.daemonChange(
        change -> {
          Key key = KeyRowReader.require(change, id);
          KeyStatements.deleteCopy(change, key, serial);
          return key.notOn(serial);
        });
  }

  @Override
  public CompletableFuture<Long> restored(String before, String now) {
    return store.daemonChange(
        change -> {
          change.update(change.everything(), "DELETE FROM own_keys WHERE token_serial = ?", now);
          for (String each : List.of("key_versions", "key_copies", "own_keys")) {
            change.update(
                change.everything(),
                "UPDATE " + each + " SET token_serial = ? WHERE token_serial = ?",
                now,
                before);
          }
          return change
              .query(
                  "SELECT count(*) FROM keys JOIN key_versions USING (key_id, version)"
                      + " WHERE state <> 'CONDEMNED' AND (token_serial = ? OR EXISTS"
                      + " (SELECT 1 FROM key_copies WHERE key_copies.key_id = keys.key_id"
                      + " AND key_copies.version = keys.version"
                      + " AND key_copies.token_serial = ?))",
                  row -> row.getLong(1),
                  now,
                  now)
              .getFirst();
        });
  }

  @Override
  public CompletableFuture<AliasEntry> createAlias(
      Alias alias, KeyId target, Predicate<Key> allowed) {
    return aliases.create(alias, target, allowed);
  }

  @Override
  public CompletableFuture<AliasEntry> updateAlias(
      Alias alias, KeyId target, Predicate<Key> allowed) {
    return aliases.update(alias, target, allowed);
  }

  @Override
  public CompletableFuture<Alias> deleteAlias(Alias alias) {
    return aliases.delete(alias);
  }

  @Override
  public CompletableFuture<KeyId> tag(KeyId id, Predicate<Key> allowed, List<Tag> newTags) {
    return tags.add(id, allowed, newTags);
  }

  @Override
  public CompletableFuture<KeyId> untag(KeyId id, Predicate<Key> allowed, List<String> tagKeys) {
    return tags.remove(id, allowed, tagKeys);
  }
}
