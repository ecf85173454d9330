package dev.hmacd.token;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.token.TokenException.Kind;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/// Lock that keeps searches on a token apart from the creation and destruction of objects.
///
/// - SoftHSM2 reads the files of all token objects in a search. If it reads the file of a new key
///   during C_GenerateKey, the generation fails, and all sessions of the process lose sight of the
///   object until the next start. While SoftHSM2 copies a key to a session object, it lists the
///   copy as a token object, and other sessions find the key twice.
/// - openCryptoki crashed when a search met an object that was being destroyed.
///
/// All waits for the lock are short: a PKCS#11 call may hang in a lane that holds the lock, and
/// must not block other lanes.
@ThreadSafe
@SuppressWarnings("ThreadSafe") // The lock is thread-safe.
final class ObjectLock {
  private static final long MAX_WAIT_MILLIS = 1000;
  private static final long SHORT_WAIT_MILLIS = 100;
  private static final Hold NOT_HELD = () -> {};

  private final ReadWriteLock lock = new ReentrantReadWriteLock();

  /// A hold of the lock; [#close] releases the lock.
  interface Hold extends AutoCloseable {
    @Override
    void close();
  }

  /// Acquires the lock for a search. If the wait is too long, the search runs without the lock.
  Hold forSearch() {
    return acquire(lock.readLock(), MAX_WAIT_MILLIS).orElse(NOT_HELD);
  }

  /// Acquires the lock for the destruction of an object. If a search hangs, the destruction runs
  /// without the lock after a short wait.
  Hold forDestruction() {
    return acquire(lock.writeLock(), SHORT_WAIT_MILLIS).orElse(NOT_HELD);
  }

  /// Acquires the lock for the copy of a key; empty if the wait is too long.
  Optional<Hold> forCopy() {
    return acquire(lock.writeLock(), MAX_WAIT_MILLIS);
  }

  /// Acquires the lock for the generation of a key.
  ///
  /// @throws TokenException `UNAVAILABLE` if the wait is too long; a generation without the lock
  ///   could leave an object that no search finds
  Hold forGeneration() throws TokenException {
    return acquire(lock.writeLock(), MAX_WAIT_MILLIS)
        .orElseThrow(
            () ->
                new TokenException(
                    Kind.UNAVAILABLE,
                    "key not generated: searches on the token did not end within "
                        + MAX_WAIT_MILLIS
                        + " ms"));
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
