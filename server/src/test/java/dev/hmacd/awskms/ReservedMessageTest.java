package dev.hmacd.awskms;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.testing.AwsCaller;
import dev.hmacd.testing.JsonTree;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.RawHttp1;
import dev.hmacd.testing.SoftHsm;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// This edge neither computes nor verifies the MAC of a check value's message.
final class ReservedMessageTest {
  private static final byte[] MESSAGE =
      "hmacd check value v1\0and more".getBytes(StandardCharsets.US_ASCII);

  @ParameterizedTest(name = "{0}, dry run: {1}")
  @CsvSource({"GenerateMac, false", "GenerateMac, true", "VerifyMac, false", "VerifyMac, true"})
  void reservedMessageIsRefused(String operation, boolean dryRun) throws IOException {
    try (LoopbackDaemon daemon =
            LoopbackDaemon.on(SoftHsm.shared()).awsKms().allowingUserAll("admin").start();
        AwsCaller admin = new AwsCaller(daemon, "admin")) {
      String key = admin.createKey("HMAC_256");
      String mac = Base64.getEncoder().encodeToString(new byte[32]);
      RawHttp1.Answer answer =
          admin.call(
              operation,
              "{\"KeyId\":\"%s\",\"Message\":\"%s\",\"MacAlgorithm\":\"HMAC_SHA_256\",\"DryRun\":%s%s}"
                  .formatted(
                      key,
                      Base64.getEncoder().encodeToString(MESSAGE),
                      dryRun,
                      operation.equals("VerifyMac") ? ",\"Mac\":\"" + mac + "\"" : ""));
      assertThat(answer.status()).isEqualTo(400);
      assertThat(JsonTree.object(answer.body()).get("__type")).isEqualTo("ValidationException");
      assertThat(String.valueOf(JsonTree.object(answer.body()).get("message")))
          .contains("hmacd check value v1");
    }
  }
}
