package dev.hmacd.awskms;

import com.google.errorprone.annotations.ThreadSafe;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/// Looks at all connections now and then: requests must come whole in time, and connections must
/// not idle for ever. One look at a volatile field each costs less than a timer for each.
@ThreadSafe
final class Watch {
  /// How late something can be noticed.
  static final Duration INTERVAL = Duration.ofMillis(250);

  /// What is looked at.
  interface Watched {
    /// Ends what has taken too long. On any thread; what is to be done belongs on the event loop.
    ///
    /// @param nowNanos in [System#nanoTime]'s terms
    void look(long nowNanos);

    /// Ends, once what was begun has been answered. On any thread.
    void drain();
  }

  private final Set<Watched> all = ConcurrentHashMap.newKeySet();
  private final ReentrantLock lock = new ReentrantLock();
  private final Condition none = lock.newCondition();
  private volatile boolean draining;

  void begin(Watched each) {
    all.add(each);
    if (draining) {
      each.drain();
    }
  }

  void end(Watched each) {
    if (all.remove(each) && draining && all.isEmpty()) {
      lock.lock();
      try {
        none.signalAll();
      } finally {
        lock.unlock();
      }
    }
  }

  void look(long nowNanos) {
    all.forEach(each -> each.look(nowNanos));
  }

  /// Has all that there are, and those that come, end.
  void drain() {
    draining = true;
    all.forEach(Watched::drain);
  }

  boolean isDraining() {
    return draining;
  }

  /// Waits until none is left, after [#drain].
  ///
  /// @return whether there was none before the limit
  boolean awaitNone(Duration limit) throws InterruptedException {
    long left = limit.toNanos();
    lock.lockInterruptibly();
    try {
      while (!all.isEmpty()) {
        if (left <= 0) {
          return false;
        }
        // In slices, so that no order of events could have it wait for nothing.
        long slice = Math.min(left, TimeUnit.MILLISECONDS.toNanos(50));
        left -= slice - Math.max(0, none.awaitNanos(slice));
      }
      return true;
    } finally {
      lock.unlock();
    }
  }
}
