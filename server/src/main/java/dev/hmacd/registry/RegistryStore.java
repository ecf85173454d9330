package dev.hmacd.registry;

import dev.hmacd.limit.Owner;
import dev.hmacd.limit.OwnerQuota;
import dev.hmacd.limit.RefusalLog;
import dev.hmacd.registry.RegistryException.Kind;
import dev.hmacd.registry.RegistryHealth.Operation;
import dev.hmacd.registry.RegistryQueue.Urgency;
import dev.hmacd.registry.cache.EntryName;
import dev.hmacd.registry.cache.EntrySource.Snapshot;
import dev.hmacd.registry.cache.Position;
import java.io.IOException;
import java.sql.SQLException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Runs the operations on the registry's database, on one thread. Thread-safe after [#open].
///
/// Operations run one after the other, from a [RegistryQueue]. A change is on the disk first, then
/// in the cache. It is answered after the [ReleaseBarrier]: then no answer is released that the
/// change forbids. Futures fail with a [RegistryException].
final class RegistryStore implements AutoCloseable {
  private static final Duration CLOSE_LIMIT = Duration.ofSeconds(10);

  /// Maximum time that the answer of a change waits for the event loops.
  private static final Duration BARRIER_LIMIT = Duration.ofSeconds(5);

  private static final Logger log = LoggerFactory.getLogger(RegistryStore.class);

  private final RegistryQueue queue = new RegistryQueue("hmacd-registry");

  /// Quotas of the ordinary operations, by name of the principal.
  private final OwnerQuota owners = OwnerQuota.halfOf(Urgency.ORDINARY.places());

  private final RefusalLog refusals =
      new RefusalLog(
          "Registry operations refused: too many calls wait for the registry", "owner_operations");

  /// Quotas of the urgent changes, by name of the principal.
  private final OwnerQuota urgentOwners = OwnerQuota.halfOf(Urgency.URGENT.places());

  private final RegistryFile file;
  private final RegistryHealth health;
  private final ReleaseBarrier barrier;

  RegistryStore(RegistryFile file, RegistryHealth health, ReleaseBarrier barrier) {
    this.file = file;
    this.health = health;
    this.barrier = barrier;
  }

  /// Opens or creates the database file with [RegistryFile#open], and starts the thread.
  void open() {
    file.open();
    queue.start();
  }

  /// As [#open], but with [RegistryFile#openExisting]: creates no registry.
  void openExisting() {
    file.openExisting();
    queue.start();
  }

  /// Starts work for an owner. One owner may have at most half as many operations in flight as
  /// ordinary operations may wait.
  ///
  /// @param owner the caller; all owners with the same principal share one quota
  /// @param work starts the work, which counts until its future completes
  /// @return fails with `OWNER_BUSY` if the owner has too many operations in flight
  <T> CompletableFuture<T> forOwner(Owner owner, Supplier<CompletableFuture<T>> work) {
    String principal = owner.principal();
    if (!owners.tryHold(principal, 1)) {
      refusals.refused(owners);
      return CompletableFuture.failedFuture(
          new RegistryException(
              Kind.OWNER_BUSY,
              "limit of registry operations reached (" + owners.max() + " in flight per owner)"));
    }
    CompletableFuture<T> begun;
    try {
      begun = work.get();
    } catch (RuntimeException e) {
      owners.release(principal, 1);
      throw e;
    }
    return begun.whenComplete((_, _) -> owners.release(principal, 1));
  }

  /// Runs a change that stops a key or an access key, before all waiting ordinary operations. The
  /// change has a place that ordinary operations cannot take.
  ///
  /// One owner may have at most half as many urgent changes in flight as there are urgent places.
  /// If all urgent places are taken, the queue demotes a change of the owner with the most urgent
  /// changes to an ordinary operation, if the owner of the new change has at least two fewer. Above
  /// the quota, or if no owner has more, the change is an ordinary operation of the owner. So a
  /// flood of some owners' urgent changes does not delay the urgent changes of others.
  ///
  /// @param owner the caller; all owners with the same principal share one quota
  /// @return fails with `OWNER_BUSY` or `BUSY` if the change finds neither an urgent place nor an
  ///   ordinary place
  <T> CompletableFuture<T> urgentChange(Owner owner, Write<T> work) {
    String principal = owner.principal();
    if (urgentOwners.tryHold(principal, 1)) {
      var result = new CompletableFuture<T>();
      if (queue.offer(
          Urgency.URGENT, owner, () -> run(Operation.CHANGE, committed(work), result))) {
        return result.whenComplete((_, _) -> urgentOwners.release(principal, 1));
      }
      urgentOwners.release(principal, 1);
    }
    return forOwner(owner, () -> change(work));
  }

  interface Read<T> {
    T in(Database db) throws SQLException;
  }

  interface Write<T> {
    T in(Change change) throws SQLException;
  }

  /// The result of an operation.
  ///
  /// @param mayTakeAway whether the operation has changed an entry, so an answer that is being
  ///   released may be forbidden now
  private record Result<T>(T value, boolean mayTakeAway) {}

  /// Runs a change for a caller.
  <T> CompletableFuture<T> change(Write<T> work) {
    return submit(Urgency.ORDINARY, Operation.CHANGE, committed(work));
  }

  /// Runs a change of the daemon itself, in a place that callers cannot take.
  <T> CompletableFuture<T> daemonChange(Write<T> work) {
    return submit(Urgency.DAEMON, Operation.CHANGE, committed(work));
  }

  private <T> Read<Result<T>> committed(Write<T> work) {
    return db -> {
      Change change = file.begin(db);
      T value = work.in(change);
      file.commit(db, change);
      return new Result<>(value, !change.entries().isEmpty());
    };
  }

  private static <T> Read<Result<T>> unchanged(Read<T> work) {
    return db -> new Result<>(work.in(db), false);
  }

  /// Reads entries for the cache, before the waiting operations.
  CompletableFuture<Snapshot> load(List<EntryName> names, Position since) {
    return submit(
        Urgency.LOAD,
        Operation.READ,
        unchanged(
            db -> {
              file.catchUp(db);
              return EntryRows.read(db, names, since);
            }));
  }

  /// Runs a read for a caller.
  <T> CompletableFuture<T> read(Read<T> work) {
    return submit(Urgency.ORDINARY, Operation.READ, unchanged(work));
  }

  /// Runs a read of the daemon itself, in a place that callers cannot take.
  <T> CompletableFuture<T> daemonRead(Read<T> work) {
    return submit(Urgency.DAEMON, Operation.READ, unchanged(work));
  }

  private <T> CompletableFuture<T> submit(
      Urgency urgency, Operation operation, Read<Result<T>> work) {
    CompletableFuture<T> result = new CompletableFuture<>();
    if (!queue.offer(urgency, () -> run(operation, work, result))) {
      if (queue.isAccepting()) {
        refusals.refused(owners);
        result.completeExceptionally(
            new RegistryException(Kind.BUSY, "the queue of the registry is full"));
      } else {
        result.completeExceptionally(
            new RegistryException(Kind.UNAVAILABLE, "the registry is not open"));
      }
    }
    return result;
  }

  private <T> void run(Operation operation, Read<Result<T>> work, CompletableFuture<T> result) {
    Result<T> done;
    try {
      Database db = file.database();
      done = inTransaction(db, work);
    } catch (RegistryException e) {
      if (e.isFileFailure()) {
        health.failed(operation, e);
      } else {
        health.succeeded(Operation.READ); // A refused change was not written.
      }
      result.completeExceptionally(e);
      return;
    } catch (SQLException | IOException | RuntimeException | Error e) {
      health.failed(operation, e);
      RegistryException failure =
          new RegistryException(
              Kind.UNAVAILABLE,
              "registry.path: cannot read or write the registry "
                  + file.path()
                  + ": "
                  + PermanentFailure.reason(e)
                  + "; examine the file system, and free disk space",
              e);
      try {
        file.reopen(failure);
      } finally {
        result.completeExceptionally(failure);
      }
      return;
    }
    health.succeeded(operation);
    if (done.mayTakeAway()) {
      answerAfterBarrier(done.value(), result);
    } else {
      result.complete(done.value());
    }
  }

  /// Answers a change. An event loop that hangs does not hold the answer for ever: the change is on
  /// the disk and in the cache.
  private <T> void answerAfterBarrier(T value, CompletableFuture<T> result) {
    CompletableFuture<?> passed;
    try {
      passed = barrier.passed();
    } catch (RuntimeException e) {
      log.atError().setCause(e).log("Registry change answered without the release barrier");
      passed = CompletableFuture.completedFuture(null);
    }
    var _ =
        passed
            .copy()
            .orTimeout(BARRIER_LIMIT.toSeconds(), TimeUnit.SECONDS)
            .whenComplete((_, _) -> result.complete(value));
  }

  /// Whether the last operations reached the file, as [RegistryHealth] defines it. Thread-safe.
  boolean isHealthy() {
    return health.isHealthy();
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
    try {
      if (!queue.close(CLOSE_LIMIT)) {
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
