package dev.hmacd.rpc;

import static dev.hmacd.testing.Reasons.failsWith;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.testing.Caller;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.v1.KeySpec;
import dev.hmacd.v1.MacAlgorithm;
import io.grpc.Status.Code;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// A key is created, and a MAC is generated and verified.
final class FirstMacTest {
  private static final byte[] MESSAGE = "hello".getBytes(StandardCharsets.UTF_8);

  private final LoopbackDaemon daemon = LoopbackDaemon.withAdmin();

  @BeforeEach
  void start() {
    daemon.start();
  }

  @AfterEach
  void stop() {
    daemon.close();
  }

  @Test
  void macOfNewKeyVerifiesAndTamperedMacDoesNot() {
    Caller admin = daemon.as("admin");
    String key = admin.createKey(KeySpec.KEY_SPEC_HMAC_256);
    byte[] mac = admin.generateMac(key, "hello");
    assertThat(mac).hasSize(32);
    admin.verifyMac(key, MESSAGE, mac, MacAlgorithm.MAC_ALGORITHM_HMAC_SHA_256);
    mac[0] ^= 1;
    assertThatThrownBy(
            () -> admin.verifyMac(key, MESSAGE, mac, MacAlgorithm.MAC_ALGORITHM_HMAC_SHA_256))
        .satisfies(failsWith(Code.INVALID_ARGUMENT, "KMS_INVALID_MAC"));
  }

  @Test
  void callerWithoutRuleIsDeniedForExistingAndMissingKeys() {
    String key = daemon.as("admin").createKey(KeySpec.KEY_SPEC_HMAC_256);
    Caller stranger = daemon.as("stranger");
    for (String name : new String[] {key, "alias/none", "00000000-0000-0000-0000-000000000000"}) {
      assertThatThrownBy(() -> stranger.generateMac(name, "hello"))
          .satisfies(failsWith(Code.PERMISSION_DENIED, "ACCESS_DENIED"));
    }
  }
}
