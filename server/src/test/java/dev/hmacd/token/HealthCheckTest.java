package dev.hmacd.token;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import dev.hmacd.key.KeyObject;
import dev.hmacd.key.MacAlgorithm;
import dev.hmacd.key.OwnKey;
import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.token.FaultyToken.Call;
import dev.hmacd.token.FaultyToken.Gate;
import dev.hmacd.token.TokenException.Kind;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// Health comes from what the token answers, and from nothing else.
final class HealthCheckTest {
  private static final Duration INTERVAL = Duration.ofMillis(20);

  /// Longer than a busy machine keeps a lane from running.
  private static final Duration LIMIT = Duration.ofSeconds(3);

  private static final Duration LONG = Duration.ofSeconds(30);

  private final FaultyToken token = new FaultyToken(SoftHsm.shared().token());
  private final List<Boolean> told = new CopyOnWriteArrayList<>();
  private final List<HealthCheck> probes = new CopyOnWriteArrayList<>();
  private final List<AutoCloseable> opened = new ArrayList<>();
  private OwnKey key;

  @SuppressWarnings("NullAway.Init") // The key is there from provision() on.
  HealthCheckTest() {}

  @BeforeEach
  void provision() throws TokenException {
    try (TokenSession session = SoftHsm.shared().token().open()) {
      key = Provisioning.ensure(session, OwnKey.Purpose.PROBE, Optional.empty());
    }
  }

  @AfterEach
  void close() throws Exception {
    for (AutoCloseable each : opened.reversed()) {
      each.close();
    }
  }

  private Lanes lanes(int count, int queue) throws TokenException {
    Lanes lanes =
        TestLanes.of(
            token,
            count,
            queue,
            Duration.ofMillis(100),
            e -> probes.forEach(probe -> probe.laneFailed(e)));
    lanes.open();
    lanes.start();
    opened.add(lanes);
    return lanes;
  }

  private HealthCheck probe(Lanes lanes) {
    return probe(lanes, LIMIT);
  }

  private HealthCheck probe(Lanes lanes, Duration limit) {
    var probe =
        new HealthCheck(
            token,
            lanes,
            new HealthCheck.Settings(INTERVAL, limit, LONG),
            new HealthCheck.Listener() {
              @Override
              public void healthy(boolean is) {
                told.add(is);
              }

              @Override
              public void lost() {}
            });
    probes.add(probe);
    return probe;
  }

  private HealthCheck start(Lanes lanes) {
    return start(lanes, LIMIT);
  }

  private HealthCheck start(Lanes lanes, Duration limit) {
    HealthCheck probe = probe(lanes, limit);
    probe.start(key);
    opened.add(probe);
    return probe;
  }

  private Gate blocking(Call call) {
    Gate gate = token.blocking(call);
    opened.add(gate);
    return gate;
  }

  private void hold(Lanes lanes, Gate gate) {
    Outcome _ = sign(lanes, LONG);
    gate.awaitEntered();
  }

  private Outcome sign(Lanes lanes, Duration limit) {
    Outcome outcome = new Outcome();
    lanes.sign(
        new SignRequest(
            key.object(),
            null,
            MacAlgorithm.HMAC_SHA_256,
            HealthCheck.message(),
            System.nanoTime() + limit.toNanos()),
        outcome);
    return outcome;
  }

  @Test
  void knownAnswerIsHealthyAndToldOnce() throws Exception {
    HealthCheck probe = start(lanes(1, 10));
    assertThat(probe.awaitHealthy(LONG)).isTrue();
    int asked = token.count(Call.SIGN);
    Eventually.holds("asked again", () -> token.count(Call.SIGN) > asked + 3);
    assertThat(told).containsExactly(true);
    assertThat(probe.isHealthy()).isTrue();
  }

  @Test
  void wrongMacIsUnhealthyUntilTheAnswerIsRightAgain() throws Exception {
    HealthCheck probe = start(lanes(1, 10));
    assertThat(probe.awaitHealthy(LONG)).isTrue();
    token.wrongMacs(true);
    Eventually.holds("unhealthy", () -> !probe.isHealthy());
    token.wrongMacs(false);
    Eventually.holds("healthy is told", () -> told.equals(List.of(true, false, true)));
    assertThat(probe.isHealthy()).isTrue();
  }

  @Test
  void keyThatIsGoneFromTheTokenIsUnhealthy() throws Exception {
    OwnKey gone =
        new OwnKey(
            OwnKey.Purpose.PROBE,
            new KeyObject(SoftHsm.freshLabel("gone"), "00"),
            key.knownAnswerHex());
    HealthCheck probe = probe(lanes(1, 10));
    opened.add(probe);
    probe.start(gone);
    Eventually.holds("told", () -> !told.isEmpty());
    assertThat(told).containsExactly(false);
    assertThat(probe.awaitHealthy(Duration.ofMillis(1))).isFalse();
  }

  /// Else callers who keep the queue full could keep a token that computes wrongly in service.
  @Test
  void wrongMacIsSeenThoughTheQueueIsFull() throws Exception {
    Lanes lanes = lanes(1, 1);
    Gate gate = blocking(Call.SIGN);
    hold(lanes, gate);
    Outcome waiting = sign(lanes, LONG);
    assertThat(sign(lanes, LONG).failure().kind()).isEqualTo(Kind.BUSY);
    token.wrongMacs(true);
    HealthCheck probe = start(lanes, LONG);
    Eventually.holds("a health check waits beside the queue", () -> lanes.waiting() > 1);
    assertThat(waiting.isAnswered()).isFalse();
    gate.release();
    Eventually.holds("unhealthy", () -> told.contains(false));
    token.wrongMacs(false);
    Eventually.holds("healthy is told", () -> told.equals(List.of(false, true)));
    assertThat(probe.isHealthy()).isTrue();
  }

  /// A copy of the key would answer, too, when all objects of the token are gone.
  @Test
  void healthCheckComputesUnderTheTokenObject() throws Exception {
    HealthCheck probe = start(lanes(1, 10));
    assertThat(probe.awaitHealthy(LONG)).isTrue();
    assertThat(token.count(Call.LOAD_TOKEN_OBJECT)).isPositive();
    assertThat(token.count(Call.LOAD)).isZero();
  }

  @Test
  void objectThatIsMissingOnceIsSearchedForAgain() throws Exception {
    HealthCheck probe = start(lanes(1, 10), LONG);
    assertThat(probe.awaitHealthy(LONG)).isTrue();
    token.failing(Call.SIGN, 1, FaultyToken.CKR_OBJECT_HANDLE_INVALID);
    int searched = token.count(Call.LOAD_TOKEN_OBJECT);
    Eventually.holds("searched", () -> token.count(Call.LOAD_TOKEN_OBJECT) > searched);
    assertThat(probe.isHealthy()).isTrue();
    assertThat(told).containsExactly(true);
  }

  /// What other lanes found, and when, proves nothing: the objects may be gone since.
  @Test
  void keyIsMissingOnlyWhenTheLaneItselfFindsTheHealthChecksKey() throws Exception {
    Lanes lanes = lanes(1, 10);
    lanes.useHealthCheckKey(key);
    var missing = new KeyObject(SoftHsm.freshLabel("missing"), "00");
    var done = new AtomicBoolean();
    Thread others =
        Thread.ofPlatform()
            .start(
                () -> {
                  while (!done.get()) {
                    lanes.searches().found(LONG.toNanos());
                  }
                });
    try {
      int absences = 100;
      TokenWork<Boolean> work =
          session -> {
            boolean found = false;
            for (int i = 0; i < absences; i++) {
              found |= session.destroy(missing);
            }
            return found;
          };
      long deadline = System.nanoTime() + Eventually.LIMIT.toNanos();
      assertThat(lanes.submit(work, false, deadline).get()).isFalse();
      assertThat(token.count(Call.LOAD_TOKEN_OBJECT)).isEqualTo(absences);
    } finally {
      done.set(true);
      others.join();
    }
  }

  static Stream<Arguments> searches() {
    return Stream.of(
        arguments(Call.LOAD, (Search) (session, object) -> session.load(object) > 0),
        arguments(
            Call.LOAD_TOKEN_OBJECT,
            (Search) (session, object) -> session.loadTokenObject(object) > 0),
        arguments(
            Call.FIND,
            (Search)
                (session, object) ->
                    !session.find(new TokenSession.Query.ByBoth(object)).isEmpty()),
        arguments(Call.DESTROY, (Search) (session, object) -> session.destroy(object)));
  }

  interface Search {
    boolean finds(TokenSession session, KeyObject object) throws TokenException;
  }

  /// The storage of a token can return between the search for a key and the search for the health
  /// check's key.
  @ParameterizedTest(name = "{0}")
  @MethodSource("searches")
  void keyIsNotMissingIfTheStorageReturnsDuringTheSearch(Call call, Search search)
      throws Exception {
    Lanes lanes = lanes(1, 10);
    lanes.useHealthCheckKey(key);
    var object = new KeyObject(SoftHsm.freshLabel("returns"), SoftHsm.freshId());
    TokenWork<Boolean> work =
        session -> {
          var _ = session.generate(object, 32);
          token.findingNothing(call);
          return search.finds(session, object);
        };
    long deadline = System.nanoTime() + Eventually.LIMIT.toNanos();
    assertThat(lanes.submit(work, false, deadline).get()).isTrue();
    assertThat(token.count(call)).isGreaterThanOrEqualTo(2);
  }

  /// Each search walks all objects of some tokens.
  @Test
  void searchingTakesAHundredthOfTheTimeAndIsDoneEachHalfMinute() {
    assertThat(SearchSchedule.pauseAfter(Duration.ofMillis(1).toNanos()))
        .isEqualTo(Duration.ofMillis(100).toNanos());
    assertThat(SearchSchedule.pauseAfter(Duration.ofSeconds(2).toNanos()))
        .isEqualTo(Duration.ofSeconds(30).toNanos());
  }

  @Test
  void tokenThatHangsBehindAFullQueueIsUnhealthy() throws Exception {
    Lanes lanes = lanes(1, 1);
    HealthCheck probe = start(lanes);
    assertThat(probe.awaitHealthy(LONG)).isTrue();
    Gate gate = blocking(Call.SIGN);
    // Whichever call is held up, no probe gets into the queue behind it.
    Eventually.holds(
        "unhealthy",
        () -> {
          Outcome _ = sign(lanes, LONG);
          return !probe.isHealthy();
        });
    gate.release();
    Eventually.holds("healthy again", probe::isHealthy);
  }

  @Test
  void answerThatIsLateSaysNothingOnceALaterProbeWasAnswered() throws Exception {
    Lanes lanes = lanes(2, 100);
    Gate gate = blocking(Call.SIGN);
    hold(lanes, gate);
    HealthCheck probe = start(lanes);
    assertThat(probe.awaitHealthy(LONG)).isTrue();
    gate.release();
    Gate other = blocking(Call.SIGN);
    other.awaitEntered();
    Eventually.holds("a probe hangs", () -> lanes.overdue() == 1);
    int asked = token.count(Call.SIGN);
    Eventually.holds("probes go on", () -> token.count(Call.SIGN) > asked + 3);
    assertThat(told).containsExactly(true);
  }

  @Test
  void secondProvisioningFindsTheKeyThatTheFirstMade() throws TokenException {
    try (TokenSession session = SoftHsm.shared().token().open()) {
      assertThat(Provisioning.ensure(session, OwnKey.Purpose.PROBE, Optional.of(key)))
          .isEqualTo(key);
      assertThat(Provisioning.ensure(session, OwnKey.Purpose.PROBE, Optional.empty()))
          .isEqualTo(key);
      assertThat(session.find(new TokenSession.Query.ByLabel(OwnKey.label(OwnKey.Purpose.PROBE))))
          .hasSize(1);
    }
  }

  @Test
  void provisioningRefusesAProbeKeyThatGivesAnotherAnswerThanItDid() throws TokenException {
    byte[] answer = key.knownAnswer();
    answer[31] ^= 1;
    OwnKey remembered =
        new OwnKey(OwnKey.Purpose.PROBE, key.object(), HexFormat.of().formatHex(answer));
    try (TokenSession session = SoftHsm.shared().token().open()) {
      assertThatThrownBy(
              () -> Provisioning.ensure(session, OwnKey.Purpose.PROBE, Optional.of(remembered)))
          .isInstanceOfSatisfying(
              TokenException.class, e -> assertThat(e.kind()).isEqualTo(Kind.UNAVAILABLE))
          .hasMessageContaining("another MAC");
    }
  }
}
