package dev.hmacd.http;

import com.google.errorprone.annotations.ThreadSafe;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;

/// Watchdog of HTTP connections: ends partially received requests (slowloris defence) and idle
/// connections at their time limits. One scan of volatile fields costs less than a timer for each
/// connection.
@ThreadSafe
final class ConnectionWatchdog {
  /// Interval of the checks, and maximum delay of a timeout.
  static final Duration INTERVAL = Duration.ofMillis(250);

  /// A connection or a stream with a time limit.
  interface Watched {
    /// Ends the request or the connection if its time limit has passed. Called on any thread; the
    /// request or the connection must be ended on its event loop.
    ///
    /// @param nowNanos the current [System#nanoTime]
    void check(long nowNanos);

    /// Closes the connection after its requests are answered. Called on any thread.
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

  void check(long nowNanos) {
    all.forEach(each -> each.check(nowNanos));
  }

  /// Drains all present and future connections.
  void drain() {
    draining = true;
    all.forEach(Watched::drain);
  }

  /// Waits until all connections and streams have ended. Must be called after [#drain].
  ///
  /// @return false if a connection or a stream is still open when the time limit has passed
  boolean awaitNone(Duration limit) throws InterruptedException {
    long left = limit.toNanos();
    lock.lockInterruptibly();
    try {
      while (!all.isEmpty()) {
        if (left <= 0) {
          return false;
        }
        // Waits in slices, so that a lost signal delays the return by one slice at most.
        long slice = Math.min(left, TimeUnit.MILLISECONDS.toNanos(50));
        left -= slice - Math.max(0, none.awaitNanos(slice));
      }
      return true;
    } finally {
      lock.unlock();
    }
  }
}
