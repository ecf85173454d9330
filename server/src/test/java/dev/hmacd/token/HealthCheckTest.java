package dev.hmacd.token;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import dev.hmacd.key.DaemonKey;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.MacAlgorithm;
import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.LoopbackDaemon;
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

/// The health status follows from the token's answer to the health check only.
final class HealthCheckTest {
  private static final Duration INTERVAL = Duration.ofMillis(20);

  /// Longer than the scheduling delay of a lane on a busy machine.
  private static final Duration LIMIT = Duration.ofSeconds(3);

  private static final Duration LONG = Duration.ofSeconds(30);

  private final FaultyToken token = new FaultyToken(SoftHsm.shared().token());
  private final List<Boolean> reported = new CopyOnWriteArrayList<>();
  private final List<HealthCheck> probes = new CopyOnWriteArrayList<>();
  private final List<AutoCloseable> opened = new ArrayList<>();
  private DaemonKey key;

  @SuppressWarnings("NullAway.Init") // provision() sets the key.
  HealthCheckTest() {}

  @BeforeEach
  void provision() throws TokenException {
    try (TokenSession session = SoftHsm.shared().token().open()) {
      key = Provisioning.ensure(session, DaemonKey.Purpose.PROBE, Optional.empty());
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
                reported.add(is);
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
    RecordedCompletion _ = sign(lanes, LONG);
    gate.awaitEntered();
  }

  private RecordedCompletion sign(Lanes lanes, Duration limit) {
    RecordedCompletion outcome = new RecordedCompletion();
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
  void knownAnswerIsHealthyAndReportedOnce() throws Exception {
    HealthCheck probe = start(lanes(1, 10));
    assertThat(probe.awaitHealthy(LONG)).isTrue();
    int signed = token.count(Call.SIGN);
    Eventually.holds("the health check runs again", () -> token.count(Call.SIGN) > signed + 3);
    assertThat(reported).containsExactly(true);
    assertThat(probe.isHealthy()).isTrue();
  }

  @Test
  void wrongMacIsUnhealthyUntilTheAnswerIsCorrectAgain() throws Exception {
    HealthCheck probe = start(lanes(1, 10));
    assertThat(probe.awaitHealthy(LONG)).isTrue();
    token.wrongMacs(true);
    Eventually.holds("the token is unhealthy", () -> !probe.isHealthy());
    token.wrongMacs(false);
    Eventually.holds("healthy is reported", () -> reported.equals(List.of(true, false, true)));
    assertThat(probe.isHealthy()).isTrue();
  }

  /// Each fault has a series before its first event, because a new series has no rate.
  @Test
  void wrongMacIsCountedOnceAsAFault() {
    try (var daemon =
        LoopbackDaemon.withAdmin()
            .wrapping(_ -> token)
            .token("lanes: 1")
            .token("probe_interval: 50ms")
            .start()) {
      assertThat(LaneObserver.faults())
          .contains("WRONG_MAC", "DEVICE")
          .doesNotContain("NONE")
          .allSatisfy(fault -> assertThat(faults(daemon, fault)).isNotNegative());
      assertThat(faults(daemon, "WRONG_MAC")).isZero();
      Gate answer = token.blockingAnswer(Call.SIGN);
      opened.add(answer);
      answer.awaitEntered();
      token.wrongMacs(true);
      Gate next = blocking(Call.SIGN);
      answer.release();
      next.awaitEntered();
      token.wrongMacs(false);
      assertThat(faults(daemon, "WRONG_MAC")).isEqualTo(1);
      next.release();
      Eventually.holds(
          "the token is in service again", () -> daemon.metric("hmacd_token_healthy") == 1);
      assertThat(faults(daemon, "WRONG_MAC")).isEqualTo(1);
    }
  }

  private static double faults(LoopbackDaemon daemon, String fault) {
    return daemon.metric("hmacd_token_faults_total", "fault=\"" + fault + "\"");
  }

  @Test
  void missingKeyIsUnhealthy() throws Exception {
    DaemonKey gone =
        new DaemonKey(
            DaemonKey.Purpose.PROBE,
            new KeyObject(SoftHsm.freshLabel("gone"), "00"),
            key.knownAnswerHex());
    HealthCheck probe = probe(lanes(1, 10));
    opened.add(probe);
    probe.start(gone);
    Eventually.holds("reported", () -> !reported.isEmpty());
    assertThat(reported).containsExactly(false);
    assertThat(probe.awaitHealthy(Duration.ofMillis(1))).isFalse();
  }

  /// Otherwise callers that fill the queue could keep a token with wrong MACs in service.
  @Test
  void wrongMacIsDetectedWhileTheQueueIsFull() throws Exception {
    Lanes lanes = lanes(1, 1);
    Gate gate = blocking(Call.SIGN);
    hold(lanes, gate);
    RecordedCompletion waiting = sign(lanes, LONG);
    assertThat(sign(lanes, LONG).failure().kind()).isEqualTo(Kind.BUSY);
    token.wrongMacs(true);
    HealthCheck probe = start(lanes, LONG);
    Eventually.holds("a health check waits outside of the queue", () -> lanes.waiting() > 1);
    assertThat(waiting.isAnswered()).isFalse();
    gate.release();
    Eventually.holds("the token is unhealthy", () -> reported.contains(false));
    token.wrongMacs(false);
    Eventually.holds("healthy is reported", () -> reported.equals(List.of(false, true)));
    assertThat(probe.isHealthy()).isTrue();
  }

  /// A session copy of the key would answer after all objects of the token are lost.
  @Test
  void healthCheckComputesUnderTheTokenObject() throws Exception {
    HealthCheck probe = start(lanes(1, 10));
    assertThat(probe.awaitHealthy(LONG)).isTrue();
    assertThat(token.count(Call.LOAD_TOKEN_OBJECT)).isPositive();
    assertThat(token.count(Call.LOAD)).isZero();
  }

  @Test
  void healthCheckSearchesAgainForAnObjectWithAnInvalidHandle() throws Exception {
    HealthCheck probe = start(lanes(1, 10), LONG);
    assertThat(probe.awaitHealthy(LONG)).isTrue();
    token.failing(Call.SIGN, 1, FaultyToken.CKR_OBJECT_HANDLE_INVALID);
    int searched = token.count(Call.LOAD_TOKEN_OBJECT);
    Eventually.holds(
        "the health check searches for the object",
        () -> token.count(Call.LOAD_TOKEN_OBJECT) > searched);
    assertThat(probe.isHealthy()).isTrue();
    assertThat(reported).containsExactly(true);
  }

  /// An earlier result of another lane is no proof: the objects may be lost since then.
  @Test
  void keyIsMissingOnlyIfTheSameLaneFindsTheHealthChecksKey() throws Exception {
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

  /// On some tokens a search visits all objects.
  @Test
  void pauseAfterASearchIsAHundredTimesItsDurationAndAtMost30s() {
    assertThat(SearchSchedule.pauseAfter(Duration.ofMillis(1).toNanos()))
        .isEqualTo(Duration.ofMillis(100).toNanos());
    assertThat(SearchSchedule.pauseAfter(Duration.ofSeconds(2).toNanos()))
        .isEqualTo(Duration.ofSeconds(30).toNanos());
  }

  @Test
  void hangingTokenWithAFullQueueIsUnhealthy() throws Exception {
    Lanes lanes = lanes(1, 1);
    HealthCheck probe = start(lanes);
    assertThat(probe.awaitHealthy(LONG)).isTrue();
    Gate gate = blocking(Call.SIGN);
    // The blocked call and a waiting call fill the queue, so no health check is queued.
    Eventually.holds(
        "the token is unhealthy",
        () -> {
          RecordedCompletion _ = sign(lanes, LONG);
          return !probe.isHealthy();
        });
    gate.release();
    Eventually.holds("the token is healthy again", probe::isHealthy);
  }

  @Test
  void lateAnswerIsIgnoredAfterANewerHealthCheck() throws Exception {
    Lanes lanes = lanes(2, 100);
    Gate gate = blocking(Call.SIGN);
    hold(lanes, gate);
    HealthCheck probe = start(lanes);
    assertThat(probe.awaitHealthy(LONG)).isTrue();
    gate.release();
    Gate other = blocking(Call.SIGN);
    other.awaitEntered();
    Eventually.holds("a health check hangs", () -> lanes.overdue() == 1);
    int signed = token.count(Call.SIGN);
    Eventually.holds("further health checks run", () -> token.count(Call.SIGN) > signed + 3);
    assertThat(reported).containsExactly(true);
  }

  @Test
  void secondProvisioningFindsTheKeyOfTheFirst() throws TokenException {
    try (TokenSession session = SoftHsm.shared().token().open()) {
      assertThat(Provisioning.ensure(session, DaemonKey.Purpose.PROBE, Optional.of(key)))
          .isEqualTo(key);
      assertThat(Provisioning.ensure(session, DaemonKey.Purpose.PROBE, Optional.empty()))
          .isEqualTo(key);
      assertThat(
              session.find(
                  new TokenSession.Query.ByLabel(DaemonKey.label(DaemonKey.Purpose.PROBE))))
          .hasSize(1);
    }
  }

  @Test
  void provisioningRefusesAProbeKeyWithAnotherAnswer() throws TokenException {
    byte[] answer = key.knownAnswer();
    answer[31] ^= 1;
    DaemonKey registered =
        new DaemonKey(DaemonKey.Purpose.PROBE, key.object(), HexFormat.of().formatHex(answer));
    try (TokenSession session = SoftHsm.shared().token().open()) {
      assertThatThrownBy(
              () -> Provisioning.ensure(session, DaemonKey.Purpose.PROBE, Optional.of(registered)))
          .isInstanceOfSatisfying(
              TokenException.class, e -> assertThat(e.kind()).isEqualTo(Kind.UNAVAILABLE))
          .hasMessageContaining("differs from the known answer");
    }
  }
}
