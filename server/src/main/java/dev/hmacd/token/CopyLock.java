package dev.hmacd.token;

import com.google.errorprone.annotations.ThreadSafe;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/// Lock of a token that separates changes of session objects from searches. During a copy SoftHSM2
/// lists the session object as a token object, and other sessions find the key twice. openCryptoki
/// crashed in a search that met an object during its destruction.
///
/// All waits are short: a call of another lane may hang under the lock, and must not block a lane.
@ThreadSafe
@SuppressWarnings("ThreadSafe") // The lock is thread-safe.
final class CopyLock {
  private static final long MAX_WAIT_MILLIS = 1000;
  private static final long SHORT_WAIT_MILLIS = 100;
  private static final Hold NOT_HELD = () -> {};

  private final ReadWriteLock lock = new ReentrantReadWriteLock();

  /// Ends the use of the lock.
  interface Hold extends AutoCloseable {
    @Override
    void close();
  }

  /// For a search. The search runs without the lock if the wait is too long.
  Hold forSearch() {
    return acquire(lock.readLock(), MAX_WAIT_MILLIS).orElse(NOT_HELD);
  }

  /// For the end of session objects. Does not wait for a search that hangs.
  Hold forDestruction() {
    return acquire(lock.writeLock(), SHORT_WAIT_MILLIS).orElse(NOT_HELD);
  }

  /// For a copy of a key; empty if the wait is too long.
  Optional<Hold> forCopy() {
    return acquire(lock.writeLock(), MAX_WAIT_MILLIS);
  }

  private static Optional<Hold> acquire(Lock lock, long millis) {
    try {
      return lock.tryLock(millis, TimeUnit.MILLISECONDS)
          ? Optional.of(lock::unlock)
          : Optional.empty();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return Optional.empty();
    }
  }
}
