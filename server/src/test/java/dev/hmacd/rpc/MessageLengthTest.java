package dev.hmacd.rpc;

import static dev.hmacd.testing.Reasons.failsWith;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import dev.hmacd.testing.AwsCaller;
import dev.hmacd.testing.Caller;
import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.FaultModule;
import dev.hmacd.testing.JsonTree;
import dev.hmacd.testing.LogWatch;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.RawHttp1;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.token.FaultyToken;
import dev.hmacd.token.FaultyToken.Call;
import dev.hmacd.token.Token;
import dev.hmacd.v1.GenerateMacRequest;
import dev.hmacd.v1.GenerateMacResponse;
import dev.hmacd.v1.KeySpec;
import dev.hmacd.v1.MacAlgorithm;
import dev.hmacd.v1.MacServiceGrpc;
import io.grpc.Status.Code;
import java.io.IOException;
import java.security.GeneralSecurityException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// The maximum length of a message: `grpc.limits.max_message_bytes` over gRPC, 4096 bytes over the
/// API of AWS KMS, and the limit of the token.
final class MessageLengthTest {
  private static final MacAlgorithm ALGORITHM = MacAlgorithm.MAC_ALGORITHM_HMAC_SHA_256;
  private static final int DEFAULT = 65_536;

  private static byte[] message(int bytes) {
    byte[] message = new byte[bytes];
    new Random(bytes).nextBytes(message);
    return message;
  }

  private static byte[] jdkMac(byte[] key, byte[] message) throws GeneralSecurityException {
    Mac mac = Mac.getInstance("HmacSHA256");
    mac.init(new SecretKeySpec(key, "HmacSHA256"));
    return mac.doFinal(message);
  }

  private static void assertTooLong(Caller caller, String key, int given, int maximum) {
    byte[] message = message(given);
    List<Runnable> calls =
        List.of(
            () -> caller.generateMac(key, message, ALGORITHM),
            () -> caller.verifyMac(key, message, new byte[32], ALGORITHM));
    for (Runnable call : calls) {
      assertThatThrownBy(call::run)
          .satisfies(
              failsWith(
                  Code.INVALID_ARGUMENT, "MESSAGE_TOO_LONG", "maximum", Integer.toString(maximum)))
          .satisfies(
              failsWith(
                  Code.INVALID_ARGUMENT, "MESSAGE_TOO_LONG", "given", Integer.toString(given)))
          .hasMessageContaining(
              "message: length must be at most %d bytes; the request has %d bytes", maximum, given);
    }
  }

  @ParameterizedTest
  @CsvSource({"4096, 131072", "65536, 131072", "1048576, 1064960"})
  void messageOfTheMaximumLengthHasAMacAndALongerOneIsRefused(int maximum, int maxRequestBytes)
      throws GeneralSecurityException {
    SoftHsm hsm = SoftHsm.shared();
    var token = new FaultyToken(hsm.token());
    try (var daemon =
            LoopbackDaemon.withAdmin()
                .wrapping(_ -> token)
                .token("probe_interval: 1h")
                .limit("max_message_bytes: " + maximum)
                .limit("max_request_bytes: " + maxRequestBytes)
                .start();
        Caller admin = daemon.as("admin")) {
      byte[] value = message(32);
      String label = SoftHsm.freshLabel("long");
      hsm.importKey(label, SoftHsm.freshId(), value);
      String key = admin.adopt(label, KeySpec.KEY_SPEC_HMAC_256).getKeyId();
      byte[] longest = message(maximum);
      byte[] mac = admin.generateMac(key, longest, ALGORITHM);
      assertThat(mac).isEqualTo(jdkMac(value, longest));
      admin.verifyMac(key, longest, mac, ALGORITHM);
      int signed = token.count(Call.SIGN);
      assertTooLong(admin, key, maximum + 1, maximum);
      assertThat(token.count(Call.SIGN)).isEqualTo(signed);
    }
  }

  /// A request above its own maximum is refused before its message is known.
  @Test
  void messageAboveTheMaximumOfARequestIsRefusedAsRequest() {
    try (var daemon = LoopbackDaemon.withAdmin().start();
        Caller admin = daemon.as("admin")) {
      String key = admin.createKey(KeySpec.KEY_SPEC_HMAC_256);
      assertTooLong(admin, key, 130_000, DEFAULT);
      assertThatThrownBy(() -> admin.generateMac(key, message(131_073), ALGORITHM))
          .satisfies(failsWith(Code.RESOURCE_EXHAUSTED, "REQUEST_TOO_LONG", "maximum", "131072"));
    }
  }

  @Test
  void awsEdgeKeepsTheMaximumOfAws() throws IOException {
    try (var daemon = LoopbackDaemon.withAdmin().awsKms().allowingUserAll("user").start();
        AwsCaller aws = new AwsCaller(daemon, "user")) {
      String key = aws.createKey("HMAC_256");
      assertThat(generate(aws, key, 4096).status()).isEqualTo(200);
      RawHttp1.Answer tooLong = generate(aws, key, 4097);
      assertThat(tooLong.status()).isEqualTo(400);
      assertThat(JsonTree.object(tooLong.body()).get("__type")).isEqualTo("ValidationException");
      assertThat(String.valueOf(JsonTree.object(tooLong.body()).get("message")))
          .contains("'message'", "less than or equal to 4096");
    }
  }

  private static RawHttp1.Answer generate(AwsCaller aws, String key, int bytes) throws IOException {
    return aws.call(
        "GenerateMac",
        "{\"KeyId\":\"%s\",\"Message\":\"%s\",\"MacAlgorithm\":\"HMAC_SHA_256\"}"
            .formatted(key, Base64.getEncoder().encodeToString(new byte[bytes])));
  }

  /// The queue bounds the memory of its messages: 32 places are 128 KiB.
  @Test
  void longMessagesFillTheQueueOfTheToken()
      throws InterruptedException, ExecutionException, TimeoutException {
    var token = new FaultyToken(SoftHsm.shared().token());
    try (var daemon =
            LoopbackDaemon.withAdmin()
                .wrapping(_ -> token)
                .token("queue: 32")
                .token("lanes: 1")
                .token("probe_interval: 1h")
                .token("hang_timeout: 10m")
                .limit("max_call_time: 10m")
                .start();
        Caller admin = daemon.as("admin")) {
      String key = admin.createKey(KeySpec.KEY_SPEC_HMAC_256);
      byte[] mac = admin.generateMac(key, message(DEFAULT), ALGORITHM);
      try (var gate = token.blocking(Call.SIGN)) {
        List<Future<GenerateMacResponse>> accepted = new ArrayList<>();
        accepted.add(begin(admin, key));
        gate.awaitEntered();
        accepted.add(begin(admin, key));
        accepted.add(begin(admin, key));
        Eventually.holds("two messages wait", () -> daemon.metric("hmacd_token_queue") == 2);
        assertThat(daemon.metric("hmacd_token_queue_places")).isEqualTo(32);
        for (int bytes : new int[] {DEFAULT, 1}) {
          assertThatThrownBy(() -> admin.generateMac(key, message(bytes), ALGORITHM))
              .satisfies(failsWith(Code.RESOURCE_EXHAUSTED, "TOKEN_BUSY"));
        }
        gate.release();
        for (Future<GenerateMacResponse> each : accepted) {
          assertThat(
                  each.get(Eventually.LIMIT.toSeconds(), TimeUnit.SECONDS).getMac().toByteArray())
              .isEqualTo(mac);
        }
      }
    }
  }

  private static Future<GenerateMacResponse> begin(Caller caller, String key) {
    return MacServiceGrpc.newFutureStub(caller.channel())
        .generateMac(
            GenerateMacRequest.newBuilder()
                .setKeyId(key)
                .setMessage(ByteString.copyFrom(message(DEFAULT)))
                .setMacAlgorithm(ALGORITHM)
                .build());
  }

  @Test
  void messageThatTheTokenRefusesIsTooLongAndTheTokenStaysInService() throws IOException {
    SoftHsm hsm = SoftHsm.shared();
    FaultModule module = FaultModule.inFrontOf(hsm);
    Token token = hsm.token(module.file(), false); // Loads the module.
    module.send("longest 1000");
    try (LogWatch log = LogWatch.start();
        var daemon =
            LoopbackDaemon.withAdmin()
                .awsKms()
                .allowingUserAll("user")
                .wrapping(_ -> token)
                .start();
        Caller admin = daemon.as("admin");
        AwsCaller aws = new AwsCaller(daemon, "user")) {
      String key = admin.createKey(KeySpec.KEY_SPEC_HMAC_256);
      byte[] longest = message(1000);
      byte[] mac = admin.generateMac(key, longest, ALGORITHM);
      for (int i = 0; i < 20; i++) {
        assertTooLong(admin, key, 1001, 1000);
        assertTooLong(admin, key, DEFAULT, DEFAULT - 1);
      }
      RawHttp1.Answer refused = generate(aws, key, 1001);
      assertThat(refused.status()).isEqualTo(400);
      assertThat(JsonTree.object(refused.body()).get("__type")).isEqualTo("ValidationException");
      admin.verifyMac(key, longest, mac, ALGORITHM);
      assertThat(daemon.metric("hmacd_token_healthy")).isEqualTo(1);
      log.assertQuietExcept("Token does not take the longest message");
      assertThat(log.lines("NOT_SERVING")).isEmpty();
    }
  }
}
