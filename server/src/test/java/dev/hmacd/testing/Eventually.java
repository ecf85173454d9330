package dev.hmacd.testing;

import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/// Polls for a condition that other threads or processes fulfil.
public final class Eventually {
  /// Timeout of a condition, much longer than needed on a busy machine. A test that passes never
  /// waits this long.
  public static final Duration LIMIT = Duration.ofMinutes(5);

  private static final Duration POLL = Duration.ofMillis(2);

  private Eventually() {}

  /// Waits until the condition holds. Fails if it does not hold within the limit.
  ///
  /// @param description the condition as a sentence, such as "the connection is closed"
  public static void holds(String description, BooleanSupplier condition) {
    long end = System.nanoTime() + LIMIT.toNanos();
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() - end >= 0) {
        throw new AssertionError("not within " + LIMIT + ": " + description);
      }
      LockSupport.parkNanos(POLL.toNanos());
    }
  }
}
