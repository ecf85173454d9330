package dev.hmacd.client;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class HmacdKeyTest {
  private static final byte[] MESSAGE = "hello".getBytes(UTF_8);
  private static final MacAlgorithm ALGORITHM = MacAlgorithm.HMAC_SHA_256;

  private final FakeDaemon daemon;
  private final HmacdClient client;

  HmacdKeyTest(@TempDir Path folder) {
    daemon = FakeDaemon.overUnixSocket(folder.resolve("hmacd.sock"));
    client = HmacdClient.builder().target(daemon.target()).build();
  }

  @AfterEach
  void close() {
    client.close();
    daemon.close();
  }

  @Test
  void boundKeyMakesAndVerifiesMacs() {
    HmacdKey key = client.key("alias/orders", ALGORITHM);
    assertThat(key.algorithm()).isEqualTo(ALGORITHM);
    assertThat(daemon.calls()).isEmpty();
    byte[] mac = key.generate(MESSAGE).toByteArray();
    assertThat(key.verify(MESSAGE, mac).keyVersion()).isEqualTo(1);
    mac[0] ^= 1;
    assertThatExceptionOfType(InvalidMacException.class).isThrownBy(() -> key.verify(MESSAGE, mac));
    assertThat(key.arn()).isEqualTo(FakeDaemon.KEY_ARN);
    assertThat(daemon.calls()).containsExactly("GenerateMac", "VerifyMac", "VerifyMac");
  }

  @Test
  void arnOfAKeyWithoutAnAnswerIsDescribedOnce() {
    HmacdKey key = client.key("alias/orders", ALGORITHM);
    assertThat(key.arn()).isEqualTo(FakeDaemon.KEY_ARN);
    assertThat(key.arn()).isEqualTo(FakeDaemon.KEY_ARN);
    assertThat(daemon.calls()).containsExactly("DescribeKey");
  }

  @Test
  void keyWithoutAKnownAlgorithmIsNotOpened() {
    for (List<Integer> algorithms : List.of(List.<Integer>of(), List.of(0), List.of(99))) {
      daemon.changingKeys(
          key -> key.toBuilder().clearMacAlgorithms().addAllMacAlgorithmsValue(algorithms).build());
      assertThatExceptionOfType(HmacdException.class)
          .isThrownBy(() -> client.openKey("alias/orders"))
          .satisfies(e -> assertThat(e.reason()).isEqualTo(ErrorReason.INVALID_ARGUMENT));
    }
  }

  @Test
  void openedKeyHasItsAlgorithmAndArn() {
    HmacdKey key = client.openKey("alias/orders");
    assertThat(key.algorithm()).isEqualTo(ALGORITHM);
    assertThat(key.arn()).isEqualTo(FakeDaemon.KEY_ARN);
    assertThat(daemon.calls()).containsExactly("DescribeKey");
    assertThatExceptionOfType(HmacdException.class)
        .isThrownBy(() -> client.openKey("alias/none"))
        .satisfies(e -> assertThat(e.reason()).isEqualTo(ErrorReason.KEY_NOT_FOUND));
  }
}
