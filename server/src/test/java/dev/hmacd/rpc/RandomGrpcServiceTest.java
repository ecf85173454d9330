package dev.hmacd.rpc;

import static dev.hmacd.testing.Reasons.failsWith;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import dev.hmacd.access.Action;
import dev.hmacd.testing.Caller;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.token.FaultyToken;
import dev.hmacd.token.FaultyToken.Call;
import dev.hmacd.v1.GenerateRandomRequest;
import dev.hmacd.v1.GenerateRandomResponse;
import dev.hmacd.v1.KeySpec;
import io.grpc.Status.Code;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// GenerateRandom over gRPC: random bytes of the token, for callers with a rule for all keys.
final class RandomGrpcServiceTest {
  private static final FaultyToken token = new FaultyToken(SoftHsm.shared().token());
  private static final LoopbackDaemon daemon =
      LoopbackDaemon.withAdmin()
          .wrapping(_ -> token)
          .allowing("lottery", List.of(Action.GENERATE_RANDOM), "*")
          .allowing("signer", List.of(Action.GENERATE_MAC, Action.VERIFY_MAC), "*");

  private static Caller lottery;

  @BeforeAll
  static void start() {
    daemon.start();
    lottery = daemon.as("lottery");
  }

  @AfterAll
  static void stop() {
    daemon.close();
  }

  private static GenerateRandomResponse generate(Caller caller, int bytes) {
    return caller
        .random()
        .generateRandom(GenerateRandomRequest.newBuilder().setNumberOfBytes(bytes).build());
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 16, 32, 1023, 1024})
  void answerHasTheRequestedNumberOfBytesAndTheirChecksum(int bytes) {
    GenerateRandomResponse answer = generate(lottery, bytes);
    assertThat(answer.getPlaintext().size()).isEqualTo(bytes);
    assertThat(answer.getPlaintextCrc32C())
        .isEqualTo(Checksums.crc32c(answer.getPlaintext().toByteArray()));
  }

  @Test
  void bytesDifferInEachCallAndComeFromTheToken() {
    int before = token.count(Call.RANDOM);
    Set<ByteString> seen = new HashSet<>();
    for (int i = 0; i < 20; i++) {
      assertThat(seen.add(generate(lottery, 32).getPlaintext())).isTrue();
    }
    assertThat(token.count(Call.RANDOM)).isEqualTo(before + 20);
  }

  @ParameterizedTest
  @ValueSource(ints = {Integer.MIN_VALUE, -1, 0, 1025, Integer.MAX_VALUE})
  void numberOutsideOfTheLimitsIsRefused(int bytes) {
    int before = token.count(Call.RANDOM);
    assertThatThrownBy(() -> generate(lottery, bytes))
        .satisfies(failsWith(Code.INVALID_ARGUMENT, "INVALID_FIELD", "field", "number_of_bytes"));
    assertThat(token.count(Call.RANDOM)).isEqualTo(before);
  }

  @Test
  void callerWithoutARuleForTheActionIsDeniedWithoutTouchingTheToken() {
    int before = token.count(Call.RANDOM);
    for (String name : List.of("signer", "stranger")) {
      Caller caller = daemon.as(name);
      assertThatThrownBy(() -> generate(caller, 1))
          .satisfies(
              failsWith(Code.PERMISSION_DENIED, "ACCESS_DENIED", "action", "GenerateRandom"));
    }
    assertThat(token.count(Call.RANDOM)).isEqualTo(before);
  }

  @Test
  void ruleForRandomBytesAllowsNothingElse() {
    assertThat(generate(lottery, 8).getPlaintext().size()).isEqualTo(8);
    String key = daemon.as("admin").createKey(KeySpec.KEY_SPEC_HMAC_256);
    assertThatThrownBy(() -> lottery.generateMac(key, "hello"))
        .satisfies(failsWith(Code.PERMISSION_DENIED, "ACCESS_DENIED"));
  }
}
