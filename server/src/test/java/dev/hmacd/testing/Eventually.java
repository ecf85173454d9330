package dev.hmacd.testing;

import java.time.Duration;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/// Waits for what other threads or processes bring about and tell nobody.
public final class Eventually {
  /// How long a test waits for anything that is to happen: much longer than it takes on a machine
  /// that is busy with other work. A test that passes never waits for it.
  public static final Duration LIMIT = Duration.ofMinutes(5);

  private static final Duration LOOK = Duration.ofMillis(2);

  private Eventually() {}

  /// Returns as soon as the condition holds; fails when it does not within the limit.
  public static void holds(String what, BooleanSupplier condition) {
    long end = System.nanoTime() + LIMIT.toNanos();
    while (!condition.getAsBoolean()) {
      if (System.nanoTime() - end >= 0) {
        throw new AssertionError("not within " + LIMIT + ": " + what);
      }
      LockSupport.parkNanos(LOOK.toNanos());
    }
  }
}
