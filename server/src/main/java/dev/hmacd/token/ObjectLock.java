package dev.hmacd.token;

import com.google.errorprone.annotations.ThreadSafe;
import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.hmacd.token.TokenException.Kind;
import java.time.Duration;
import java.util.HashSet;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/// Lock that keeps searches on a token apart from the creation and destruction of objects.
///
/// - SoftHSM2 reads the files of all token objects in a search. If it reads the file of a new key
///   during C_GenerateKey, the generation fails, and all sessions of the process lose sight of the
///   object until the next start. While SoftHSM2 copies a key to a session object, it lists the
///   copy as a token object, and other sessions find the key twice.
/// - openCryptoki crashed when a search met an object that was being destroyed.
///
/// A PKCS#11 call may hang in a lane that holds the lock, and must not block other lanes. So all
/// waits for the lock are short, and a hold ends after the time at which the watchdog replaces a
/// lane that hangs. If the call returns later, it can meet a call of another lane: then a
/// generation can fail, which is a failure of the creation like any other.
@ThreadSafe
@SuppressWarnings("ThreadSafe") // The lock guards all fields that change.
final class ObjectLock {
  private static final long MAX_WAIT_MILLIS = 1000;
  private static final long SHORT_WAIT_MILLIS = 100;
  private static final Hold NOT_HELD = () -> {};

  private final long maxHoldNanos;
  private final ReentrantLock lock = new ReentrantLock();

  /// Signals that a hold has ended, or that a thread no longer waits for an exclusive hold.
  private final Condition changed = lock.newCondition();

  @GuardedBy("lock")
  private final Set<Held> holds = new HashSet<>();

  /// Number of threads that wait for an exclusive hold. New searches wait for them.
  @GuardedBy("lock")
  private int waitingExclusively;

  /// @param maxHold time after which a hold no longer counts, because its PKCS#11 call hangs
  ObjectLock(Duration maxHold) {
    maxHoldNanos = maxHold.toNanos();
  }

  /// A hold of the lock; [#close] releases the lock.
  interface Hold extends AutoCloseable {
    @Override
    void close();
  }

  private final class Held implements Hold {
    private final boolean exclusive;
    private final long sinceNanos = System.nanoTime();

    Held(boolean exclusive) {
      this.exclusive = exclusive;
    }

    boolean isOver() {
      return System.nanoTime() - sinceNanos >= maxHoldNanos;
    }

    @Override
    public void close() {
      release(this);
    }
  }

  /// Acquires the lock for a search. If the wait is too long, the search runs without the lock.
  Hold forSearch() {
    return acquire(false, MAX_WAIT_MILLIS).orElse(NOT_HELD);
  }

  /// Acquires the lock for the destruction of an object. If a search hangs, the destruction runs
  /// without the lock after a short wait.
  Hold forDestruction() {
    return acquire(true, SHORT_WAIT_MILLIS).orElse(NOT_HELD);
  }

  /// Acquires the lock for the copy of a key; empty if the wait is too long.
  Optional<Hold> forCopy() {
    return acquire(true, MAX_WAIT_MILLIS);
  }

  /// Acquires the lock for the generation of a key.
  ///
  /// @throws TokenException `UNAVAILABLE` if the wait is too long; a generation without the lock
  ///   could leave an object that no search finds
  Hold forGeneration() throws TokenException {
    return acquire(true, MAX_WAIT_MILLIS)
        .orElseThrow(
            () ->
                new TokenException(
                    Kind.UNAVAILABLE,
                    "key not generated: searches on the token did not end within "
                        + MAX_WAIT_MILLIS
                        + " ms"));
  }

  private Optional<Hold> acquire(boolean exclusive, long millis) {
    lock.lock();
    try {
      if (!exclusive) {
        return await(false, millis);
      }
      waitingExclusively++;
      try {
        return await(true, millis);
      } finally {
        waitingExclusively--;
        changed.signalAll();
      }
    } finally {
      lock.unlock();
    }
  }

  /// Waits for a hold; empty if the wait is too long.
  @GuardedBy("lock")
  private Optional<Hold> await(boolean exclusive, long millis) {
    long left = TimeUnit.MILLISECONDS.toNanos(millis);
    while (isHeldAgainst(exclusive)) {
      if (left <= 0) {
        return Optional.empty();
      }
      try {
        left = changed.awaitNanos(left);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        return Optional.empty();
      }
    }
    var held = new Held(exclusive);
    holds.add(held);
    return Optional.of(held);
  }

  @GuardedBy("lock")
  private boolean isHeldAgainst(boolean exclusive) {
    holds.removeIf(Held::isOver);
    return exclusive
        ? !holds.isEmpty()
        : waitingExclusively > 0 || holds.stream().anyMatch(held -> held.exclusive);
  }

  private void release(Held held) {
    lock.lock();
    try {
      holds.remove(held);
      changed.signalAll();
    } finally {
      lock.unlock();
    }
  }
}
