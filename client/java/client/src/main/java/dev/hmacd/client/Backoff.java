package dev.hmacd.client;

import static java.util.concurrent.TimeUnit.MILLISECONDS;
import static java.util.concurrent.TimeUnit.SECONDS;

/// Exponential back-off with full jitter: a random time up to a bound that doubles with each
/// attempt.
final class Backoff {
  private static final long FIRST_BOUND = MILLISECONDS.toNanos(50);
  private static final long MAX_BOUND = SECONDS.toNanos(1);
  private static final int MAX_DOUBLINGS = 5;

  private Backoff() {}

  /// The time before the next attempt, in nanoseconds.
  ///
  /// @param attempts the number of attempts so far, 1 or more
  /// @param random a random number, 0 or more and less than 1
  static long nanos(int attempts, double random) {
    long bound = Math.min(FIRST_BOUND << Math.min(attempts - 1, MAX_DOUBLINGS), MAX_BOUND);
    return (long) (bound * random);
  }
}
