package dev.hmacd.token;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.key.DaemonKey;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.MacAlgorithm;
import dev.hmacd.testing.LogWatch;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.token.FaultyToken.Call;
import dev.hmacd.token.TokenException.Fault;
import dev.hmacd.token.TokenException.Kind;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// A token refuses the length of a message (CKR_DATA_LEN_RANGE). This is no fault of the token,
/// unless the message is short, or the token does not compute the health check's MAC either.
final class RefusedMessageTest {
  private static final Duration LONG = Duration.ofSeconds(30);
  private static final byte[] SHORT_MESSAGE = new byte[256];
  private static final byte[] LONG_MESSAGE = new byte[257];
  private static final KeyObject KEY =
      new KeyObject(SoftHsm.freshLabel("refused-message"), SoftHsm.freshId());

  @SuppressWarnings("NullAway.Init") // makeKeys() sets it.
  private static DaemonKey probe;

  private final FaultyToken token = new FaultyToken(SoftHsm.shared().token());
  private final List<TokenException> reported = new CopyOnWriteArrayList<>();
  private final Lanes lanes = TestLanes.of(token, 1, 10, LONG, reported::add);

  @BeforeAll
  static void makeKeys() throws TokenException {
    try (TokenSession session = SoftHsm.shared().token().open()) {
      session.generate(KEY, 32);
      probe = Provisioning.ensure(session, DaemonKey.Purpose.PROBE, Optional.empty());
    }
  }

  @BeforeEach
  void start() throws TokenException {
    lanes.open();
    lanes.start();
    lanes.useHealthCheckKey(probe);
  }

  @AfterEach
  void close() {
    lanes.close();
  }

  private RecordedCompletion sign(byte[] message) {
    RecordedCompletion outcome = new RecordedCompletion();
    lanes.sign(
        new SignRequest(
            KEY, null, MacAlgorithm.HMAC_SHA_256, message, System.nanoTime() + LONG.toNanos()),
        outcome);
    return outcome;
  }

  @Test
  void refusedMessageFailsWithoutARetryAndTheSessionStaysOpen() {
    try (LogWatch log = LogWatch.start()) {
      byte[] right = sign(LONG_MESSAGE).mac();
      token.failing(Call.SIGN, 1, FaultyToken.CKR_DATA_LEN_RANGE);
      assertThat(sign(LONG_MESSAGE).failure().kind()).isEqualTo(Kind.MESSAGE_TOO_LONG);
      assertThat(reported).extracting(TokenException::fault).containsExactly(Fault.NONE);
      // The MAC before, the refused MAC, and the health check's MAC.
      assertThat(token.count(Call.SIGN)).isEqualTo(3);
      assertThat(sign(LONG_MESSAGE).mac()).isEqualTo(right);
      assertThat(token.count(Call.OPEN)).isEqualTo(1);
      assertThat(token.count(Call.LOAD)).isEqualTo(1);
      log.assertQuiet();
    }
  }

  @Test
  void refusedMessageOfTheHealthCheckIsAFaultOfTheToken() {
    token.failing(Call.SIGN, 2, FaultyToken.CKR_DATA_LEN_RANGE);
    assertThat(sign(LONG_MESSAGE).mac()).hasSize(32);
    assertThat(token.count(Call.OPEN)).isEqualTo(2);
    assertThat(reported).isEmpty();
  }

  @Test
  void refusedShortMessageIsAFaultOfTheToken() {
    token.failing(Call.SIGN, 2, FaultyToken.CKR_DATA_LEN_RANGE);
    assertThat(sign(SHORT_MESSAGE).failure().kind()).isEqualTo(Kind.UNAVAILABLE);
    assertThat(token.count(Call.OPEN)).isEqualTo(2);
    assertThat(reported).extracting(TokenException::fault).containsExactly(Fault.DEVICE);
    assertThat(sign(SHORT_MESSAGE).mac()).hasSize(32);
  }
}
