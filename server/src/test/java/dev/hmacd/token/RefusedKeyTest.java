package dev.hmacd.token;

import static dev.hmacd.testing.Reasons.failsWith;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.key.DaemonKey;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.MacAlgorithm;
import dev.hmacd.testing.Caller;
import dev.hmacd.testing.LogWatch;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.token.FaultyToken.Call;
import dev.hmacd.token.TokenException.Fault;
import dev.hmacd.token.TokenException.Kind;
import dev.hmacd.v1.KeySpec;
import dev.hmacd.v1.KeyState;
import io.grpc.Status.Code;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// A token refuses a key for MACs. This is a fault of the key, unless the token refuses the health
/// check key, too.
final class RefusedKeyTest {
  private static final byte[] MESSAGE = "hello".getBytes(StandardCharsets.UTF_8);
  private static final Duration LONG = Duration.ofSeconds(30);
  private static final String LOGGED = "WARN Key not usable: the token refuses the key for MACs";
  private static final KeyObject KEY =
      new KeyObject(SoftHsm.freshLabel("refused"), SoftHsm.freshId());

  private static byte[] right = {};

  @SuppressWarnings("NullAway.Init") // makeKeys() sets it.
  private static DaemonKey probe;

  private final FaultyToken token = new FaultyToken(SoftHsm.shared().token());
  private final List<TokenException> reported = new CopyOnWriteArrayList<>();
  private final Lanes lanes = lanes(Duration.ofHours(1));

  @BeforeAll
  static void makeKeys() throws TokenException {
    try (TokenSession session = SoftHsm.shared().token().open()) {
      session.generate(KEY, 32);
      right = session.sign(session.load(KEY), MacAlgorithm.HMAC_SHA_256, MESSAGE);
      probe = Provisioning.ensure(session, DaemonKey.Purpose.PROBE, Optional.empty());
    }
  }

  private Lanes lanes(Duration refusedLifetime) {
    return TestLanes.of(token, 1, 10, LONG, reported::add, refusedLifetime);
  }

  @BeforeEach
  void start() throws TokenException {
    start(lanes);
  }

  private static void start(Lanes lanes) throws TokenException {
    lanes.open();
    lanes.start();
    lanes.useHealthCheckKey(probe);
  }

  @AfterEach
  void close() {
    lanes.close();
  }

  static Stream<Long> refusals() {
    return Stream.of(
        FaultyToken.CKR_KEY_SIZE_RANGE,
        FaultyToken.CKR_KEY_TYPE_INCONSISTENT,
        FaultyToken.CKR_KEY_FUNCTION_NOT_PERMITTED,
        FaultyToken.CKR_MECHANISM_INVALID);
  }

  private static long deadline() {
    return System.nanoTime() + LONG.toNanos();
  }

  private RecordedCompletion sign(KeyObject key, MacAlgorithm algorithm) {
    return sign(lanes, key, algorithm);
  }

  private static RecordedCompletion sign(Lanes lanes, KeyObject key, MacAlgorithm algorithm) {
    RecordedCompletion outcome = new RecordedCompletion();
    lanes.sign(new SignRequest(key, null, algorithm, MESSAGE, deadline()), outcome);
    return outcome;
  }

  private RecordedCompletion sign() {
    return sign(KEY, MacAlgorithm.HMAC_SHA_256);
  }

  @ParameterizedTest
  @MethodSource("refusals")
  void refusedKeyFailsWithoutARetryAndTheSessionStaysOpen(long code) {
    assertThat(sign().mac()).isEqualTo(right);
    token.failing(Call.SIGN, 1, code);
    TokenException refused = sign().failure();
    assertThat(refused.kind()).isEqualTo(Kind.KEY_UNFIT);
    assertThat(refused.unfit()).isPresent();
    assertThat(reported).extracting(TokenException::fault).containsExactly(Fault.NONE);
    // The MAC before, the refused MAC, and the health check's MAC.
    assertThat(token.count(Call.SIGN)).isEqualTo(3);
    assertThat(sign().mac()).isEqualTo(right);
    assertThat(token.count(Call.OPEN)).isEqualTo(1);
    assertThat(token.count(Call.LOAD)).isEqualTo(1);
  }

  @Test
  void refusedKeyIsNotSearchedAgainBeforeTheEndOfTheLifetime() {
    token.failing(Call.SIGN, 1, FaultyToken.CKR_MECHANISM_INVALID);
    for (int i = 0; i < 5; i++) {
      token.passing(Call.SIGN).failing(Call.SIGN, 1, FaultyToken.CKR_MECHANISM_INVALID);
      assertThat(sign().failure().kind()).isEqualTo(Kind.KEY_UNFIT);
    }
    assertThat(token.count(Call.LOAD)).isEqualTo(1);
  }

  @Test
  void refusedKeyIsSearchedAgainAfterTheLifetime() throws TokenException {
    try (Lanes eager = lanes(Duration.ZERO)) {
      start(eager);
      token.failing(Call.SIGN, 1, FaultyToken.CKR_MECHANISM_INVALID);
      assertThat(sign(eager, KEY, MacAlgorithm.HMAC_SHA_256).failure().kind())
          .isEqualTo(Kind.KEY_UNFIT);
      assertThat(token.count(Call.LOAD)).isEqualTo(1);
      for (int i = 0; i < 3; i++) {
        assertThat(sign(eager, KEY, MacAlgorithm.HMAC_SHA_256).mac()).isEqualTo(right);
        assertThat(token.count(Call.LOAD)).isEqualTo(2);
      }
    }
  }

  /// The remedy for a refused key: an operator replaces the object.
  @Test
  void replacedKeyIsUsedWithoutARestart() throws TokenException {
    SoftHsm hsm = SoftHsm.shared();
    var key = new KeyObject(SoftHsm.freshLabel("replaced"), SoftHsm.freshId());
    hsm.generateRestrictedKey(key.label(), key.idHex(), "SHA512-HMAC");
    try (Lanes eager = lanes(Duration.ZERO)) {
      start(eager);
      assertThat(sign(eager, key, MacAlgorithm.HMAC_SHA_256).failure().kind())
          .isEqualTo(Kind.KEY_UNFIT);
      hsm.delete(key.label());
      hsm.importKey(key.label(), key.idHex(), new byte[32]);
      assertThat(sign(eager, key, MacAlgorithm.HMAC_SHA_256).mac()).hasSize(32);
    }
  }

  /// Some tokens refuse every key with the same code after a logout.
  @ParameterizedTest
  @MethodSource("refusals")
  void refusalOfTheHealthChecksKeyIsAFaultOfTheToken(long code) {
    assertThat(sign().mac()).isEqualTo(right);
    token.failing(Call.SIGN, 2, code);
    assertThat(sign().mac()).isEqualTo(right);
    assertThat(token.count(Call.OPEN)).isEqualTo(2);
    assertThat(reported).isEmpty();
  }

  @ParameterizedTest
  @MethodSource("refusals")
  void refusedKeyOfAnotherOperationFailsWithoutARetry(long code) {
    token.failing(Call.SIGN, 1, code);
    assertThat(
            lanes.submit(
                session -> session.signOnce(KEY, MacAlgorithm.HMAC_SHA_256, MESSAGE),
                true,
                deadline()))
        .failsWithin(LONG)
        .withThrowableThat()
        .havingCause()
        .isInstanceOfSatisfying(
            TokenException.class,
            e -> {
              assertThat(e.kind()).isEqualTo(Kind.KEY_UNFIT);
              assertThat(e.unfit()).isPresent();
            });
    assertThat(token.count(Call.OPEN)).isEqualTo(1);
  }

  @Test
  void refusedKeyIsLoggedOnceAMinute() {
    try (LogWatch log = LogWatch.start()) {
      for (int i = 0; i < 10; i++) {
        token.failing(Call.SIGN, 1, FaultyToken.CKR_MECHANISM_INVALID);
        assertThat(sign().failure().kind()).isEqualTo(Kind.KEY_UNFIT);
      }
      assertThat(log.lines(LOGGED, KEY.label(), "CKR_MECHANISM_INVALID", "CKA_ALLOWED_MECHANISMS"))
          .hasSize(1);
      assertThat(log.lines("Token fault")).isEmpty();
    }
  }

  @Test
  void restrictedKeyComputesOnlyItsOwnMacs() {
    SoftHsm hsm = SoftHsm.shared();
    var restricted = new KeyObject(SoftHsm.freshLabel("restricted"), SoftHsm.freshId());
    hsm.generateRestrictedKey(restricted.label(), restricted.idHex(), "SHA512-HMAC");
    try (LogWatch log = LogWatch.start()) {
      assertThat(sign(restricted, MacAlgorithm.HMAC_SHA_512).mac()).hasSize(64);
      TokenException refused = sign(restricted, MacAlgorithm.HMAC_SHA_256).failure();
      assertThat(refused.kind()).isEqualTo(Kind.KEY_UNFIT);
      assertThat(refused.unfit())
          .hasValueSatisfying(
              unfit -> {
                assertThat(unfit.attribute()).isEqualTo("CKA_ALLOWED_MECHANISMS");
                assertThat(unfit.found()).isEqualTo("CKM_SHA512_HMAC");
              });
      assertThat(log.lines(LOGGED, restricted.label())).hasSize(1);
    }
    assertThat(token.count(Call.OPEN)).isEqualTo(1);
  }

  @Test
  void refusedKeyOfACallerIsUnavailableAndTheTokenStaysInService() {
    var faulty = new FaultyToken(SoftHsm.shared().token());
    try (LogWatch log = LogWatch.start();
        var daemon =
            LoopbackDaemon.withAdmin()
                .token("probe_interval: 24h") // A health check would meet the injected fault.
                .wrapping(_ -> faulty)) {
      Caller admin = daemon.start().as("admin");
      String key = admin.createKey(KeySpec.KEY_SPEC_HMAC_256);
      String other = admin.createKey(KeySpec.KEY_SPEC_HMAC_256);
      byte[] mac = admin.generateMac(key, "hello");
      faulty.failing(Call.SIGN, 1, FaultyToken.CKR_MECHANISM_INVALID);
      assertThatThrownBy(() -> admin.generateMac(key, "hello"))
          .satisfies(failsWith(Code.UNAVAILABLE, "KEY_UNAVAILABLE"));
      assertThat(admin.describe(key).getKeyState()).isEqualTo(KeyState.KEY_STATE_UNAVAILABLE);
      assertThat(admin.generateMac(other, "hello")).hasSize(32);
      assertThat(daemon.metric("hmacd_token_healthy")).isEqualTo(1);
      assertThat(admin.generateMac(key, "hello")).isEqualTo(mac);
      assertThat(admin.describe(key).getKeyState()).isEqualTo(KeyState.KEY_STATE_ENABLED);
      assertThat(log.lines(LOGGED, key))
          .singleElement()
          .satisfies(line -> assertThat(line).doesNotContain("unknown"));
      assertThat(log.lines("NOT_SERVING")).isEmpty();
    }
  }
}
