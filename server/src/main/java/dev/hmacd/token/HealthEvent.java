package dev.hmacd.token;

import dev.hmacd.token.TokenException.Fault;

/// An event that may change the health of a token. Instants are values of [System#nanoTime].
sealed interface HealthEvent {
  /// The health check key is known: checks may run from now on.
  record ChecksStarted(long nowNanos) implements HealthEvent {}

  /// The interval between checks of a token in service has elapsed.
  record IntervalElapsed(long nowNanos) implements HealthEvent {}

  /// The pause of [HealthEffect.ScheduleCheck] has elapsed.
  record CheckDue() implements HealthEvent {}

  /// The MAC of a check equals the known answer.
  record CheckSucceeded(long number) implements HealthEvent {}

  /// A check failed, or its MAC was wrong ([Fault#WRONG_MAC]).
  record CheckFailed(long number, Fault fault, String reason, long nowNanos)
      implements HealthEvent {}

  /// The token did not answer a check before the deadline.
  ///
  /// @param othersAnswered whether the token answered another call within the time limit
  record CheckTimedOut(long number, boolean othersAnswered, long nowNanos) implements HealthEvent {}

  /// A lane could not recover from a fault. The cause of the fault may be the token or the
  /// operation.
  record LaneFailed(Fault fault, String reason, long nowNanos) implements HealthEvent {}

  /// A search did not find the health check key on the token.
  record ObjectsLost(long nowNanos) implements HealthEvent {}

  /// The first session with the token could not be opened.
  record OpenFailed(Fault fault, String reason, long nowNanos) implements HealthEvent {}

  /// An operator has corrected the PIN.
  record PinCorrected(long nowNanos) implements HealthEvent {}

  /// The reinitialization of the module has succeeded or failed.
  record ReinitializationEnded() implements HealthEvent {}
}
