package dev.hmacd.token;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.key.DaemonKey;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.MacAlgorithm;
import dev.hmacd.limit.Owner;
import dev.hmacd.testing.LogWatch;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.token.FaultyToken.Call;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/// Behaviour of several tokens that a test with a daemon cannot reproduce reliably.
final class TokenPoolTest {
  private static final Duration LONG = Duration.ofSeconds(30);

  /// Timeout of a health check on a busy machine. Two tests wait for all of it.
  private static final Duration LIMIT = Duration.ofSeconds(5);

  private static final Owner GREEDY = Owner.of("issuer", "greedy");
  private static final Owner OTHER = Owner.of("issuer", "other");

  private static final KeyObject KEY = new KeyObject(SoftHsm.freshLabel("tokens"), "0a");

  private final FaultyToken first = new FaultyToken(SoftHsm.shared().token());
  private final FaultyToken second = new FaultyToken(SoftHsm.shared().token());
  private final AtomicInteger lost = new AtomicInteger();
  private final TokenPool pool =
      new TokenPool(
          List.of(use(first), use(second)),
          _ -> LaneObserver.NONE,
          new TokenPool.Listener() {
            @Override
            public void healthy(boolean is) {}

            @Override
            public void lost() {
              lost.incrementAndGet();
            }

            @Override
            public void inService(String serial) {}
          });
  private final TokenRouter tokens = new TokenRouter(pool);

  private static TokenPool.Use use(Token token) {
    return new TokenPool.Use(
        token,
        new TokenPool.Settings(
            new Lanes.Settings(1, 10, LONG, 0, LONG), new HealthCheck.Settings(LONG, LIMIT, LONG)));
  }

  /// An operation for one token fails if its queue is full. An operation for any token goes to the
  /// next token.
  @Test
  void fullQueueOfOneTokenMakesRoomForOtherOwners() throws Exception {
    pool.start();
    long deadline = System.nanoTime() + LONG.toNanos();
    String serial = tokens.defaultSerial();
    try (pool;
        FaultyToken.Gate gate = first.blocking(Call.RANDOM)) {
      List<CompletableFuture<byte[]>> greedy = new ArrayList<>();
      for (int i = 0; i < 11; i++) {
        greedy.add(tokens.submit(GREEDY, serial, each -> each.random(1), true, deadline));
        if (i == 0) {
          gate.awaitEntered();
        }
      }
      assertThat(tokens.submit(GREEDY, serial, each -> each.random(1), true, deadline))
          .failsWithin(LONG)
          .withThrowableThat()
          .havingCause()
          .isInstanceOfSatisfying(
              TokenException.class,
              e -> assertThat(e.kind()).isEqualTo(TokenException.Kind.OWNER_BUSY));
      var other = tokens.submit(OTHER, serial, each -> each.random(1), true, deadline);
      assertThat(tokens.submitAny(GREEDY, each -> each.random(1), deadline)).succeedsWithin(LONG);
      assertThat(greedy.removeLast()).failsWithin(LONG); // It made room.
      gate.release();
      assertThat(other).succeedsWithin(LONG);
      for (CompletableFuture<byte[]> each : greedy) {
        assertThat(each).succeedsWithin(LONG);
      }
    }
  }

  /// A supervisor must not restart the daemon with a refused PIN because another token is missing.
  @Test
  void refusedPinIsTheErrorOfAFailedStart() {
    first.failing(Call.OPEN, 1, FaultyToken.CKR_PIN_INCORRECT);
    second.failing(Call.OPEN, 1, FaultyToken.CKR_DEVICE_REMOVED);
    assertThatThrownBy(pool::start)
        .isInstanceOfSatisfying(TokenException.class, e -> assertThat(e.isPinRefused()).isTrue());
  }

  @Test
  void hangingTokenDoesNotBlockTheStart() throws TokenException {
    try (FaultyToken.Gate gate = first.blocking(Call.OPEN)) {
      pool.start();
      gate.awaitEntered();
      assertThat(first.circuit().isInService()).isFalse();
      assertThat(second.circuit().isInService()).isTrue();
    }
    pool.close();
  }

  /// The token has opened a session: a slow token must not fail the start.
  @Test
  void hangingTrialOfTheLongestMessageDelaysTheStartOnly() throws TokenException {
    DaemonKey probe;
    try (TokenSession session = SoftHsm.shared().token().open()) {
      probe = Provisioning.ensure(session, DaemonKey.Purpose.PROBE, Optional.empty());
    }
    try (LogWatch log = LogWatch.start();
        pool;
        FaultyToken.Gate gate = first.blocking(Call.SIGN)) {
      pool.start(
          Map.of(first.info().serial(), probe), new MessageLengthTrial("setting", 4096, 65_536));
      gate.awaitEntered();
      assertThat(first.circuit().isInService()).isTrue();
      assertThat(second.circuit().isInService()).isTrue();
      assertThat(log.lines("WARN Longest message not tried", "probe_timeout")).isNotEmpty();
      assertThat(log.lines("A token does not open a session")).isEmpty();
    }
  }

  @Test
  void tokensAreNotLostWhileATokenHasRefusedItsPin() throws TokenException {
    second.failing(Call.OPEN, 1, FaultyToken.CKR_PIN_INCORRECT);
    pool.start();
    try (pool) {
      TokenPool.Member away = pool.members().getFirst();
      TokenPool.Member refused = pool.members().get(1);
      assertThat(refused.probe().isPinRefused()).isTrue();
      away.healthy(false);
      refused.healthy(false);
      away.lost();
      assertThat(lost).hasValue(0);
      refused.probe().retryPin();
      away.lost();
      assertThat(lost).hasValue(1);
    }
  }

  @Test
  void keyOnNoConfiguredTokenIsMissing() throws TokenException {
    pool.start();
    try (pool) {
      var outcome = new RecordedCompletion();
      tokens.sign(
          List.of("elsewhere"),
          new SignRequest(
              KEY,
              null,
              MacAlgorithm.HMAC_SHA_256,
              new byte[1],
              System.nanoTime() + LONG.toNanos()),
          outcome);
      assertThat(outcome.failure().kind()).isEqualTo(TokenException.Kind.KEY_MISSING);
      assertThat(first.count(Call.LOAD) + second.count(Call.LOAD)).isZero();
    }
  }
}
