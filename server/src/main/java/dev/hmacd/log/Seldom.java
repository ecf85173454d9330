package dev.hmacd.log;

import com.google.errorprone.annotations.ThreadSafe;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;

/// Says when to log what can happen as often as a caller, or a broken token, likes: at once, and
/// then no more than once in a while.
@ThreadSafe
public final class Seldom {
  private final long intervalNanos;
  private final AtomicLong next = new AtomicLong(System.nanoTime());
  private final AtomicLong times = new AtomicLong();

  /// Once in ten seconds.
  public Seldom() {
    this(Duration.ofSeconds(10));
  }

  /// Once in an interval.
  ///
  /// @param interval between lines
  public Seldom(Duration interval) {
    intervalNanos = interval.toNanos();
  }

  /// It has happened once more.
  ///
  /// @return how often since it was logged last; 0 when it is not to be logged now
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
