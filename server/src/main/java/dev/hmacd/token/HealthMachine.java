package dev.hmacd.token;

import com.google.errorprone.annotations.Immutable;
import dev.hmacd.token.TokenException.Fault;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/// State machine of a token's health: a pure function that maps a state and an event to the next
/// state and the effects.
///
/// A failed check takes the token out of service. While a token is out of service, checks run one
/// after the other, with growing pauses. After several failed checks, and after the loss of the
/// token's objects, the module is finalized and initialised again. An unusable PIN file takes the
/// token out of service, too, until a check can read the file.
@Immutable
final class HealthMachine {
  /// Pause after the first failed check. Each further failed check doubles the pause, up to
  /// [#LONGEST_PAUSE].
  static final Duration FIRST_PAUSE = Duration.ofMillis(20);

  static final Duration LONGEST_PAUSE = Duration.ofMillis(500);

  /// Number of consecutive failed checks after which the module is finalized and initialised again.
  private static final int FAILURES_BEFORE_REINITIALIZING = 5;

  private static final int MAX_DOUBLINGS = 10;

  private final long lostAfterNanos;

  /// @param lostAfter time out of service after which the token is reported as lost
  HealthMachine(Duration lostAfter) {
    lostAfterNanos = lostAfter.toNanos();
  }

  /// The next state, and the effects in the order of their application.
  record Transition(HealthState state, List<HealthEffect> effects) {
    Transition {
      effects = List.copyOf(effects);
    }
  }

  Transition next(HealthState state, HealthEvent event) {
    List<HealthEffect> effects = new ArrayList<>();
    HealthState next =
        switch (event) {
          case HealthEvent.ChecksStarted(var now) -> started(state, now, effects);
          case HealthEvent.IntervalElapsed(var now) -> intervalElapsed(state, now, effects);
          case HealthEvent.CheckDue() -> check(state, effects);
          case HealthEvent.CheckSucceeded(var number) -> succeeded(state, number, effects);
          case HealthEvent.CheckFailed failed -> failed(state, failed, effects);
          case HealthEvent.CheckTimedOut timedOut -> timedOut(state, timedOut, effects);
          case HealthEvent.LaneFailed(var fault, var reason, var now) ->
              laneFailed(state, fault, reason, now, effects);
          case HealthEvent.ObjectsLost(var now) -> objectsLost(state, now, effects);
          case HealthEvent.OpenFailed(var fault, var reason, var now) ->
              laneFailed(
                  state.isInService() ? state.with(CircuitBreaker.State.OUT) : state,
                  fault,
                  reason,
                  now,
                  effects);
          case HealthEvent.PinCorrected(var now) -> pinCorrected(state, now, effects);
          case HealthEvent.ReinitializationEnded() -> {
            effects.add(new HealthEffect.ScheduleCheck(LONGEST_PAUSE));
            yield state.withReinitializing(false).with(state.outage().needReinitialization(false));
          }
        };
    return new Transition(next, effects);
  }

  private static HealthState started(HealthState state, long now, List<HealthEffect> effects) {
    HealthState next = state.with(state.checks().start());
    if (next.isInService()) {
      return next;
    }
    next = reportHealth(next.with(next.outage().since(now)), false, effects);
    effects.add(new HealthEffect.ScheduleCheck(Duration.ZERO));
    return next;
  }

  private HealthState intervalElapsed(HealthState state, long now, List<HealthEffect> effects) {
    if (state.isInService()) {
      return check(state, effects);
    }
    HealthState.Outage outage = state.outage();
    // A refused PIN is never reported as a lost token: a new process would only try the PIN again.
    // With an unusable PIN file, a new process would end, and would not read the file again.
    if (outage.isReportedLost()
        || state.isPinRefused()
        || outage.pinFileFault() != null
        || now - outage.sinceNanos() < lostAfterNanos) {
      return state;
    }
    effects.add(new HealthEffect.ReportLost());
    return state.with(outage.reportLost());
  }

  private static HealthState check(HealthState state, List<HealthEffect> effects) {
    if (!state.checks().isStarted()) {
      return state;
    }
    HealthState next = state.with(state.checks().next());
    effects.add(new HealthEffect.Check(next.checks().latest()));
    return next;
  }

  private static HealthState succeeded(HealthState state, long number, List<HealthEffect> effects) {
    if (state.checks().isOld(number)) {
      return state;
    }
    HealthState next = state.with(state.checks().complete(number));
    if (next.isPinRefused()) {
      return next;
    }
    next = next.with(next.checks().succeed());
    if (next.checks().required() > 0) {
      if (next.checks().isLatest(number)) {
        effects.add(new HealthEffect.ScheduleCheck(FIRST_PAUSE));
      }
      return next;
    }
    if (next.outage().needsReinitialization()) {
      return reinitialize(next, effects);
    }
    next = next.with(next.outage().end()).with(CircuitBreaker.State.IN_SERVICE);
    return reportHealth(next, true, effects);
  }

  private static HealthState timedOut(
      HealthState state, HealthEvent.CheckTimedOut event, List<HealthEffect> effects) {
    if (state.isInService() && event.othersAnswered()) {
      return state; // A timeout is no fault of a token that answers other calls.
    }
    return failed(
        state,
        new HealthEvent.CheckFailed(event.number(), Fault.NONE, "timed out", event.nowNanos()),
        effects);
  }

  private static HealthState failed(
      HealthState state, HealthEvent.CheckFailed event, List<HealthEffect> effects) {
    if (state.checks().isOld(event.number())) {
      return state;
    }
    boolean wrong = event.fault() == Fault.WRONG_MAC;
    HealthState.Checks checks = state.checks().complete(event.number()).fail();
    HealthState next = state.with(wrong ? checks.requireAfterWrongMac() : checks);
    next = takeOut(next, event.nowNanos(), effects);
    next = pinFile(next, event.fault(), event.reason(), effects);
    if (event.fault() == Fault.OBJECT) {
      next = objectFault(next, event.reason(), effects);
    }
    if (next.isPinRefused() || !checks.isLatest(event.number())) {
      return next; // The refused PIN permits no check, or a later check is in flight.
    }
    boolean canHelp = !wrong && event.fault() != Fault.PIN_FILE;
    boolean broken = event.fault() == Fault.MODULE;
    if (canHelp && (broken || checks.failures() % FAILURES_BEFORE_REINITIALIZING == 0)) {
      return reinitialize(next, effects);
    }
    effects.add(new HealthEffect.ScheduleCheck(pause(checks.failures())));
    return next;
  }

  private static Duration pause(int failures) {
    Duration doubled = FIRST_PAUSE.multipliedBy(1L << Math.min(failures - 1, MAX_DOUBLINGS));
    return doubled.compareTo(LONGEST_PAUSE) < 0 ? doubled : LONGEST_PAUSE;
  }

  /// Starts a reinitialization of the module, whose end schedules the next check.
  private static HealthState reinitialize(HealthState state, List<HealthEffect> effects) {
    if (state.reinitializing()) {
      return state;
    }
    effects.add(new HealthEffect.Reinitialize());
    return state.withReinitializing(true);
  }

  /// Records whether the PIN file was usable at the last login, and logs each new reason. Only an
  /// operator can correct the file, but the next health check reads the file again by itself.
  private static HealthState pinFile(
      HealthState state, Fault fault, String reason, List<HealthEffect> effects) {
    if (fault != Fault.PIN_FILE) {
      return state.with(state.outage().withPinFileFault(null));
    }
    if (!reason.equals(state.outage().pinFileFault())) {
      effects.add(new HealthEffect.LogPinFileFault(reason));
    }
    return state.with(state.outage().withPinFileFault(reason));
  }

  /// Handles an object fault: the token has lost its objects, or has other objects. Reopens all
  /// sessions: their session copies would still work after the loss of the token objects.
  private static HealthState objectFault(
      HealthState state, String reason, List<HealthEffect> effects) {
    String known = state.outage().objectFault();
    if (known == null) {
      effects.add(new HealthEffect.ReopenSessions());
    }
    if (reason.equals(known)) {
      return state;
    }
    effects.add(new HealthEffect.LogObjectFault(reason));
    return state.with(state.outage().withObjectFault(reason));
  }

  private static HealthState laneFailed(
      HealthState state, Fault fault, String reason, long now, List<HealthEffect> effects) {
    return switch (fault) {
      case NONE -> state;
      case PIN -> {
        effects.add(new HealthEffect.LogPinRefused(reason));
        yield reportHealth(state.with(CircuitBreaker.State.PIN_REFUSED), false, effects);
      }
      case PIN_FILE -> {
        HealthState next = pinFile(state, fault, reason, effects);
        yield next.isInService() ? requestCheck(next, effects) : next;
      }
      case WRONG_MAC ->
          requestCheck(
              takeOut(state.with(state.checks().requireAfterWrongMac()), now, effects), effects);
      case STALE, SESSION, LOGIN, OBJECT, CAPACITY, DEVICE, MODULE ->
          // While the token is out of service, only checks run: the fault is the fault of a check,
          // and the next check is already scheduled.
          state.isInService() ? requestCheck(state, effects) : state;
    };
  }

  /// Requires a reinitialization of the module after the loss of the token's objects. While the
  /// token's storage is absent, SoftHSM2 discards each object that it tries to read, and never
  /// finds the object again. SoftHSM2 still finds the objects that it did not try to read. After
  /// the return of the storage, a search may find the health check key, but not the keys of
  /// callers. Searches find all objects again only after a new initialisation of the module.
  private static HealthState objectsLost(HealthState state, long now, List<HealthEffect> effects) {
    HealthState next = state.with(state.outage().needReinitialization(true));
    HealthState out = takeOut(next, now, effects);
    // While the token is out of service, a check is already scheduled.
    return state.isInService() ? requestCheck(out, effects) : out;
  }

  private static HealthState requestCheck(HealthState state, List<HealthEffect> effects) {
    effects.add(new HealthEffect.SearchForObject());
    if (!state.checks().isStarted() || state.checks().isRequested()) {
      return state;
    }
    effects.add(new HealthEffect.ScheduleCheck(Duration.ZERO));
    return state.with(state.checks().request());
  }

  /// Schedules a check, and restarts the time after which the token is reported as lost.
  private static HealthState pinCorrected(HealthState state, long now, List<HealthEffect> effects) {
    if (!state.isPinRefused()) {
      return state;
    }
    effects.add(new HealthEffect.ScheduleCheck(Duration.ZERO));
    return state.with(state.outage().since(now)).with(CircuitBreaker.State.OUT);
  }

  private static HealthState takeOut(HealthState state, long now, List<HealthEffect> effects) {
    HealthState next =
        state.isInService()
            ? state.with(state.outage().since(now)).with(CircuitBreaker.State.OUT)
            : state;
    return reportHealth(next, false, effects);
  }

  private static HealthState reportHealth(
      HealthState state, boolean isHealthy, List<HealthEffect> effects) {
    if (Objects.equals(state.healthy(), isHealthy)) {
      return state;
    }
    effects.add(new HealthEffect.ReportHealth(isHealthy));
    return state.withHealthy(isHealthy);
  }
}
