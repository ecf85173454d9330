package dev.hmacd.client;

import static java.util.concurrent.TimeUnit.MILLISECONDS;
import static java.util.concurrent.TimeUnit.SECONDS;

import java.util.OptionalLong;

/// Exponential back-off with full jitter: a random time up to a bound that doubles with each
/// attempt.
final class Backoff {
  private static final long FIRST_BOUND = MILLISECONDS.toNanos(50);
  private static final long MAX_BOUND = SECONDS.toNanos(1);
  private static final int MAX_DOUBLINGS = 5;

  private Backoff() {}

  /// The wait before the next attempt, in nanoseconds: the delay of the daemon and then the
  /// back-off, so that clients do not retry together. A delay of 0 permits an attempt at once.
  ///
  /// @param daemonDelay the delay of the daemon in nanoseconds, if it has one
  /// @param attempts the number of attempts so far, 1 or more
  /// @param random a random number, 0 or more and less than 1
  static long waitNanos(OptionalLong daemonDelay, int attempts, double random) {
    long delay = daemonDelay.orElse(0);
    return daemonDelay.isPresent() && delay == 0 ? 0 : delay + nanos(attempts, random);
  }

  /// The back-off in nanoseconds.
  private static long nanos(int attempts, double random) {
    long bound = Math.min(FIRST_BOUND << Math.min(attempts - 1, MAX_DOUBLINGS), MAX_BOUND);
    return (long) (bound * random);
  }
}
