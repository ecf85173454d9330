package dev.hmacd.token;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.key.KeyCheckValue;
import dev.hmacd.key.KeyId;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.MacAlgorithm;
import dev.hmacd.testing.Eventually;
import dev.hmacd.token.TokenException.Kind;
import java.time.Duration;
import java.util.Arrays;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.MethodSource;

/// The daemon detects another key under the label and id of a key.
@ParameterizedClass
@MethodSource(TokenContract.VARIANTS)
final class TokenRecognitionContractTest extends TokenContract {
  private static final Duration LONG = Duration.ofSeconds(30);
  private static final MacAlgorithm SHA_256 = MacAlgorithm.HMAC_SHA_256;
  private static final byte[] MESSAGE = bytes(64);
  private static final byte[] RIGHT = bytes(32);
  private static final byte[] OTHER = bytes(33);
  private static final String OTHER_KEY = "the other key, for a second";

  private final KeyObject name = fresh();
  private final KeyId id = KeyId.random();

  @SuppressWarnings("NullAway.Init") // importKeyWithCheckValue() sets it.
  private KeyCheckValue check;

  TokenRecognitionContractTest(Variant variant) {
    super(variant);
  }

  @BeforeEach
  void importKeyWithCheckValue() throws Exception {
    importFit(RIGHT);
    check = KeyCheckValue.of(id, 1, SHA_256, jdkMac(SHA_256, RIGHT, KeyCheckValue.message(id, 1)));
  }

  private void importFit(byte[] value) throws Exception {
    CHOSEN.importKey(name, value);
    new RawModule(CHOSEN).forbidDerivation(name);
  }

  private void replace(byte[] by) throws Exception {
    CHOSEN.delete(name.label());
    importFit(by);
  }

  private Lanes started() throws TokenException {
    Lanes lanes = TestLanes.of(newToken(), 1, 100, LONG);
    lanes.open();
    lanes.start();
    return lanes;
  }

  private RecordedCompletion mac(Lanes lanes) {
    var outcome = new RecordedCompletion();
    long deadline = System.nanoTime() + LONG.toNanos();
    lanes.sign(new SignRequest(name, check, SHA_256, MESSAGE, deadline), outcome);
    return outcome;
  }

  @Test
  void replacedKeyIsRefusedAfterARestart() throws Exception {
    try (Lanes lanes = started()) {
      assertThat(mac(lanes).mac()).isEqualTo(jdkMac(SHA_256, RIGHT, MESSAGE));
    }
    replace(OTHER);
    try (Lanes lanes = started()) {
      for (int i = 0; i < 3; i++) {
        assertThat(mac(lanes).failure().kind()).isEqualTo(Kind.KEY_UNFIT);
      }
      assertThat(lanes.circuit().isInService()).isTrue();
      replace(RIGHT);
      assertThat(mac(lanes).mac()).isEqualTo(jdkMac(SHA_256, RIGHT, MESSAGE));
    }
  }

  @Test
  void replacedKeyInUseIsRefused() throws Exception {
    byte[] right = jdkMac(SHA_256, RIGHT, MESSAGE);
    byte[] other = jdkMac(SHA_256, OTHER, MESSAGE);
    try (Lanes lanes = started()) {
      assertThat(mac(lanes).mac()).isEqualTo(right);
      replace(OTHER);
      String seen = signAfterReplacement(lanes, right, other);
      if (sessionCopies) {
        assertThat(seen).isEqualTo("the first key");
      } else {
        note(Behaviour.REPLACED, seen);
        Eventually.holds(
            "the lanes no longer use the other key",
            () -> !signAfterReplacement(lanes, right, other).equals(OTHER_KEY));
      }
    }
  }

  /// Signs after the key was replaced. With a token object's handle, the token refuses, or uses the
  /// other key.
  private String signAfterReplacement(Lanes lanes, byte[] right, byte[] other) {
    Optional<byte[]> mac = mac(lanes).macUnless(Kind.KEY_UNFIT);
    if (mac.isEmpty()) {
      return "refused";
    }
    if (Arrays.equals(mac.get(), right)) {
      return "the first key";
    }
    assertThat(mac.get()).isEqualTo(other);
    return OTHER_KEY;
  }
}
