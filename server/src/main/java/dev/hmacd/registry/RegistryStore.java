package dev.hmacd.registry;

import dev.hmacd.limit.OwnerQuota;
import dev.hmacd.registry.RegistryException.Kind;
import java.io.IOException;
import java.sql.SQLException;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Runs the operations on the registry's database, on one thread. Thread-safe after [#open].
///
/// Operations run one after the other, from a bounded queue. A change is on the disk first, then in
/// memory, then answered. Futures complete on the store's thread and fail with a
/// [RegistryException].
final class RegistryStore implements AutoCloseable {
  private static final int MAX_WAITING = 256;
  private static final long CLOSE_SECONDS = 10;
  private static final Logger log = LoggerFactory.getLogger(RegistryStore.class);

  private final ThreadPoolExecutor executor =
      new ThreadPoolExecutor(
          1,
          1,
          0,
          TimeUnit.SECONDS,
          new ArrayBlockingQueue<>(MAX_WAITING),
          Thread.ofPlatform().name("hmacd-registry").factory());
  private final OwnerQuota owners = OwnerQuota.halfOf(MAX_WAITING);
  private final RegistryFile file;

  RegistryStore(RegistryFile file) {
    this.file = file;
  }

  /// Opens or creates the database file with [RegistryFile#open].
  void open() {
    file.open();
  }

  /// Starts work for an owner. One owner may have at most half as many operations in flight as the
  /// queue has places.
  ///
  /// @param owner the caller's principal
  /// @param work starts the work, which counts until its future completes
  /// @return fails with `OWNER_BUSY` if the owner has too many operations in flight
  <T> CompletableFuture<T> forOwner(Object owner, Supplier<CompletableFuture<T>> work) {
    if (!owners.tryHold(owner, 1)) {
      return CompletableFuture.failedFuture(
          new RegistryException(
              Kind.OWNER_BUSY,
              "limit of registry operations reached (" + owners.max() + " in flight per owner)"));
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

  /// The update of memory after a change is on the disk.
  interface Committed<T> {
    T apply();
  }

  <T> CompletableFuture<T> change(Read<Committed<T>> work) {
    return read(
        db -> {
          file.beginChange(db);
          Committed<T> committed = work.in(db);
          file.commitChange(db);
          return committed.apply();
        });
  }

  <T> CompletableFuture<T> read(Read<T> work) {
    CompletableFuture<T> result = new CompletableFuture<>();
    try {
      executor.execute(() -> run(work, result));
    } catch (RejectedExecutionException e) {
      Kind kind = executor.isShutdown() ? Kind.UNAVAILABLE : Kind.BUSY;
      result.completeExceptionally(
          new RegistryException(
              kind,
              kind == Kind.BUSY ? "the queue of the registry is full" : "the registry is closed",
              e));
    }
    return result;
  }

  private <T> void run(Read<T> work, CompletableFuture<T> result) {
    T value;
    try {
      Database db = file.database();
      value = inTransaction(db, work);
    } catch (RegistryException e) {
      result.completeExceptionally(e);
      return;
    } catch (SQLException | IOException | RuntimeException | Error e) {
      log.atError().setCause(e).log("The registry cannot be read or written");
      RegistryException failure =
          new RegistryException(Kind.UNAVAILABLE, "the registry cannot be read or written", e);
      file.reopen(failure);
      result.completeExceptionally(failure);
      return;
    }
    result.complete(value);
  }

  /// Runs an operation and leaves no transaction open. The rollback ends a read, undoes a refused
  /// change, and does nothing after a commit.
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

  /// Finishes the accepted operations within a time limit, and closes the file.
  @Override
  public void close() {
    executor.shutdown();
    try {
      if (!executor.awaitTermination(CLOSE_SECONDS, TimeUnit.SECONDS)) {
        log.atWarn().log("Registry operations did not end within the time limit of the stop");
        return;
      }
      file.close();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (SQLException | IOException e) {
      log.atWarn().setCause(e).log("Registry not closed cleanly");
    }
  }
}
