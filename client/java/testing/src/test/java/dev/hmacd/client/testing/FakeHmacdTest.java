package dev.hmacd.client.testing;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import dev.hmacd.client.ErrorReason;
import dev.hmacd.client.HmacdClient;
import dev.hmacd.client.HmacdException;
import dev.hmacd.client.InvalidMacException;
import dev.hmacd.client.Mac;
import dev.hmacd.client.MacAlgorithm;
import dev.hmacd.client.MessageTooLongException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// The answers of a fake without faults, through the real client.
@Timeout(120)
class FakeHmacdTest {
  private static final byte[] SECRET = "Jefe".getBytes(UTF_8);
  private static final byte[] MESSAGE = "what do ya want for nothing?".getBytes(UTF_8);
  private static final MacAlgorithm ALGORITHM = MacAlgorithm.HMAC_SHA_256;

  private final FakeHmacd fake = FakeHmacd.start().key("alias/orders", ALGORITHM, SECRET);
  private final HmacdClient client =
      HmacdClient.builder()
          .target(fake.target())
          .deadlineAfter(Duration.ofMinutes(2))
          .maxMessageBytes(1 << 20)
          .build();

  @AfterEach
  void close() {
    client.close();
    fake.close();
  }

  @ParameterizedTest
  @CsvSource({
    "HMAC_SHA_224, a30e01098bc6dbbf45690f3a7e9e6d0f8bbea2a39e6148008fd05e44",
    "HMAC_SHA_256, 5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    "HMAC_SHA_384, af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e"
        + "8e2240ca5e69e2c78b3239ecfab21649",
    "HMAC_SHA_512, 164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
        + "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737"
  })
  void macIsThatOfRfc4231(MacAlgorithm algorithm, String expected) {
    fake.key("alias/" + algorithm, algorithm, SECRET);
    Mac mac = client.generateMac("alias/" + algorithm, MESSAGE, algorithm);
    assertThat(HexFormat.of().formatHex(mac.toByteArray())).isEqualTo(expected);
    client.verifyMac("alias/" + algorithm, MESSAGE, algorithm, mac.toByteArray());
    assertThat(fake.attempts()).isEqualTo(2);
  }

  @Test
  void wrongMacIsInvalid() {
    byte[] mac = client.generateMac("alias/orders", MESSAGE, ALGORITHM).toByteArray();
    mac[0] ^= 1;
    assertThatThrownBy(() -> client.verifyMac("alias/orders", MESSAGE, ALGORITHM, mac))
        .isInstanceOf(InvalidMacException.class);
    assertThat(fake.attempts()).isEqualTo(2);
  }

  @Test
  void macUnderAnotherKeyIsInvalid() {
    fake.key("alias/other", ALGORITHM, MESSAGE);
    byte[] mac = client.generateMac("alias/other", MESSAGE, ALGORITHM).toByteArray();
    assertThatThrownBy(() -> client.verifyMac("alias/orders", MESSAGE, ALGORITHM, mac))
        .isInstanceOf(InvalidMacException.class);
  }

  @Test
  void keyMustExistAndHaveTheAlgorithm() {
    assertThat(reason("alias/none", ALGORITHM)).isEqualTo(ErrorReason.KEY_NOT_FOUND);
    assertThat(reason("alias/orders", MacAlgorithm.HMAC_SHA_512))
        .isEqualTo(ErrorReason.INVALID_KEY_USAGE);
  }

  @Test
  void keyIsReplacedAndItsSecretCopied() {
    Mac old = client.generateMac("alias/orders", MESSAGE, ALGORITHM);
    byte[] secret = {1, 2, 3};
    fake.key("alias/orders", ALGORITHM, secret);
    Mac mac = client.generateMac("alias/orders", MESSAGE, ALGORITHM);
    assertThat(mac).isNotEqualTo(old);
    Arrays.fill(secret, (byte) 0);
    assertThat(client.generateMac("alias/orders", MESSAGE, ALGORITHM)).isEqualTo(mac);
  }

  @Test
  void keyMustBeUsable() {
    assertThatIllegalArgumentException()
        .isThrownBy(() -> fake.key("alias/empty", ALGORITHM, new byte[0]))
        .withMessage("secret must have 1 byte or more");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> fake.key("alias/unknown", MacAlgorithm.UNKNOWN, SECRET));
  }

  @Test
  void openKeyHasTheAlgorithmAndTheArnOfTheMacs() {
    var key = client.openKey("alias/orders");
    assertThat(key.algorithm()).isEqualTo(ALGORITHM);
    String arn = key.arn();
    assertThat(arn).startsWith("arn:aws:kms:");
    assertThat(key.generate(MESSAGE).keyArn()).isEqualTo(arn);
    assertThatThrownBy(() -> client.openKey("alias/none")).isInstanceOf(HmacdException.class);
  }

  @Test
  void messageHasAMaximumOfTheDaemon() {
    client.generateMac("alias/orders", new byte[65_536], ALGORITHM);
    var failure =
        catchThrowableOfType(
            MessageTooLongException.class,
            () -> client.generateMac("alias/orders", new byte[65_537], ALGORITHM));
    assertThat(failure.limit()).isEqualTo(65_536);
    assertThat(failure.size()).isEqualTo(65_537);
    assertThat(fake.attempts()).isEqualTo(2);
  }

  @Test
  void daemonsPrefixIsRefused() {
    assertThat(
            catchThrowableOfType(
                    HmacdException.class,
                    () ->
                        client.generateMac(
                            "alias/orders", "hmacd check value v1\0...".getBytes(UTF_8), ALGORITHM))
                .reason())
        .isEqualTo(ErrorReason.RESERVED_MESSAGE);
  }

  @Test
  void dryRunFindsAWrongMac() {
    byte[] mac = client.generateMac("alias/orders", MESSAGE, ALGORITHM).toByteArray();
    client.dryRunGenerateMac("alias/orders", MESSAGE, ALGORITHM);
    client.dryRunVerifyMac("alias/orders", MESSAGE, ALGORITHM, mac);
    mac[0] ^= 1;
    assertThatThrownBy(() -> client.dryRunVerifyMac("alias/orders", MESSAGE, ALGORITHM, mac))
        .isInstanceOf(InvalidMacException.class);
  }

  @Test
  void grantTokensAreNotSupported() {
    var failure =
        catchThrowableOfType(
            HmacdException.class,
            () ->
                client
                    .withGrantTokens(List.of("token"))
                    .generateMac("alias/orders", MESSAGE, ALGORITHM));
    assertThat(failure.reason()).isEqualTo(ErrorReason.GRANT_TOKENS_NOT_SUPPORTED);
  }

  @Test
  void eachAnswerHasItsRequestId() {
    String first = failure("alias/none", ALGORITHM).requestId();
    assertThat(first).isNotEmpty();
    assertThat(failure("alias/none", ALGORITHM).requestId()).isNotEmpty().isNotEqualTo(first);
  }

  @Test
  void closedFakeGivesNoVerdictAndLeavesNoFiles() {
    byte[] mac = client.generateMac("alias/orders", MESSAGE, ALGORITHM).toByteArray();
    Path socket = Path.of(fake.target().substring("unix:".length()));
    assertThat(socket).exists();
    fake.close();
    fake.close();
    assertThat(Files.exists(socket.getParent())).isFalse();
    assertThatThrownBy(
            () ->
                client
                    .withDeadlineAfter(Duration.ofMillis(500))
                    .verifyMac("alias/orders", MESSAGE, ALGORITHM, mac))
        .isInstanceOf(HmacdException.class)
        .isNotInstanceOf(InvalidMacException.class);
  }

  @Test
  void fakesAreIndependent() {
    try (var other = FakeHmacd.start()) {
      assertThat(other.target()).isNotEqualTo(fake.target());
      client.generateMac("alias/orders", MESSAGE, ALGORITHM);
      assertThat(other.attempts()).isZero();
    }
  }

  private ErrorReason reason(String key, MacAlgorithm algorithm) {
    return failure(key, algorithm).reason();
  }

  private HmacdException failure(String key, MacAlgorithm algorithm) {
    return catchThrowableOfType(
        HmacdException.class, () -> client.generateMac(key, MESSAGE, algorithm));
  }
}
