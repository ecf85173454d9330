package dev.hmacd.awskms;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.testing.AwsClient;
import dev.hmacd.testing.KmsItem;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.SoftHsm;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.services.kms.KmsClient;
import software.amazon.awssdk.services.kms.model.KeySpec;
import software.amazon.awssdk.services.kms.model.KeyUsageType;
import software.amazon.awssdk.services.kms.model.KmsInvalidMacException;
import software.amazon.awssdk.services.kms.model.MacAlgorithmSpec;

/// The client of AWS's SDK for Java; only its endpoint is changed.
final class SdkTest {
  private static final LoopbackDaemon daemon =
      LoopbackDaemon.on(SoftHsm.shared()).awsKms().allowingUserAll("admin");
  private static KmsClient admin;

  @BeforeAll
  static void start() {
    daemon.start();
    admin = AwsClient.of(daemon, "admin");
  }

  @AfterAll
  static void stop() {
    admin.close();
    daemon.close();
  }

  private static String key() {
    return admin
        .createKey(r -> r.keySpec(KeySpec.HMAC_256).keyUsage(KeyUsageType.GENERATE_VERIFY_MAC))
        .keyMetadata()
        .keyId();
  }

  @Test
  @KmsItem({"WIRE-2", "WIRE-7", "MAC-2"})
  void macVerifiesAndMacOfAnotherMessageIsRefused() {
    String key = key();
    var made =
        admin.generateMac(
            r ->
                r.keyId(key)
                    .message(SdkBytes.fromUtf8String("hello"))
                    .macAlgorithm(MacAlgorithmSpec.HMAC_SHA_256));
    assertThat(made.mac().asByteArray()).hasSize(32);
    assertThat(
            admin
                .verifyMac(
                    r ->
                        r.keyId(key)
                            .message(SdkBytes.fromByteArray("hello".getBytes(UTF_8)))
                            .mac(made.mac())
                            .macAlgorithm(MacAlgorithmSpec.HMAC_SHA_256))
                .macValid())
        .isTrue();
    assertThatThrownBy(
            () ->
                admin.verifyMac(
                    r ->
                        r.keyId(key)
                            .message(SdkBytes.fromUtf8String("other"))
                            .mac(made.mac())
                            .macAlgorithm(MacAlgorithmSpec.HMAC_SHA_256)))
        .isInstanceOf(KmsInvalidMacException.class);
  }
}
