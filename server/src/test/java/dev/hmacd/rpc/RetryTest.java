package dev.hmacd.rpc;

import static dev.hmacd.testing.KnownMac.PATH;
import static dev.hmacd.testing.RawHttp2.DATA;
import static dev.hmacd.testing.Reasons.failsWith;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.ByteString;
import dev.hmacd.testing.Caller;
import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.RawHttp2;
import dev.hmacd.testing.RawHttp2.End;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.token.FaultyToken;
import dev.hmacd.usecase.Call;
import dev.hmacd.usecase.CallObserver;
import dev.hmacd.usecase.Outcome;
import dev.hmacd.v1.GenerateMacRequest;
import dev.hmacd.v1.GenerateMacResponse;
import dev.hmacd.v1.KeySpec;
import dev.hmacd.v1.MacAlgorithm;
import dev.hmacd.v1.MacServiceGrpc;
import io.grpc.Status.Code;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// The retry policy of a client's gRPC library repeats the calls that may be repeated, and no other
/// calls with the same status code.
final class RetryTest {
  private static final String PATIENT = "spiffe://test/patient";

  private static final FaultyToken token = new FaultyToken(SoftHsm.shared().token());
  private static final Attempts attempts = new Attempts();
  private static final LoopbackDaemon daemon =
      LoopbackDaemon.withAdmin()
          .allowingAll("patient")
          .token("queue: 1")
          .token("lanes: 1")
          .token("probe_interval: 1h")
          .token("hang_timeout: 10m")
          .limit("max_call_time: 10m")
          .wrapping(_ -> token)
          .observing(attempts);
  private static Caller admin;
  private static Caller patient;
  private static String key = "";

  /// The reasons of the attempts of one client.
  private static final class Attempts implements CallObserver {
    private final List<String> reasons = new CopyOnWriteArrayList<>();

    /// Runs before the client learns that its attempt failed with TOKEN_BUSY.
    private volatile Runnable atBusy = () -> {};

    @Override
    public void concluded(Call call, Outcome outcome) {
      if (call.caller().filter(caller -> caller.name().equals(PATIENT)).isPresent()) {
        reasons.add(outcome.reason());
        if (outcome.reason().equals("TOKEN_BUSY")) {
          atBusy.run();
        }
      }
    }
  }

  @BeforeAll
  static void start() {
    daemon.start();
    admin = daemon.as("admin");
    patient =
        Caller.retrying(
            daemon.port(),
            daemon.ca(),
            daemon.ca().client("patient"),
            Code.UNAVAILABLE,
            Code.RESOURCE_EXHAUSTED);
    key = admin.createKey(KeySpec.KEY_SPEC_HMAC_256);
    byte[] _ = admin.generateMac(key, "hello"); // The lane knows the key from now on.
  }

  @BeforeEach
  void forgetAttempts() {
    attempts.reasons.clear();
  }

  @AfterAll
  static void stop() {
    patient.close();
    daemon.close();
  }

  private static GenerateMacRequest request(int bytes) {
    return GenerateMacRequest.newBuilder()
        .setKeyId(key)
        .setMessage(ByteString.copyFrom(new byte[bytes]))
        .setMacAlgorithm(MacAlgorithm.MAC_ALGORITHM_HMAC_SHA_256)
        .build();
  }

  @Test
  void requestThatIsTooLongIsSentOnce() {
    assertThatThrownBy(() -> patient.macs().generateMac(request(300_000)))
        .satisfies(failsWith(Code.RESOURCE_EXHAUSTED, "REQUEST_TOO_LONG"));
    assertThat(attempts.reasons).containsExactly("REQUEST_TOO_LONG");
  }

  @Test
  void callThatFindsTheQueueFullIsRepeated()
      throws InterruptedException, ExecutionException, TimeoutException {
    int before = token.count(FaultyToken.Call.SIGN);
    try (var gate = token.blocking(FaultyToken.Call.SIGN)) {
      Future<GenerateMacResponse> running = generateMac();
      gate.awaitEntered();
      Future<GenerateMacResponse> waiting = generateMac();
      Eventually.holds("an operation waits", () -> daemon.metric("hmacd_token_queue") == 1);
      attempts.atBusy =
          () -> {
            gate.release();
            Eventually.holds(
                "the lane has taken the waiting operation",
                () -> token.count(FaultyToken.Call.SIGN) >= before + 2);
          };
      byte[] mac = patient.macs().generateMac(request(5)).getMac().toByteArray();
      assertThat(attempts.reasons).containsExactly("TOKEN_BUSY", "OK");
      for (Future<GenerateMacResponse> each : List.of(running, waiting)) {
        assertThat(each.get(Eventually.LIMIT.toSeconds(), TimeUnit.SECONDS).getMac().toByteArray())
            .isEqualTo(mac);
      }
    }
  }

  private static Future<GenerateMacResponse> generateMac() {
    return MacServiceGrpc.newFutureStub(admin.channel()).generateMac(request(5));
  }

  /// gRPC itself would refuse this request without the trailer.
  @Test
  void retryIsForbiddenAlsoIfTheLengthOfTheRequestArrivesInPieces() throws IOException {
    try (RawHttp2 caller = daemon.raw("admin").preface()) {
      caller.call(1, PATH);
      for (int each : new int[] {0, 0xff, 0xff, 0xff, 0xff}) {
        caller.frame(DATA, 0, 1, each);
      }
      assertThat(caller.end(1).withoutText())
          .isEqualTo(new End.Answered(Code.RESOURCE_EXHAUSTED, "REQUEST_TOO_LONG", ""));
      assertThat(caller.received()).containsEntry("grpc-retry-pushback-ms", "-1");
    }
  }
}
