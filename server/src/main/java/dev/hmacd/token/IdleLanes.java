package dev.hmacd.token;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/// The lanes of a [WorkQueue] that wait for a job. The lane that became idle last wakes first: its
/// thread and its key handles are the most likely to be in the processor's caches.
///
/// A new job wakes no lane while [#MAX_WAKING] lanes are waking, unless it is a health check. Each
/// woken lane wakes the next one if more jobs wait. So a burst of short jobs does not wake more
/// lanes than it needs.
///
/// Not thread-safe: the lock of the work queue guards it.
final class IdleLanes {
  private static final int MAX_WAKING = 2;

  private final Deque<Waiter> waiters = new ArrayDeque<>();

  /// Number of lanes that were woken and have not run since.
  private int waking;

  /// The wait of one lane for one job.
  static final class Waiter {
    private final Thread thread = Thread.currentThread();
    private boolean woken;

    /// Wakes the lane. Called without a lock.
    void unpark() {
      LockSupport.unpark(thread);
    }
  }

  void add(Waiter waiter) {
    waiters.push(waiter);
  }

  /// Ends the wait of a lane, after it was woken or has waited long enough.
  void remove(Waiter waiter) {
    if (waiter.woken) {
      waking--;
    } else {
      waiters.remove(waiter);
    }
  }

  /// Chooses the lane to wake for a waiting job.
  ///
  /// @return null if no lane is idle, or enough lanes are waking
  @Nullable Waiter next() {
    return waking < MAX_WAKING ? poll() : null;
  }

  /// Chooses a lane to wake, even if enough lanes are waking.
  ///
  /// @return null if no lane is idle
  @Nullable Waiter poll() {
    Waiter next = waiters.poll();
    if (next != null) {
      next.woken = true;
      waking++;
    }
    return next;
  }
}
