package dev.hmacd.registry;

import dev.hmacd.key.ArnScope;
import java.nio.file.Path;
import java.time.Clock;
import java.util.List;
import java.util.UUID;

/// The registry of a daemon: its parts, which share one database file. Thread-safe after [#open].
public final class Registry implements AutoCloseable {
  private final RegistryStore store;
  private final KeyTable keys;
  private final KeyWriter writer;
  private final KeyLists lists;
  private final AccessKeyRegistry accessKeys;
  private final DaemonKeyRegistry ownKeys;

  /// Creates the parts of the registry. Only [#open] opens the file.
  public Registry(Path file, ArnScope scope, Clock clock) {
    keys = new KeyTable(scope);
    var accessKeyTable = new AccessKeyTable();
    store =
        new RegistryStore(
            new RegistryFile(file, scope, clock, List.of(keys, accessKeyTable)),
            new RegistryHealth(file));
    writer = new SqliteKeyWriter(store, keys, clock, UUID.randomUUID().toString());
    lists = new KeyLists(store, keys);
    accessKeys = new AccessKeyRegistry(store, accessKeyTable);
    ownKeys = new DaemonKeyRegistry(store);
  }

  /// Opens or creates the database, and loads keys and access keys into memory.
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
