package dev.hmacd.registry;

import dev.hmacd.key.AccessKey;
import dev.hmacd.limit.Owner;
import dev.hmacd.registry.RegistryException.Kind;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;

/// Registry of access keys. Thread-safe.
///
/// [#find] reads memory only. Changes and lists run on the thread of [RegistryStore], and fail with
/// a [RegistryException].
public final class AccessKeyRegistry {
  private final RegistryStore store;
  private final AccessKeyTable table;

  AccessKeyRegistry(RegistryStore store, AccessKeyTable table) {
    this.store = store;
    this.table = table;
  }

  /// Starts a registry operation within the quota of its owner, like [KeyWriter#forOwner].
  public <T> CompletableFuture<T> forOwner(Owner owner, Supplier<CompletableFuture<T>> work) {
    return store.forOwner(owner, work);
  }

  public Optional<AccessKey> find(String id) {
    return table.find(id);
  }

  /// Stores a new access key.
  ///
  /// @param key an access key with a new id
  public CompletableFuture<AccessKey> insert(AccessKey key) {
    return store.change(
        change -> {
          change.update(
              ChangedEntry.accessKey(key.id()),
              "INSERT INTO access_keys (access_key_id, principal, created_ms, active)"
                  + " VALUES (?, ?, ?, ?)",
              key.id(),
              key.principal(),
              key.created().toEpochMilli(),
              key.active());
          return () -> table.put(key);
        });
  }

  /// Disables an access key, before all waiting changes that are not urgent. A disabled access key
  /// cannot be enabled again.
  ///
  /// @param owner the caller, as in [KeyWriter#stop]
  /// @return the disabled access key; fails with `ACCESS_KEY_NOT_FOUND` or `OWNER_BUSY`
  public CompletableFuture<AccessKey> disable(Owner owner, String id) {
    return store.urgentChange(
        owner,
        change -> {
          AccessKey disabled = find(id).orElseThrow(() -> notFound(id)).disabled();
          if (change.update(
                  ChangedEntry.accessKey(id),
                  "UPDATE access_keys SET active = FALSE WHERE access_key_id = ?",
                  id)
              == 0) {
            throw notFound(id);
          }
          return () -> table.put(disabled);
        });
  }

  /// Deletes an access key, before all waiting changes that are not urgent.
  ///
  /// @param owner the caller, as in [KeyWriter#stop]
  /// @return the deleted access key; fails with `ACCESS_KEY_NOT_FOUND` or `OWNER_BUSY`
  public CompletableFuture<AccessKey> delete(Owner owner, String id) {
    return store.urgentChange(
        owner,
        change -> {
          AccessKey deleted = find(id).orElseThrow(() -> notFound(id));
          if (change.update(
                  ChangedEntry.accessKey(id), "DELETE FROM access_keys WHERE access_key_id = ?", id)
              == 0) {
            throw notFound(id);
          }
          return () -> {
            table.remove(id);
            return deleted;
          };
        });
  }

  private static RegistryException notFound(String id) {
    return new RegistryException(
        Kind.ACCESS_KEY_NOT_FOUND, "the access key " + id + " does not exist");
  }

  /// Lists the access keys whose ids are greater than `after` (empty: all), ordered by id.
  public CompletableFuture<List<AccessKey>> list(String after, int limit) {
    return store.read(
        db ->
            db.query(
                AccessKeyTable.SELECT + " WHERE access_key_id > ? ORDER BY access_key_id LIMIT ?",
                AccessKeyTable::read,
                after,
                limit));
  }
}
