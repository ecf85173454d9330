package dev.hmacd.registry;

import dev.hmacd.key.AccessKey;
import dev.hmacd.registry.RegistryException.Kind;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;

/// Registry of access keys. Thread-safe. Look-ups are answered from memory, like those of
/// [KeyRegistry].
public final class AccessKeyRegistry {
  private final RegistryStore store;
  private final Map<String, AccessKey> keys = new ConcurrentHashMap<>();

  /// @param store a store that is not open yet
  public AccessKeyRegistry(RegistryStore store) {
    this.store = store;
    store.remember(this::load);
  }

  /// Like [RegistryStore#forOwner].
  public <T> CompletableFuture<T> forOwner(Object owner, Supplier<CompletableFuture<T>> work) {
    return store.forOwner(owner, work);
  }

  private void load(Database db) throws SQLException {
    Map<String, AccessKey> read = new HashMap<>();
    for (AccessKey key : db.query("SELECT * FROM access_keys", AccessKeyRegistry::readKey)) {
      read.put(key.id(), key);
    }
    keys.putAll(read);
    keys.keySet().retainAll(read.keySet());
  }

  public Optional<AccessKey> find(String id) {
    return Optional.ofNullable(keys.get(id));
  }

  /// Stores a new access key.
  ///
  /// @param key an access key with a new id
  public CompletableFuture<AccessKey> insert(AccessKey key) {
    return store.change(
        db -> {
          db.update(
              "INSERT INTO access_keys (access_key_id, principal, created_ms, active)"
                  + " VALUES (?, ?, ?, ?)",
              key.id(),
              key.principal(),
              key.created().toEpochMilli(),
              key.active());
          return () -> {
            keys.put(key.id(), key);
            return key;
          };
        });
  }

  /// Disables an access key. It cannot be enabled again.
  ///
  /// @return fails with `ACCESS_KEY_NOT_FOUND`
  public CompletableFuture<AccessKey> disable(String id) {
    return store.change(
        db -> {
          AccessKey disabled = require(id).disabled();
          db.update("UPDATE access_keys SET active = FALSE WHERE access_key_id = ?", id);
          return () -> {
            keys.put(id, disabled);
            return disabled;
          };
        });
  }

  /// Deletes an access key.
  ///
  /// @return fails with `ACCESS_KEY_NOT_FOUND`
  public CompletableFuture<AccessKey> delete(String id) {
    return store.change(
        db -> {
          AccessKey deleted = require(id);
          db.update("DELETE FROM access_keys WHERE access_key_id = ?", id);
          return () -> {
            keys.remove(id);
            return deleted;
          };
        });
  }

  private AccessKey require(String id) {
    return find(id)
        .orElseThrow(() -> new RegistryException(Kind.ACCESS_KEY_NOT_FOUND, "no such access key"));
  }

  /// The access keys after an id (empty: from the start), ordered by id.
  public CompletableFuture<List<AccessKey>> list(String after, int limit) {
    return store.read(
        db ->
            db.query(
                "SELECT * FROM access_keys WHERE access_key_id > ? ORDER BY access_key_id LIMIT ?",
                AccessKeyRegistry::readKey,
                after,
                limit));
  }

  private static AccessKey readKey(ResultSet row) throws SQLException {
    return new AccessKey(
        row.getString("access_key_id"),
        row.getString("principal"),
        Instant.ofEpochMilli(row.getLong("created_ms")),
        row.getBoolean("active"));
  }
}
