package dev.hmacd.usecase;

import static dev.hmacd.testing.Reasons.failsWith;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.common.util.concurrent.ListenableFuture;
import com.google.protobuf.ByteString;
import dev.hmacd.testing.Caller;
import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.token.FaultyToken;
import dev.hmacd.token.FaultyToken.Call;
import dev.hmacd.token.FaultyToken.Gate;
import dev.hmacd.v1.GenerateMacRequest;
import dev.hmacd.v1.GenerateMacResponse;
import dev.hmacd.v1.KeySpec;
import dev.hmacd.v1.MacAlgorithm;
import dev.hmacd.v1.MacServiceGrpc;
import dev.hmacd.v1.VerifyMacRequest;
import dev.hmacd.v1.VerifyMacResponse;
import io.grpc.Status.Code;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// A change of a key while its MAC waits in the work queue. The lane checks the decision again
/// before C_SignInit.
final class WithdrawalTest {
  private final FaultyToken token = new FaultyToken(SoftHsm.shared().token());
  private final LoopbackDaemon daemon =
      LoopbackDaemon.withAdmin().wrapping(_ -> token).token("lanes: 1").token("probe_interval: 1h");

  @SuppressWarnings("NullAway.Init") // start() sets it.
  private Caller admin;

  private String key = "";

  @BeforeEach
  void start() {
    admin = daemon.start().as("admin");
    key = admin.createKey(KeySpec.KEY_SPEC_HMAC_256);
    // The first MAC of a lane also computes the check value.
    assertThat(admin.generateMac(key, "hello")).hasSize(32);
  }

  @AfterEach
  void stop() {
    daemon.close();
  }

  /// Requests a MAC, and returns when the daemon has read the request: a connection's requests are
  /// read in order.
  private ListenableFuture<GenerateMacResponse> queued() {
    ListenableFuture<GenerateMacResponse> mac = request();
    var _ = admin.describe(key);
    return mac;
  }

  private ListenableFuture<GenerateMacResponse> request() {
    return MacServiceGrpc.newFutureStub(admin.channel())
        .generateMac(
            GenerateMacRequest.newBuilder()
                .setKeyId(key)
                .setMessage(ByteString.copyFromUtf8("hello"))
                .setMacAlgorithm(MacAlgorithm.MAC_ALGORITHM_HMAC_SHA_256)
                .build());
  }

  private static byte[] mac(ListenableFuture<GenerateMacResponse> answer) throws Exception {
    return answer.get(Eventually.LIMIT.toSeconds(), TimeUnit.SECONDS).getMac().toByteArray();
  }

  private static void requireNotUsable(ListenableFuture<?> mac) {
    assertThatThrownBy(() -> mac.get(Eventually.LIMIT.toSeconds(), TimeUnit.SECONDS))
        .isInstanceOf(ExecutionException.class)
        .cause()
        .satisfies(failsWith(Code.FAILED_PRECONDITION, "KEY_NOT_USABLE"));
  }

  @Test
  void macOfADisabledKeyInTheQueueNeverReachesTheToken() {
    try (Gate gate = token.blocking(Call.SIGN)) {
      ListenableFuture<GenerateMacResponse> running = request();
      gate.awaitEntered();
      int signed = token.count(Call.SIGN);
      ListenableFuture<GenerateMacResponse> waiting = queued();
      admin.disable(key);
      gate.release();
      requireNotUsable(running);
      requireNotUsable(waiting);
      assertThat(token.count(Call.SIGN)).isEqualTo(signed);
    }
  }

  @Test
  void verificationUnderADisabledKeyInTheQueueNeverReachesTheToken() {
    try (Gate gate = token.blocking(Call.SIGN)) {
      ListenableFuture<GenerateMacResponse> running = request();
      gate.awaitEntered();
      int signed = token.count(Call.SIGN);
      ListenableFuture<VerifyMacResponse> waiting =
          MacServiceGrpc.newFutureStub(admin.channel())
              .verifyMac(
                  VerifyMacRequest.newBuilder()
                      .setKeyId(key)
                      .setMessage(ByteString.copyFromUtf8("hello"))
                      .setMac(ByteString.copyFrom(new byte[32]))
                      .setMacAlgorithm(MacAlgorithm.MAC_ALGORITHM_HMAC_SHA_256)
                      .build());
      var _ = admin.describe(key);
      admin.disable(key);
      gate.release();
      requireNotUsable(running);
      requireNotUsable(waiting);
      assertThat(token.count(Call.SIGN)).isEqualTo(signed);
    }
  }

  @Test
  void changeThatLeavesTheKeyUsableDoesNotWithdrawItsMacs() throws Exception {
    try (Gate gate = token.blocking(Call.SIGN)) {
      ListenableFuture<GenerateMacResponse> running = request();
      gate.awaitEntered();
      ListenableFuture<GenerateMacResponse> waiting = queued();
      admin.disable(key);
      admin.enable(key);
      gate.release();
      assertThat(mac(waiting)).hasSize(32).isEqualTo(mac(running));
    }
  }
}
