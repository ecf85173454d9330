package dev.hmacd.token;

import java.time.Duration;

/// An action that [HealthCheck] takes after a state transition of the [HealthMachine].
sealed interface HealthEffect {
  /// An effect that only sets a field of the lanes, and is applied under the lock of the state.
  sealed interface Immediate extends HealthEffect {}

  /// Runs a health check.
  record Check(long number) implements HealthEffect {}

  /// Schedules [HealthEvent.CheckDue].
  record ScheduleCheck(Duration pause) implements HealthEffect {}

  /// Reports a change of the token's health.
  record ReportHealth(boolean isHealthy) implements HealthEffect {}

  /// Reports that the token was out of service for longer than the limit (`lost_after`).
  record ReportLost() implements HealthEffect {}

  /// Finalizes and initialises the module. [HealthEvent.ReinitializationEnded] follows.
  record Reinitialize() implements HealthEffect {}

  /// Makes the next health check search for its key on the token.
  record SearchForObject() implements Immediate {}

  /// Makes every lane reopen its session.
  record ReopenSessions() implements Immediate {}

  record LogPinRefused(String reason) implements HealthEffect {}

  record LogPinFileFault(String reason) implements HealthEffect {}

  record LogObjectFault(String reason) implements HealthEffect {}
}
