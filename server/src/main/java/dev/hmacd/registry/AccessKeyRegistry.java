package dev.hmacd.registry;

import dev.hmacd.key.AccessKey;
import dev.hmacd.limit.Owner;
import dev.hmacd.registry.cache.Entry;
import dev.hmacd.registry.cache.EntryCache;
import dev.hmacd.registry.cache.EntryLoads;
import dev.hmacd.registry.cache.EntryName;
import dev.hmacd.registry.cache.EntryName.Kind;
import dev.hmacd.registry.cache.Partition;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Instant;
import java.util.Collection;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Registry of access keys. Thread-safe.
///
/// [#find] reads memory only, and [#load] reads a missing access key into memory. Changes and lists
/// run on the thread of [RegistryStore], and fail with a [RegistryException].
public final class AccessKeyRegistry {
  private static final String SELECT =
      "SELECT access_key_id, principal, created_ms, active FROM access_keys";

  /// Maximum number of requests that wait for their access key and are not authenticated yet.
  private static final int MAX_UNAUTHENTICATED = 512;

  private final AtomicInteger unauthenticated = new AtomicInteger();
  private final RegistryStore store;
  private final Partition cached;
  private final EntryLoads loads;
  private final String account;

  AccessKeyRegistry(RegistryStore store, EntryCache cache, EntryLoads loads, String account) {
    this.store = store;
    this.cached = cache.partition(Kind.ACCESS_KEY, account);
    this.loads = loads;
    this.account = account;
  }

  /// Starts a registry operation within the quota of its owner, like [KeyWriter#forOwner].
  public <T> CompletableFuture<T> forOwner(Owner owner, Supplier<CompletableFuture<T>> work) {
    return store.forOwner(owner, work);
  }

  /// Finds an access key in memory: its value is an [AccessKey].
  ///
  /// @return null if the access key is not in memory; an absent entry if it does not exist
  public @Nullable Entry find(String id) {
    return cached.find(id);
  }

  /// Reads an access key into memory, unless it is there. Afterwards, [#find] must be called again.
  ///
  /// @return fails with a [RegistryException]
  public CompletableFuture<@Nullable Void> load(String id) {
    return loads.load(new EntryName(Kind.ACCESS_KEY, account, id));
  }

  /// As [#load], for a request that is not authenticated yet.
  ///
  /// @return fails with `BUSY` if too many such requests wait
  public CompletableFuture<@Nullable Void> loadUnauthenticated(String id) {
    if (unauthenticated.incrementAndGet() > MAX_UNAUTHENTICATED) {
      unauthenticated.decrementAndGet();
      return CompletableFuture.failedFuture(
          new RegistryException(
              RegistryException.Kind.BUSY,
              "limit of requests that wait for their access key reached ("
                  + MAX_UNAUTHENTICATED
                  + ")"));
    }
    return load(id).whenComplete((_, _) -> unauthenticated.decrementAndGet());
  }

  /// Reads access keys by id.
  ///
  /// @param ids up to [EntryLoads#BATCH] ids
  static List<AccessKey> read(Queries db, Collection<String> ids) throws SQLException {
    return ids.isEmpty()
        ? List.of()
        : db.query(
            SELECT
                + " WHERE access_key_id IN ("
                + String.join(", ", Collections.nCopies(ids.size(), "?"))
                + ")",
            AccessKeyRegistry::read,
            ids.toArray());
  }

  private static AccessKey read(ResultSet row) throws SQLException {
    return new AccessKey(
        row.getString("access_key_id"),
        row.getString("principal"),
        Instant.ofEpochMilli(row.getLong("created_ms")),
        row.getBoolean("active"));
  }

  private static AccessKey require(Queries db, String id) throws SQLException {
    return read(db, List.of(id)).stream()
        .findFirst()
        .orElseThrow(
            () ->
                new RegistryException(
                    RegistryException.Kind.ACCESS_KEY_NOT_FOUND,
                    "the access key " + id + " does not exist"));
  }

  /// Stores a new access key.
  ///
  /// @param key an access key with a new id
  public CompletableFuture<AccessKey> insert(AccessKey key) {
    return store.change(
        change -> {
          change.update(
              change.accessKey(key.id()),
              "INSERT INTO access_keys (access_key_id, principal, created_ms, active)"
                  + " VALUES (?, ?, ?, ?)",
              key.id(),
              key.principal(),
              key.created().toEpochMilli(),
              key.active());
          return key;
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
          AccessKey disabled = require(change, id).disabled();
          change.update(
              change.accessKey(id),
              "UPDATE access_keys SET active = FALSE WHERE access_key_id = ?",
              id);
          return disabled;
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
          AccessKey deleted = require(change, id);
          change.update(
              change.accessKey(id), "DELETE FROM access_keys WHERE access_key_id = ?", id);
          return deleted;
        });
  }

  /// Lists the access keys whose ids are greater than `after` (empty: all), ordered by id.
  public CompletableFuture<List<AccessKey>> list(String after, int limit) {
    return store.read(
        db ->
            db.query(
                SELECT + " WHERE access_key_id > ? ORDER BY access_key_id LIMIT ?",
                AccessKeyRegistry::read,
                after,
                limit));
  }
}
