package dev.hmacd.registry;

import dev.hmacd.key.ArnScope;
import dev.hmacd.registry.cache.EntryCache;
import dev.hmacd.registry.cache.EntryLoads;
import java.nio.file.Path;
import java.time.Clock;
import java.util.UUID;

/// The registry of a daemon: its parts, which share one database file. Thread-safe after [#open].
public final class Registry implements AutoCloseable {
  /// Memory of the cache of a command, in bytes.
  private static final long COMMAND_CACHE_BYTES = 1 << 20;

  /// Maximum number of concurrent reads for the cache. The store runs one operation at a time.
  private static final int MAX_READS = 1;

  private final RegistryStore store;
  private final EntryCache cache;
  private final EntryLoads loads;
  private final KeyReader keys;
  private final KeyWriter writer;
  private final KeyLists lists;
  private final AccessKeyRegistry accessKeys;
  private final DaemonKeyRegistry ownKeys;

  /// Creates the registry of a command, which releases no answers.
  public Registry(Path file, ArnScope scope, Clock clock) {
    this(file, scope, clock, COMMAND_CACHE_BYTES, ReleaseBarrier.NONE);
  }

  /// Creates the parts of the registry. Only [#open] opens the file.
  ///
  /// @param cacheBytes maximum memory of the cached entries, in bytes
  public Registry(Path file, ArnScope scope, Clock clock, long cacheBytes, ReleaseBarrier barrier) {
    cache = new EntryCache(cacheBytes);
    store =
        new RegistryStore(
            new RegistryFile(file, scope, clock, cache), new RegistryHealth(file), barrier);
    loads = new EntryLoads(cache, store::load, MAX_READS, Registry::tooManyLoads);
    keys = new KeyReader(scope, cache, loads);
    writer = new SqliteKeyWriter(store, clock, UUID.randomUUID().toString());
    lists = new KeyLists(store);
    accessKeys = new AccessKeyRegistry(store, cache, loads, scope.account());
    ownKeys = new DaemonKeyRegistry(store);
  }

  private static RegistryException tooManyLoads() {
    return new RegistryException(
        RegistryException.Kind.BUSY, "limit of entries that wait for a load reached");
  }

  /// Opens or creates the database.
  ///
  /// @throws RegistryException `UNAVAILABLE` if another daemon uses the file or the file cannot be
  ///   read, `FOREIGN` if the file is not this daemon's registry, `UNUSABLE` if the file or its
  ///   folder cannot be used
  public void open() {
    store.open();
  }

  /// As [#open], but creates no registry. If the file is missing, the registry is empty and in
  /// memory alone. An existing file gets its lock file and the missing migrations.
  ///
  /// @throws RegistryException as [#open], also if the file is missing and cannot be created
  public void openExisting() {
    store.openExisting();
  }

  /// Look-up of the key of a call.
  public KeyReader keys() {
    return keys;
  }

  public KeyWriter writer() {
    return writer;
  }

  public KeyLists lists() {
    return lists;
  }

  public AccessKeyRegistry accessKeys() {
    return accessKeys;
  }

  /// The registry of the daemon's own keys.
  public DaemonKeyRegistry ownKeys() {
    return ownKeys;
  }

  /// The size of the cache.
  public EntryCache.Size cacheSize() {
    return cache.size();
  }

  /// Number of entries that were read into the cache since the start.
  public long loadedEntries() {
    return loads.loaded();
  }

  /// Whether the file can be read and written: false from a failed operation until the next
  /// successful operation; after a failed change, until the next successful change.
  public boolean isHealthy() {
    return store.isHealthy();
  }

  /// Finishes the accepted operations within a time limit, and closes the file.
  @Override
  public void close() {
    store.close();
  }
}
