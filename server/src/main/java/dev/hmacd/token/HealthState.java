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

  /// Number of successful checks that a token needs after a wrong MAC to return to service.
  private static final int REQUIRED_AFTER_WRONG_MAC = 10;

  static HealthState initial(CircuitBreaker.State circuit) {
    return new HealthState(
        circuit,
        null,
        false,
        new Checks(false, false, 0, 0, 0, 0),
        new Outage(0, false, null, null, false));
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

  /// Progress of the health checks. Outcomes of checks arrive on several threads and in any order:
  /// one lane may hang while others answer. The outcome of a check is ignored if a later check
  /// already has an outcome.
  ///
  /// @param isStarted whether checks may run
  /// @param isRequested whether a check is scheduled because of a fault of a lane
  /// @param latest number of the latest check, from 1
  /// @param completed number of the latest check with an outcome
  /// @param failures number of consecutive failed checks
  /// @param required number of successful checks that the token still needs to return to service
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

    /// Counts a new check, which gets the next number.
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
    /// restart the count of required checks.
    Checks requireAfterWrongMac() {
      return new Checks(
          isStarted, isRequested, latest, completed, failures, REQUIRED_AFTER_WRONG_MAC);
    }

    /// Whether a later check has an outcome already.
    boolean isOld(long number) {
      return number < completed;
    }

    /// Whether no later check has begun. Only the outcome of the latest check schedules the next
    /// check, so checks run one at a time while the token is out of service.
    boolean isLatest(long number) {
      return number == latest;
    }
  }

  /// The current or the last outage of the token.
  ///
  /// @param sinceNanos start of the outage, a value of [System#nanoTime]
  /// @param isReportedLost whether the token was reported as lost in this outage
  /// @param objectFault the reason why the health check key was not usable in this outage; null if
  ///   it was usable
  /// @param pinFileFault the reason why the PIN file was not usable at the last login; null if it
  ///   was usable
  /// @param needsReinitialization whether the module must be initialised again before the token
  ///   returns to service
  @Immutable
  record Outage(
      long sinceNanos,
      boolean isReportedLost,
      @Nullable String objectFault,
      @Nullable String pinFileFault,
      boolean needsReinitialization) {
    Outage since(long nanos) {
      return new Outage(nanos, isReportedLost, objectFault, pinFileFault, needsReinitialization);
    }

    Outage reportLost() {
      return new Outage(sinceNanos, true, objectFault, pinFileFault, needsReinitialization);
    }

    Outage withObjectFault(String reason) {
      return new Outage(sinceNanos, isReportedLost, reason, pinFileFault, needsReinitialization);
    }

    Outage withPinFileFault(@Nullable String reason) {
      return new Outage(sinceNanos, isReportedLost, objectFault, reason, needsReinitialization);
    }

    Outage needReinitialization(boolean next) {
      return new Outage(sinceNanos, isReportedLost, objectFault, pinFileFault, next);
    }

    Outage end() {
      return new Outage(sinceNanos, false, null, null, false);
    }
  }
}
