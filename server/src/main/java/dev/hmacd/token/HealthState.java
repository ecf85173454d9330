package dev.hmacd.token;

import com.google.errorprone.annotations.Immutable;
import org.jspecify.annotations.Nullable;

/// State of the [HealthMachine].
///
/// @param healthy the last reported health; null before the first report
/// @param reinitializing whether a reinitialization of the module is in progress
@Immutable
record HealthState(
    CircuitBreaker.State circuit,
    @Nullable Boolean healthy,
    boolean reinitializing,
    Checks checks,
    Outage outage) {

  /// Number of correct checks that return a token to service after a wrong MAC.
  private static final int REQUIRED_AFTER_WRONG_MAC = 10;

  static HealthState initial(CircuitBreaker.State circuit) {
    return new HealthState(
        circuit,
        null,
        false,
        new Checks(false, false, 0, 0, 0, 0),
        new Outage(0, false, null, false));
  }

  HealthState with(CircuitBreaker.State next) {
    return new HealthState(next, healthy, reinitializing, checks, outage);
  }

  HealthState with(Checks next) {
    return new HealthState(circuit, healthy, reinitializing, next, outage);
  }

  HealthState with(Outage next) {
    return new HealthState(circuit, healthy, reinitializing, checks, next);
  }

  HealthState withHealthy(boolean next) {
    return new HealthState(circuit, next, reinitializing, checks, outage);
  }

  HealthState withReinitializing(boolean next) {
    return new HealthState(circuit, healthy, next, checks, outage);
  }

  boolean isInService() {
    return circuit == CircuitBreaker.State.IN_SERVICE;
  }

  boolean isPinRefused() {
    return circuit == CircuitBreaker.State.PIN_REFUSED;
  }

  /// Progress of the health checks. Outcomes arrive on several threads and in any order: one lane
  /// may hang while others answer. An outcome is ignored if a later check already has an outcome.
  ///
  /// @param isStarted whether checks may run
  /// @param isRequested whether a check is scheduled because of a fault of a lane
  /// @param latest number of the latest check, from 1
  /// @param completed number of the latest check with an outcome
  /// @param failures number of consecutive failed checks
  /// @param required number of correct checks that are still required to return the token to
  ///   service
  @Immutable
  record Checks(
      boolean isStarted,
      boolean isRequested,
      long latest,
      long completed,
      int failures,
      int required) {

    Checks start() {
      return new Checks(true, isRequested, latest, completed, failures, required);
    }

    Checks request() {
      return new Checks(isStarted, true, latest, completed, failures, required);
    }

    /// Begins a check.
    Checks next() {
      return new Checks(isStarted, false, latest + 1, completed, failures, required);
    }

    Checks complete(long number) {
      return new Checks(isStarted, isRequested, latest, number, failures, required);
    }

    Checks succeed() {
      return new Checks(
          isStarted, isRequested, latest, completed, 0, required > 0 ? required - 1 : 0);
    }

    Checks fail() {
      return new Checks(isStarted, isRequested, latest, completed, failures + 1, required);
    }

    /// A wrong MAC restarts the count of required checks. A check without an answer does not
    /// restart the count.
    Checks requireAfterWrongMac() {
      return new Checks(
          isStarted, isRequested, latest, completed, failures, REQUIRED_AFTER_WRONG_MAC);
    }

    /// Whether a later check has an outcome already.
    boolean isOld(long number) {
      return number < completed;
    }

    /// Whether a check is the latest check. Only the outcome of the latest check schedules the next
    /// check, so the checks of a token out of service run one at a time.
    boolean isLatest(long number) {
      return number == latest;
    }
  }

  /// The current or the last outage.
  ///
  /// @param sinceNanos start of the outage, a value of [System#nanoTime]
  /// @param isReportedLost whether the token was reported as lost, because it did not recover in
  ///   time
  /// @param objectFault the reason why the health check's object was not usable; null if it was
  ///   usable
  /// @param needsReinitialization whether the module must be initialised again before the token
  ///   returns to service
  @Immutable
  record Outage(
      long sinceNanos,
      boolean isReportedLost,
      @Nullable String objectFault,
      boolean needsReinitialization) {
    Outage since(long nanos) {
      return new Outage(nanos, isReportedLost, objectFault, needsReinitialization);
    }

    Outage reportLost() {
      return new Outage(sinceNanos, true, objectFault, needsReinitialization);
    }

    Outage withObjectFault(String reason) {
      return new Outage(sinceNanos, isReportedLost, reason, needsReinitialization);
    }

    Outage needReinitialization(boolean next) {
      return new Outage(sinceNanos, isReportedLost, objectFault, next);
    }

    Outage end() {
      return new Outage(sinceNanos, false, null, false);
    }
  }
}
