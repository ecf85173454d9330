package dev.hmacd.log;

import com.google.errorprone.annotations.ThreadSafe;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;

/// Rate limiter of a log message: the first event is logged at once, then at most one message per
/// interval, with the number of events. Limits messages about events that callers, or a broken
/// token, can cause at any rate.
@ThreadSafe
public final class LogRateLimiter {
  private final long intervalNanos;
  private final AtomicLong next = new AtomicLong(System.nanoTime());
  private final AtomicLong times = new AtomicLong();

  /// Creates a limiter with at most one message per ten seconds.
  public LogRateLimiter() {
    this(Duration.ofSeconds(10));
  }

  /// Creates a limiter with at most one message per interval.
  ///
  /// @param interval minimum time between two messages
  public LogRateLimiter(Duration interval) {
    intervalNanos = interval.toNanos();
  }

  /// Counts an event.
  ///
  /// @return the number of events since the last message, if the caller must log a message now;
  ///   else 0
  public long happened() {
    times.incrementAndGet();
    long now = System.nanoTime();
    long due = next.get();
    if (now - due < 0 || !next.compareAndSet(due, now + intervalNanos)) {
      return 0;
    }
    return times.getAndSet(0);
  }
}
