package dev.hmacd.token;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.key.KeyObject;
import dev.hmacd.key.MacAlgorithm;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.token.FaultyToken.Call;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/// What several tokens do that a daemon shows only by accident.
final class TokensTest {
  private static final Duration LONG = Duration.ofSeconds(30);
  private static final Duration SHORT = Duration.ofMillis(200);
  private static final KeyObject KEY = new KeyObject(SoftHsm.freshLabel("tokens"), "0a");

  private final FaultyToken first = new FaultyToken(SoftHsm.shared().token());
  private final FaultyToken second = new FaultyToken(SoftHsm.shared().token());
  private final AtomicInteger lost = new AtomicInteger();
  private final Tokens tokens =
      new Tokens(
          List.of(use(first), use(second)),
          _ -> LaneObserver.NONE,
          new Probe.Listener() {
            @Override
            public void healthy(boolean is) {}

            @Override
            public void lost() {
              lost.incrementAndGet();
            }
          });

  private static Tokens.Use use(Token token) {
    return new Tokens.Use(
        token,
        new Tokens.Settings(
            new Lanes.Settings(1, 10, LONG, 0, LONG), new Probe.Settings(LONG, SHORT, LONG)));
  }

  /// A supervisor must not start the daemon again, and try that PIN, because another token is away.
  @Test
  void refusedPinIsWhatAStartFailsWith() {
    first.failing(Call.OPEN, 1, FaultyToken.CKR_PIN_INCORRECT);
    second.failing(Call.OPEN, 1, FaultyToken.CKR_DEVICE_REMOVED);
    assertThatThrownBy(tokens::start)
        .isInstanceOfSatisfying(TokenException.class, e -> assertThat(e.isPinRefused()).isTrue());
  }

  @Test
  void tokenThatHangsKeepsNobodyFromStarting() throws TokenException {
    try (FaultyToken.Gate gate = first.blocking(Call.OPEN)) {
      tokens.start();
      gate.awaitEntered();
      assertThat(first.circuit().isInService()).isFalse();
      assertThat(second.circuit().isInService()).isTrue();
    }
    tokens.close();
  }

  @Test
  void daemonIsNotLostWhileATokenHasRefusedItsPin() throws TokenException {
    second.failing(Call.OPEN, 1, FaultyToken.CKR_PIN_INCORRECT);
    tokens.start();
    try (tokens) {
      Tokens.Member away = tokens.members().getFirst();
      Tokens.Member refused = tokens.members().get(1);
      assertThat(refused.probe().isPinRefused()).isTrue();
      away.healthy(false);
      refused.healthy(false);
      away.lost();
      assertThat(lost).hasValue(0);
      refused.token().circuit().allowPin();
      away.lost();
      assertThat(lost).hasValue(1);
    }
  }

  @Test
  void keyOfNoTokenThatIsConfiguredIsMissing() throws TokenException {
    tokens.start();
    try (tokens) {
      var outcome = new Outcome();
      tokens.sign(
          KEY,
          List.of("elsewhere"),
          MacAlgorithm.HMAC_SHA_256,
          new byte[1],
          System.nanoTime() + LONG.toNanos(),
          outcome);
      assertThat(outcome.failure().kind()).isEqualTo(TokenException.Kind.KEY_MISSING);
      assertThat(first.count(Call.LOAD) + second.count(Call.LOAD)).isZero();
    }
  }
}
