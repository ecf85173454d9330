package dev.hmacd.token;

import java.time.Duration;

/// An effect of a change of a token's health, which [HealthCheck] applies.
sealed interface HealthEffect {
  /// An effect that only writes a field of the lanes, and is applied together with the change of
  /// the state.
  sealed interface Immediate extends HealthEffect {}

  /// Runs a health check.
  record Check(long number) implements HealthEffect {}

  /// Schedules [HealthEvent.CheckDue].
  record ScheduleCheck(Duration pause) implements HealthEffect {}

  /// Reports a change of the health.
  record ReportHealth(boolean isHealthy) implements HealthEffect {}

  /// Reports that the token did not recover in time.
  record ReportLost() implements HealthEffect {}

  /// Finalizes and initialises the module. [HealthEvent.ReinitializationEnded] follows.
  record Reinitialize() implements HealthEffect {}

  /// Makes the next check search for its object.
  record SearchForObject() implements Immediate {}

  /// Makes every lane reopen its session.
  record ReopenSessions() implements Immediate {}

  record LogPinRefused(String reason) implements HealthEffect {}

  record LogObjectFault(String reason) implements HealthEffect {}
}
