package dev.hmacd.registry;

import dev.hmacd.key.ArnScope;
import dev.hmacd.limit.OwnerQuota;
import dev.hmacd.registry.RegistryException.Kind;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.sql.SQLException;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The registry's database file, with the one thread that reads and writes it. Thread-safe after
/// [#open].
///
/// Operations run one after the other, from a bounded queue. A change is on the disk first, then in
/// memory, then answered. Futures complete on the store's thread and fail with a
/// [RegistryException].
final class RegistryStore implements AutoCloseable {
  private static final int MAX_WAITING = 256;
  private static final long CLOSE_SECONDS = 10;
  private static final Logger log = LoggerFactory.getLogger(RegistryStore.class);

  private final Path file;
  private final ArnScope scope;
  private final List<Memory> memories;
  private final ThreadPoolExecutor executor =
      new ThreadPoolExecutor(
          1,
          1,
          0,
          TimeUnit.SECONDS,
          new ArrayBlockingQueue<>(MAX_WAITING),
          Thread.ofPlatform().name("hmacd-registry").factory());
  private final OwnerQuota owners = OwnerQuota.halfOf(MAX_WAITING);
  private @Nullable FileChannel lock;

  /// Used by the store's thread only, and by [#open] before the thread starts.
  private @Nullable Database database;

  /// Identity of the open file. Used on the same threads as `database`.
  private @Nullable Object identity;

  /// Revision of the content in memory. A file with a smaller revision is not the file from which
  /// memory was loaded. Used on the same threads as `database`.
  private long revision;

  /// Set once by [#open], before the thread starts.
  private boolean opened;

  /// Opens no file: [#open] does.
  ///
  /// @param memories loaded in this order whenever the file is opened or reopened
  RegistryStore(Path file, ArnScope scope, List<Memory> memories) {
    this.file = file;
    this.scope = scope;
    this.memories = List.copyOf(memories);
  }

  /// A part of the file's content in memory.
  interface Memory {
    /// Replaces the part in memory by that of the file.
    void load(Database db) throws SQLException;
  }

  /// Opens or creates the database, and loads all parts into memory.
  ///
  /// @throws RegistryException `UNAVAILABLE` if it is in use by another daemon or cannot be read,
  ///   `FOREIGN` if it is not this daemon's, `UNUSABLE` if the file or its folder cannot be used
  void open() {
    try {
      requireRegularFile(file);
      requireRegularFile(lockFile());
      lock =
          FileChannel.open(
              lockFile(),
              Set.of(StandardOpenOption.CREATE, StandardOpenOption.WRITE),
              Database.OWNER_ONLY);
      if (lock.tryLock() == null) {
        throw new RegistryException(Kind.UNAVAILABLE, "another daemon uses the registry " + file);
      }
      Database fresh = Database.open(file);
      database = fresh;
      identity = identity();
      adoptScope(fresh);
      load(fresh);
      opened = true;
    } catch (OverlappingFileLockException e) {
      throw new RegistryException(Kind.UNAVAILABLE, "this process uses the registry already", e);
    } catch (IOException | SQLException e) {
      boolean unusable = Unusable.is(e);
      throw new RegistryException(
          unusable ? Kind.UNUSABLE : Kind.UNAVAILABLE,
          "cannot open the registry "
              + file
              + ": "
              + e
              + (unusable ? "; " + Unusable.remedy(e) : ""),
          e);
    }
  }

  private Path lockFile() {
    return file.resolveSibling(file.getFileName() + ".lock");
  }

  /// Refuses other types of file: the open of a FIFO would wait for another process.
  private static void requireRegularFile(Path file) {
    if (Files.exists(file) && !Files.isRegularFile(file)) {
      throw new RegistryException(
          Kind.UNUSABLE, file + " is not a regular file; change registry.path");
    }
  }

  private void adoptScope(Database db) throws SQLException {
    db.update(
        "INSERT INTO registry (singleton, revision, arn_prefix) VALUES (1, 0, ?)"
            + " ON CONFLICT (singleton) DO NOTHING",
        scope.prefix());
    // After the first key, callers have ARNs. Before, the configured scope may change.
    db.update(
        "UPDATE registry SET arn_prefix = ? WHERE NOT EXISTS (SELECT 1 FROM keys)", scope.prefix());
    db.commit();
    requireScope(db);
  }

  private void requireScope(Database db) throws SQLException {
    String fixed = db.query("SELECT arn_prefix FROM registry", row -> row.getString(1)).getFirst();
    if (!fixed.equals(scope.prefix())) {
      throw new RegistryException(
          Kind.FOREIGN, "the registry's keys have ARNs that start with " + fixed);
    }
  }

  /// Identity of the file, which differs for a file that replaces it.
  private @Nullable Object identity() throws IOException {
    return Files.readAttributes(file, BasicFileAttributes.class).fileKey();
  }

  private static long revision(Database db) throws SQLException {
    return db.query("SELECT revision FROM registry", row -> row.getLong(1)).getFirst();
  }

  private void load(Database db) throws SQLException {
    revision = revision(db);
    for (Memory memory : memories) {
      memory.load(db);
    }
    // Ends the read transaction. Otherwise the next change would apply to an old snapshot.
    db.rollback();
  }

  /// Starts work for an owner. One owner may have half as many operations in flight as the queue
  /// has places.
  ///
  /// @param owner the caller's principal
  /// @param work starts the work; it counts until its future completes
  /// @return fails with `OWNER_BUSY` if the owner has too many operations in flight
  <T> CompletableFuture<T> forOwner(Object owner, Supplier<CompletableFuture<T>> work) {
    if (!owners.tryHold(owner, 1)) {
      return CompletableFuture.failedFuture(
          new RegistryException(
              Kind.OWNER_BUSY, owners.max() + " calls of one owner are in flight"));
    }
    CompletableFuture<T> begun;
    try {
      begun = work.get();
    } catch (RuntimeException e) {
      owners.release(owner, 1);
      throw e;
    }
    return begun.whenComplete((_, _) -> owners.release(owner, 1));
  }

  interface Read<T> {
    T in(Database db) throws SQLException;
  }

  /// The update of memory, after the change is on the disk.
  interface Committed<T> {
    T apply();
  }

  <T> CompletableFuture<T> change(Read<Committed<T>> work) {
    return read(
        db -> {
          // The write comes first: after a read, SQLite does not wait for the lock of another
          // process.
          db.update("UPDATE registry SET revision = revision + 1");
          Committed<T> committed = work.in(db);
          long changed = revision(db);
          db.commit();
          revision = changed;
          return committed.apply();
        });
  }

  <T> CompletableFuture<T> read(Read<T> work) {
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
    } catch (SQLException | IOException | RuntimeException | Error e) {
      log.atError().setCause(e).log("The registry cannot be read or written");
      RegistryException failure = new RegistryException(Kind.UNAVAILABLE, "database failure", e);
      reopen(failure);
      result.completeExceptionally(failure);
      return;
    }
    result.complete(value);
  }

  /// Runs work and leaves no transaction open. The rollback ends a read, undoes a refused change,
  /// and does nothing after a commit.
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

  /// The connection. After a failure it is a new connection, and memory is loaded from it again.
  private Database database() throws SQLException, IOException {
    Database open = database;
    if (open != null) {
      if (!Objects.equals(identity(), identity)) {
        throw new IOException("another file is in the place of the registry " + file);
      }
      return open;
    }
    if (!opened) {
      throw new RegistryException(Kind.UNAVAILABLE, "not open");
    }
    Database fresh = Database.reopen(file);
    try {
      requireScope(fresh);
      if (revision(fresh) < revision) {
        throw new RegistryException(
            Kind.FOREIGN, "the registry " + file + " is older than what was answered from it");
      }
      identity = identity();
      load(fresh);
    } catch (SQLException | RuntimeException e) {
      fresh.close();
      throw e;
    }
    database = fresh;
    return fresh;
  }

  /// Replaces the connection after a failure, because its state is unknown. SQLite may have ended
  /// the transaction by itself, and would then commit each statement alone. Only the file has the
  /// true state.
  private void reopen(RegistryException failure) {
    try {
      Database failed = database;
      database = null;
      if (failed != null) {
        failed.close();
      }
      var _ = database();
    } catch (SQLException | IOException | RegistryException e) {
      // Memory stays as it is, and the next call tries again.
      failure.addSuppressed(e);
    }
  }

  /// Finishes the accepted work, within a time limit, and closes the file.
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
}
