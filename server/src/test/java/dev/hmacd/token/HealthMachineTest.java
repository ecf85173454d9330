package dev.hmacd.token;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.token.CircuitBreaker.State;
import dev.hmacd.token.HealthMachine.Transition;
import dev.hmacd.token.TokenException.Fault;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Transitions of the health state machine and its circuit breaker, over all states and events.
final class HealthMachineTest {
  private static final Duration LOST_AFTER = Duration.ofMinutes(1);
  private static final long SINCE = 5_000_000_000L;
  private static final long NOW = SINCE + LOST_AFTER.toNanos();
  private static final long LATEST = 7;
  private static final String REASON = "reason";

  private static final HealthMachine MACHINE = new HealthMachine(LOST_AFTER);

  private record Step(HealthState state, HealthEvent event, Transition transition) {
    boolean emits(Class<? extends HealthEffect> effect) {
      return transition.effects().stream().anyMatch(effect::isInstance);
    }

    HealthState next() {
      return transition.state();
    }
  }

  private static List<HealthState> states() {
    List<HealthState> states = new ArrayList<>();
    for (State circuit : State.values()) {
      for (@Nullable Boolean healthy : Arrays.<@Nullable Boolean>asList(null, false, true)) {
        for (boolean reinitializing : new boolean[] {false, true}) {
          for (HealthState.Checks checks : checks()) {
            for (HealthState.Outage outage : outages()) {
              states.add(new HealthState(circuit, healthy, reinitializing, checks, outage));
            }
          }
        }
      }
    }
    return states;
  }

  private static List<HealthState.Checks> checks() {
    List<HealthState.Checks> all = new ArrayList<>();
    for (boolean isStarted : new boolean[] {false, true}) {
      for (boolean isRequested : new boolean[] {false, true}) {
        for (long completed : new long[] {LATEST - 1, LATEST}) {
          for (int failures : new int[] {0, 4}) {
            for (int required : new int[] {0, 1, 2}) {
              all.add(
                  new HealthState.Checks(
                      isStarted, isRequested, LATEST, completed, failures, required));
            }
          }
        }
      }
    }
    return all;
  }

  private static List<HealthState.Outage> outages() {
    List<HealthState.Outage> all = new ArrayList<>();
    for (boolean isReportedLost : new boolean[] {false, true}) {
      for (@Nullable String objectFault :
          Arrays.<@Nullable String>asList(null, REASON, "another")) {
        for (@Nullable String pinFileFault : Arrays.<@Nullable String>asList(null, REASON)) {
          for (boolean needsReinitialization : new boolean[] {false, true}) {
            all.add(
                new HealthState.Outage(
                    SINCE, isReportedLost, objectFault, pinFileFault, needsReinitialization));
          }
        }
      }
    }
    return all;
  }

  private static List<HealthEvent> events() {
    List<HealthEvent> events = new ArrayList<>();
    for (long now : new long[] {SINCE, NOW - 1, NOW}) {
      events.add(new HealthEvent.ChecksStarted(now));
      events.add(new HealthEvent.IntervalElapsed(now));
      events.add(new HealthEvent.PinCorrected(now));
      events.add(new HealthEvent.ObjectsLost(now));
    }
    events.add(new HealthEvent.CheckDue());
    events.add(new HealthEvent.ReinitializationEnded());
    for (long number = LATEST - 1; number <= LATEST; number++) {
      events.add(new HealthEvent.CheckSucceeded(number));
      events.add(new HealthEvent.CheckTimedOut(number, true, NOW));
      events.add(new HealthEvent.CheckTimedOut(number, false, NOW));
      for (Fault fault : Fault.values()) {
        events.add(new HealthEvent.CheckFailed(number, fault, REASON, NOW));
      }
    }
    for (Fault fault : Fault.values()) {
      events.add(new HealthEvent.LaneFailed(fault, REASON, NOW));
      events.add(new HealthEvent.OpenFailed(fault, REASON, NOW));
    }
    return events;
  }

  private static Stream<Step> steps() {
    List<HealthEvent> events = events();
    return states().stream()
        .flatMap(
            state ->
                events.stream().map(event -> new Step(state, event, MACHINE.next(state, event))));
  }

  private static void requireOfAll(Predicate<Step> rule) {
    requireWhere(_ -> true, rule);
  }

  /// Collects the violations only: the steps are many.
  private static void requireWhere(Predicate<Step> condition, Predicate<Step> rule) {
    assertThat(steps().anyMatch(condition)).isTrue();
    assertThat(steps().filter(condition.and(rule.negate())).limit(3)).isEmpty();
  }

  private static HealthState inService() {
    return play(
            HealthState.initial(State.IN_SERVICE),
            new HealthEvent.ChecksStarted(SINCE),
            new HealthEvent.IntervalElapsed(SINCE),
            new HealthEvent.CheckSucceeded(1))
        .state();
  }

  private static Transition play(HealthState state, HealthEvent... events) {
    Transition last = new Transition(state, List.of());
    for (HealthEvent event : events) {
      last = MACHINE.next(last.state(), event);
    }
    return last;
  }

  private static Transition fail(HealthState state, Fault fault) {
    HealthState checking = play(state, new HealthEvent.CheckDue()).state();
    return MACHINE.next(
        checking, new HealthEvent.CheckFailed(checking.checks().latest(), fault, REASON, NOW));
  }

  private static Transition succeed(HealthState state) {
    HealthState checking = play(state, new HealthEvent.CheckDue()).state();
    return MACHINE.next(checking, new HealthEvent.CheckSucceeded(checking.checks().latest()));
  }

  @Test
  void stepsCoverEveryEventAndEveryEffect() {
    assertThat(events().stream().map(HealthEvent::getClass).collect(Collectors.toSet()))
        .isEqualTo(Set.of(HealthEvent.class.getPermittedSubclasses()));
    Set<Class<?>> effects =
        steps()
            .flatMap(step -> step.transition().effects().stream())
            .map(HealthEffect::getClass)
            .collect(Collectors.toSet());
    assertThat(effects)
        .containsAll(
            Stream.concat(
                    Arrays.stream(HealthEffect.class.getPermittedSubclasses()),
                    Arrays.stream(HealthEffect.Immediate.class.getPermittedSubclasses()))
                .filter(each -> each != HealthEffect.Immediate.class)
                .collect(Collectors.toSet()));
  }

  @Test
  void transitionIsAFunctionOfStateAndEvent() {
    requireOfAll(step -> MACHINE.next(step.state(), step.event()).equals(step.transition()));
  }

  @Test
  void onlyAnOperatorEndsARefusedPin() {
    assertThat(
            steps()
                .filter(step -> step.state().isPinRefused() && !step.next().isPinRefused())
                .map(step -> step.event().getClass())
                .collect(Collectors.toSet()))
        .isEqualTo(Set.of(HealthEvent.PinCorrected.class));
  }

  @Test
  void onlyACorrectCheckReturnsATokenToService() {
    requireWhere(
        step -> !step.state().isInService() && step.next().isInService(),
        step ->
            step.event() instanceof HealthEvent.CheckSucceeded(var number)
                && !step.state().checks().isOld(number)
                && step.state().checks().required() <= 1);
  }

  @Test
  void everyChangeOfTheHealthIsReportedOnce() {
    requireOfAll(
        step -> {
          List<HealthEffect> reports =
              step.transition().effects().stream()
                  .filter(HealthEffect.ReportHealth.class::isInstance)
                  .toList();
          Boolean healthy = step.next().healthy();
          return (healthy == null || healthy.equals(step.state().healthy()))
              ? reports.isEmpty()
              : reports.equals(List.of(new HealthEffect.ReportHealth(healthy)));
        });
  }

  @Test
  void healthIsReportedAsTheCircuitBreakerStands() {
    requireWhere(
        step -> step.emits(HealthEffect.ReportHealth.class),
        step -> Objects.equals(step.next().healthy(), step.next().isInService()));
  }

  @Test
  void noCheckRunsBeforeTheStart() {
    requireWhere(
        step -> step.emits(HealthEffect.Check.class), step -> step.state().checks().isStarted());
  }

  @Test
  void stepSchedulesOneCheckAtMost() {
    requireOfAll(
        step ->
            step.transition().effects().stream()
                    .filter(
                        effect ->
                            effect instanceof HealthEffect.ScheduleCheck
                                || effect instanceof HealthEffect.Check
                                || effect instanceof HealthEffect.Reinitialize)
                    .count()
                <= 1);
  }

  @Test
  void outcomeOfAnOldCheckChangesNothing() {
    requireWhere(
        step ->
            switch (step.event()) {
              case HealthEvent.CheckSucceeded(var number) -> step.state().checks().isOld(number);
              case HealthEvent.CheckFailed(var number, var _, var _, var _) ->
                  step.state().checks().isOld(number);
              case HealthEvent.CheckTimedOut(var number, var _, var _) ->
                  step.state().checks().isOld(number);
              default -> false;
            },
        step -> step.next().equals(step.state()) && step.transition().effects().isEmpty());
  }

  @Test
  void tokenIsReportedLostOnceAndNeverForARefusedPinOrAnUnusablePinFile() {
    requireWhere(
        step -> step.emits(HealthEffect.ReportLost.class),
        step ->
            step.event() instanceof HealthEvent.IntervalElapsed(var now)
                && now - step.state().outage().sinceNanos() >= LOST_AFTER.toNanos()
                && step.state().circuit() == State.OUT
                && !step.state().outage().isReportedLost()
                && step.state().outage().pinFileFault() == null
                && step.next().outage().isReportedLost());
  }

  @Test
  void oneReinitializationRunsAtATime() {
    requireWhere(
        step -> step.emits(HealthEffect.Reinitialize.class),
        step -> !step.state().reinitializing() && step.next().reinitializing());
    requireWhere(
        step -> step.state().reinitializing(),
        step ->
            step.next().reinitializing()
                || step.event() instanceof HealthEvent.ReinitializationEnded);
  }

  @ParameterizedTest
  @EnumSource
  void everyFaultOfACheckTakesTheTokenOutOfService(Fault fault) {
    Transition failed = fail(inService(), fault);
    assertThat(failed.state().circuit()).isEqualTo(State.OUT);
    assertThat(failed.effects()).contains(new HealthEffect.ReportHealth(false));
    assertThat(failed.state().outage().sinceNanos()).isEqualTo(NOW);
  }

  @ParameterizedTest
  @EnumSource
  void faultOfALaneRequestsOneCheck(Fault fault) {
    Transition first = play(inService(), new HealthEvent.LaneFailed(fault, REASON, NOW));
    Transition second = play(first.state(), new HealthEvent.LaneFailed(fault, REASON, NOW));
    boolean isCheckRequested =
        first.effects().contains(new HealthEffect.ScheduleCheck(Duration.ZERO));
    assertThat(isCheckRequested).isEqualTo(fault != Fault.NONE && fault != Fault.PIN);
    assertThat(second.effects()).doesNotHaveAnyElementsOfTypes(HealthEffect.ScheduleCheck.class);
    assertThat(first.state().circuit())
        .isEqualTo(
            switch (fault) {
              case PIN -> State.PIN_REFUSED;
              case WRONG_MAC -> State.OUT;
              case NONE, STALE, SESSION, LOGIN, OBJECT, CAPACITY, DEVICE, MODULE, PIN_FILE ->
                  State.IN_SERVICE;
            });
  }

  @ParameterizedTest
  @EnumSource
  void failedOpenTakesTheTokenOutWithoutACheckBeforeTheStart(Fault fault) {
    Transition failed =
        play(
            HealthState.initial(State.IN_SERVICE),
            new HealthEvent.OpenFailed(fault, REASON, SINCE));
    assertThat(failed.state().circuit())
        .isEqualTo(fault == Fault.PIN ? State.PIN_REFUSED : State.OUT);
    assertThat(failed.effects()).doesNotHaveAnyElementsOfTypes(HealthEffect.ScheduleCheck.class);
    Transition started = play(failed.state(), new HealthEvent.ChecksStarted(NOW));
    assertThat(started.effects()).contains(new HealthEffect.ScheduleCheck(Duration.ZERO));
    assertThat(started.state().healthy()).isFalse();
    assertThat(started.state().outage().sinceNanos()).isEqualTo(NOW);
  }

  @Test
  void tenCorrectChecksReturnATokenToServiceAfterAWrongMac() {
    HealthState state = fail(inService(), Fault.WRONG_MAC).state();
    for (int correct = 1; correct < 10; correct++) {
      Transition next = succeed(state);
      assertThat(next.state().circuit()).isEqualTo(State.OUT);
      assertThat(next.effects())
          .containsExactly(new HealthEffect.ScheduleCheck(HealthMachine.FIRST_PAUSE));
      state = next.state();
      if (correct == 5) {
        state = fail(state, Fault.NONE).state(); // Does not restart the count.
      }
    }
    assertThat(succeed(state).state().isInService()).isTrue();
    assertThat(succeed(fail(state, Fault.WRONG_MAC).state()).state().isInService()).isFalse();
  }

  @Test
  void pauseDoublesAndEachFifthFailureReinitializes() {
    List<HealthEffect> effects = new ArrayList<>();
    HealthState state = inService();
    for (int failures = 1; failures <= 10; failures++) {
      Transition next = fail(state, Fault.DEVICE);
      effects.add(next.effects().getLast());
      state = play(next.state(), new HealthEvent.ReinitializationEnded()).state();
    }
    assertThat(effects)
        .containsExactly(
            pause(20),
            pause(40),
            pause(80),
            pause(160),
            new HealthEffect.Reinitialize(),
            pause(500),
            pause(500),
            pause(500),
            pause(500),
            new HealthEffect.Reinitialize());
  }

  private static HealthEffect pause(int millis) {
    return new HealthEffect.ScheduleCheck(Duration.ofMillis(millis));
  }

  @Test
  void moduleThatIsNotInitialisedIsReinitializedAtOnce() {
    assertThat(fail(inService(), Fault.MODULE).effects())
        .containsExactly(new HealthEffect.ReportHealth(false), new HealthEffect.Reinitialize());
  }

  @Test
  void lostObjectReopensTheSessionsOnceInAnOutage() {
    Transition first = fail(inService(), Fault.OBJECT);
    assertThat(first.effects())
        .containsExactly(
            new HealthEffect.ReportHealth(false),
            new HealthEffect.ReopenSessions(),
            new HealthEffect.LogObjectFault(REASON),
            pause(20));
    assertThat(fail(first.state(), Fault.OBJECT).effects()).containsExactly(pause(40));
    HealthState recovered = succeed(first.state()).state();
    assertThat(fail(recovered, Fault.OBJECT).effects())
        .contains(new HealthEffect.ReopenSessions(), new HealthEffect.LogObjectFault(REASON));
  }

  /// The token may find the health check's object again, and not the keys of callers.
  @Test
  void tokenThatLostItsObjectsReturnsToServiceAfterAReinitialization() {
    Transition lost = play(inService(), new HealthEvent.ObjectsLost(NOW));
    assertThat(lost.state().circuit()).isEqualTo(State.OUT);
    assertThat(lost.effects())
        .containsExactly(
            new HealthEffect.ReportHealth(false), new HealthEffect.SearchForObject(), pause(0));
    Transition found = succeed(lost.state());
    assertThat(found.state().circuit()).isEqualTo(State.OUT);
    assertThat(found.effects()).containsExactly(new HealthEffect.Reinitialize());
    Transition again = succeed(found.state());
    assertThat(again.state().circuit()).isEqualTo(State.OUT);
    assertThat(again.effects()).isEmpty();
    HealthState ended = play(found.state(), new HealthEvent.ReinitializationEnded()).state();
    assertThat(succeed(ended).state().circuit()).isEqualTo(State.IN_SERVICE);
  }

  /// Checks of a token out of service have pauses.
  @Test
  void tokenOutOfServiceThatLosesItsObjectsAgainIsNotCheckedAtOnce() {
    HealthState out = play(inService(), new HealthEvent.ObjectsLost(NOW)).state();
    assertThat(play(out, new HealthEvent.ObjectsLost(NOW)).effects()).isEmpty();
  }

  @Test
  void lateCheckIsNoFaultWhileTheTokenAnswersOtherCalls() {
    HealthState state = play(inService(), new HealthEvent.CheckDue()).state();
    long number = state.checks().latest();
    assertThat(play(state, new HealthEvent.CheckTimedOut(number, true, NOW)).state())
        .isEqualTo(state);
    HealthState out = play(state, new HealthEvent.CheckTimedOut(number, false, NOW)).state();
    assertThat(out.circuit()).isEqualTo(State.OUT);
  }

  @Test
  void correctedPinIsTriedAgain() {
    HealthState refused =
        play(inService(), new HealthEvent.LaneFailed(Fault.PIN, REASON, SINCE)).state();
    assertThat(succeed(refused).state().circuit()).isEqualTo(State.PIN_REFUSED);
    Transition corrected = play(refused, new HealthEvent.PinCorrected(NOW));
    assertThat(corrected.effects()).containsExactly(pause(0));
    assertThat(corrected.state().outage().sinceNanos()).isEqualTo(NOW);
    assertThat(succeed(corrected.state()).state().isInService()).isTrue();
  }

  /// A retry needs no operator, and a new initialisation of the module does not help.
  @Test
  void unusablePinFileIsLoggedOnceForEachReasonAndReadAgain() {
    Transition first = fail(inService(), Fault.PIN_FILE);
    assertThat(first.effects())
        .containsExactly(
            new HealthEffect.ReportHealth(false),
            new HealthEffect.LogPinFileFault(REASON),
            pause(20));
    assertThat(first.state().circuit()).isEqualTo(State.OUT);
    HealthState state = first.state();
    for (int failures = 2; failures <= 10; failures++) {
      Transition next = fail(state, Fault.PIN_FILE);
      assertThat(next.effects()).hasSize(1).hasOnlyElementsOfType(HealthEffect.ScheduleCheck.class);
      state = next.state();
    }
    HealthState checking = play(state, new HealthEvent.CheckDue()).state();
    Transition another =
        MACHINE.next(
            checking,
            new HealthEvent.CheckFailed(
                checking.checks().latest(), Fault.PIN_FILE, "another", NOW));
    assertThat(another.effects()).contains(new HealthEffect.LogPinFileFault("another"));
    HealthState back = succeed(another.state()).state();
    assertThat(back.isInService()).isTrue();
    assertThat(fail(back, Fault.PIN_FILE).effects())
        .contains(new HealthEffect.LogPinFileFault(REASON));
  }

  @Test
  void tokenIsReportedLostAfterThePinFileIsUsableAgain() {
    HealthState unusable = fail(inService(), Fault.PIN_FILE).state();
    long later = NOW + LOST_AFTER.toNanos();
    assertThat(play(unusable, new HealthEvent.IntervalElapsed(later)).effects()).isEmpty();
    HealthState failing = fail(unusable, Fault.DEVICE).state();
    assertThat(play(failing, new HealthEvent.IntervalElapsed(later)).effects())
        .containsExactly(new HealthEffect.ReportLost());
  }
}
