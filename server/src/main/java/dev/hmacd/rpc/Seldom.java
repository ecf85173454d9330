package dev.hmacd.rpc;

import com.google.errorprone.annotations.ThreadSafe;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;

/// Says when to log what callers can provoke as often as they like: at once, and then no more than
/// once in ten seconds.
@ThreadSafe
final class Seldom {
  private static final long INTERVAL_NANOS = Duration.ofSeconds(10).toNanos();

  private final AtomicLong next = new AtomicLong(System.nanoTime());
  private final AtomicLong times = new AtomicLong();

  /// It has happened once more.
  ///
  /// @return how often since it was logged last; 0 when it is not to be logged now
  long happened() {
    times.incrementAndGet();
    long now = System.nanoTime();
    long due = next.get();
    if (now - due < 0 || !next.compareAndSet(due, now + INTERVAL_NANOS)) {
      return 0;
    }
    return times.getAndSet(0);
  }
}
