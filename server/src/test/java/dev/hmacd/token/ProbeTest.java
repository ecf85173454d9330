package dev.hmacd.token;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

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
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// Health comes from what the token answers, and from nothing else.
final class ProbeTest {
  private static final Duration INTERVAL = Duration.ofMillis(20);
  private static final Duration LIMIT = Duration.ofMillis(500);
  private static final Duration LONG = Duration.ofSeconds(30);

  private final FaultyToken token = new FaultyToken(SoftHsm.shared().token());
  private final List<Boolean> told = new CopyOnWriteArrayList<>();
  private final List<AutoCloseable> opened = new ArrayList<>();
  private OwnKey key;

  @SuppressWarnings("NullAway.Init") // The key is there from provision() on.
  ProbeTest() {}

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
    Lanes lanes = TestLanes.of(token, count, queue, Duration.ofMillis(100));
    lanes.open();
    lanes.start();
    opened.add(lanes);
    return lanes;
  }

  private Probe probe(Lanes lanes) {
    return new Probe(
        token,
        lanes,
        new Probe.Settings(INTERVAL, LIMIT, LONG),
        new Probe.Listener() {
          @Override
          public void healthy(boolean is) {
            told.add(is);
          }

          @Override
          public void lost() {}
        });
  }

  private Probe start(Lanes lanes) {
    Probe probe = probe(lanes);
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
        key.object(),
        MacAlgorithm.HMAC_SHA_256,
        Probe.message(),
        System.nanoTime() + limit.toNanos(),
        outcome);
    return outcome;
  }

  @Test
  void knownAnswerIsHealthyAndToldOnce() throws Exception {
    Probe probe = start(lanes(1, 10));
    assertThat(probe.awaitHealthy(LONG)).isTrue();
    int asked = token.count(Call.SIGN);
    Eventually.holds("asked again", () -> token.count(Call.SIGN) > asked + 3);
    assertThat(told).containsExactly(true);
    assertThat(probe.isHealthy()).isTrue();
  }

  @Test
  void wrongMacIsUnhealthyUntilTheAnswerIsRightAgain() throws Exception {
    Probe probe = start(lanes(1, 10));
    assertThat(probe.awaitHealthy(LONG)).isTrue();
    token.wrongMacs(true);
    Eventually.holds("unhealthy", () -> !probe.isHealthy());
    token.wrongMacs(false);
    Eventually.holds("healthy", probe::isHealthy);
    assertThat(told).containsExactly(true, false, true);
  }

  @Test
  void keyThatIsGoneFromTheTokenIsUnhealthy() throws Exception {
    OwnKey gone =
        new OwnKey(
            OwnKey.Purpose.PROBE,
            new KeyObject(SoftHsm.freshLabel("gone"), "00"),
            key.knownAnswerHex());
    Probe probe = probe(lanes(1, 10));
    opened.add(probe);
    probe.start(gone);
    Eventually.holds("told", () -> !told.isEmpty());
    assertThat(told).containsExactly(false);
    assertThat(probe.awaitHealthy(Duration.ofMillis(1))).isFalse();
  }

  @Test
  void queueThatIsFullSaysNothingWhileCallsAreAnswered() throws Exception {
    Lanes lanes = lanes(1, 1);
    Probe probe = start(lanes);
    assertThat(probe.awaitHealthy(LONG)).isTrue();
    // For longer than the limit the queue is full whenever the probe asks, and the token works.
    long end = System.nanoTime() + LIMIT.multipliedBy(3).toNanos();
    int busy = 0;
    while (System.nanoTime() < end) {
      Outcome one = sign(lanes, LONG);
      Outcome two = sign(lanes, LONG);
      Outcome three = sign(lanes, LONG);
      if (three.isAnswered() && three.answers() == 1) {
        busy++;
      }
      Eventually.holds(
          "answered", () -> one.isAnswered() && two.isAnswered() && three.isAnswered());
    }
    assertThat(busy).isPositive();
    assertThat(told).containsExactly(true);
  }

  @Test
  void tokenThatHangsBehindAFullQueueIsUnhealthy() throws Exception {
    Lanes lanes = lanes(1, 1);
    Probe probe = start(lanes);
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
    Probe probe = start(lanes);
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
