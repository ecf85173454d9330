package dev.hmacd.client.testing;

import com.google.errorprone.annotations.Immutable;
import dev.hmacd.client.ErrorReason;
import java.time.Duration;
import java.util.Optional;

/// A fault of one attempt at a MAC ([FakeHmacd#next]).
@Immutable
public final class Fault {
  /// No fault.
  static final Fault NONE = new Fault(Optional.empty(), Duration.ZERO, false);

  private static final Duration FOREVER = Duration.ofNanos(Long.MAX_VALUE);

  private final Optional<DaemonError> error;
  private final Duration delay;
  private final boolean damaged;

  private Fault(Optional<DaemonError> error, Duration delay, boolean damaged) {
    this.error = error;
    this.delay = delay;
    this.damaged = damaged;
  }

  /// An error as the daemon sends it: with the status code of the reason, and with `RetryInfo` or
  /// the trailer that forbids a retry.
  ///
  /// @throws IllegalArgumentException if the reason is one of the client only
  public static Fault error(ErrorReason reason) {
    return new Fault(Optional.of(DaemonError.of(reason)), Duration.ZERO, false);
  }

  /// An error with another delay of `RetryInfo` than the daemon's.
  ///
  /// @param retryDelay 0 s or more
  /// @throws IllegalArgumentException if the reason is one of the client only, or the delay is
  ///   negative
  public static Fault error(ErrorReason reason, Duration retryDelay) {
    return new Fault(
        Optional.of(DaemonError.of(reason).withRetryDelay(notNegative(retryDelay))),
        Duration.ZERO,
        false);
  }

  /// An error whose trailer `grpc-retry-pushback-ms` forbids a retry.
  ///
  /// @throws IllegalArgumentException if the reason is one of the client only
  public static Fault errorWithoutRetry(ErrorReason reason) {
    return new Fault(Optional.of(DaemonError.of(reason).withoutRetry()), Duration.ZERO, false);
  }

  /// `UNAVAILABLE` without a reason of hmacd, as from a proxy without a daemon. The client reports
  /// [ErrorReason#CONNECTION_FAILED].
  public static Fault unavailable() {
    return new Fault(Optional.of(DaemonError.UNAVAILABLE), Duration.ZERO, false);
  }

  /// The right answer after a delay. The fake sends no answer to a client that has ended the
  /// attempt.
  ///
  /// @param delay 0 s or more
  /// @throws IllegalArgumentException if the delay is negative
  public static Fault late(Duration delay) {
    return new Fault(Optional.empty(), notNegative(delay), false);
  }

  /// No answer. The attempt ends at the deadline of the client, or with the fake.
  public static Fault noAnswer() {
    return new Fault(Optional.empty(), FOREVER, false);
  }

  /// An answer whose CRC32C shows damage in transit: GenerateMac has a wrong `mac_crc32c`,
  /// VerifyMac has no `verified_mac_crc32c`.
  public static Fault damagedChecksum() {
    return new Fault(Optional.empty(), Duration.ZERO, true);
  }

  /// The error that replaces the answer.
  Optional<DaemonError> error() {
    return error;
  }

  /// The time until the answer.
  Duration delay() {
    return delay;
  }

  /// Whether the CRC32C of the answer is wrong.
  boolean damaged() {
    return damaged;
  }

  private static Duration notNegative(Duration delay) {
    if (delay.isNegative()) {
      throw new IllegalArgumentException("delay must be 0 s or more: " + delay);
    }
    return delay.compareTo(FOREVER) < 0 ? delay : FOREVER;
  }
}
