package dev.hmacd.rpc;

import static dev.hmacd.testing.RawHttp2.RST_STREAM;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.testing.Caller;
import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.RawHttp2;
import dev.hmacd.testing.RawHttp2.End;
import dev.hmacd.testing.Reasons;
import dev.hmacd.testing.Seen;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.token.FaultyToken;
import dev.hmacd.v1.KeySpec;
import io.grpc.Status.Code;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.reflection.v1.ServerReflectionGrpc;
import io.grpc.reflection.v1.ServerReflectionRequest;
import io.grpc.reflection.v1.ServerReflectionResponse;
import java.net.SocketException;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/// A stop completes accepted calls, informs watches, and does not wait for other streams.
final class StopTest {
  /// A long drain: a stop that waits unnecessarily exceeds [#LIMIT].
  private static final String LONG_DRAIN = "drain: 3m";

  /// Shorter than the drain, and much longer than a stop.
  private static final Duration LIMIT = Duration.ofMinutes(2);

  private static final long LONG = Eventually.LIMIT.toSeconds();
  private static final Executor OWN_THREAD = task -> Thread.ofPlatform().start(task);

  private final FaultyToken token = new FaultyToken(SoftHsm.shared().token());
  private final LoopbackDaemon daemon =
      LoopbackDaemon.withAdmin().wrapping(_ -> token).token("probe_interval: 1h");

  @AfterEach
  void close() {
    daemon.close();
  }

  private Seen<HealthCheckResponse> watching(Caller caller) {
    var seen = new Seen<HealthCheckResponse>();
    HealthGrpc.newStub(caller.channel()).watch(HealthCheckRequest.getDefaultInstance(), seen);
    return seen;
  }

  private Duration stopped() {
    long start = System.nanoTime();
    daemon.daemon().close();
    return Duration.ofNanos(System.nanoTime() - start);
  }

  @Test
  void callInFlightIsAnsweredAfterWatchesHaveEnded() throws Exception {
    daemon.limit(LONG_DRAIN).start();
    Caller admin = daemon.as("admin");
    String key = admin.createKey(KeySpec.KEY_SPEC_HMAC_256);
    byte[] mac = admin.generateMac(key, "hello");
    Seen<HealthCheckResponse> watch = watching(admin);
    assertThat(watch.next().getStatus()).isEqualTo(ServingStatus.SERVING);

    CompletableFuture<byte[]> call;
    CompletableFuture<Duration> stop;
    try (var gate = token.blocking(FaultyToken.Call.SIGN)) {
      call = CompletableFuture.supplyAsync(() -> admin.generateMac(key, "hello"), OWN_THREAD);
      gate.awaitEntered();
      stop = CompletableFuture.supplyAsync(this::stopped, OWN_THREAD);
      assertThat(watch.next().getStatus()).isEqualTo(ServingStatus.NOT_SERVING);
      assertThatThrownBy(watch::end)
          .cause()
          .satisfies(Reasons.failsWith(Code.UNAVAILABLE, "STOPPING"));
      assertThat(call).isNotDone();
      assertThat(stop).isNotDone();
    }
    assertThat(call.get(LONG, TimeUnit.SECONDS)).isEqualTo(mac);
    assertThat(stop.get(LONG, TimeUnit.SECONDS)).isLessThan(LIMIT);
  }

  @Test
  void stopDoesNotWaitForOpenStreams() throws Exception {
    daemon.limit(LONG_DRAIN).start();
    Caller admin = daemon.as("admin");
    Seen<HealthCheckResponse> watch = watching(admin);
    assertThat(watch.next().getStatus()).isEqualTo(ServingStatus.SERVING);
    var reflection = new Seen<ServerReflectionResponse>();
    var requests =
        ServerReflectionGrpc.newStub(daemon.as("other").channel()).serverReflectionInfo(reflection);
    requests.onNext(ServerReflectionRequest.newBuilder().setListServices("").build());
    assertThat(reflection.next().getListServicesResponse().getServiceCount()).isGreaterThan(2);
    var alpha = new Seen<io.grpc.reflection.v1alpha.ServerReflectionResponse>();
    var alphaRequests =
        io.grpc.reflection.v1alpha.ServerReflectionGrpc.newStub(daemon.as("third").channel())
            .serverReflectionInfo(alpha);
    alphaRequests.onNext(
        io.grpc.reflection.v1alpha.ServerReflectionRequest.newBuilder()
            .setListServices("")
            .build());
    assertThat(alpha.next().getListServicesResponse().getServiceCount()).isGreaterThan(2);

    assertThat(stopped()).isLessThan(LIMIT);
    for (Seen<?> each : new Seen<?>[] {watch, reflection, alpha}) {
      assertThatThrownBy(each::end)
          .cause()
          .satisfies(Reasons.failsWith(Code.UNAVAILABLE, "STOPPING"));
    }
  }

  @Test
  void stopWaitsForAnUnfinishedRequestUntilTheCallTimeLimit() throws Exception {
    daemon.limit("max_call_time: 1s").limit(LONG_DRAIN).start();
    try (RawHttp2 caller = daemon.raw("admin").preface()) {
      caller.call(1, "/hmacd.v1.MacService/GenerateMac");
      caller.call(3, "/no/such").data(3);
      assertThat(caller.end(3)).isInstanceOf(End.Answered.class);
      var stop = CompletableFuture.supplyAsync(this::stopped, OWN_THREAD);
      assertThat(caller.end(1))
          .isInstanceOfSatisfying(
              End.Answered.class, end -> assertThat(end.code()).isEqualTo(Code.DEADLINE_EXCEEDED));
      try {
        caller.frame(RST_STREAM, 0, 1, 0, 0, 0, 8); // All clients of gRPC send it.
      } catch (SocketException e) {
        // The daemon closed the connection before.
      }
      assertThat(caller.isClosedByPeer()).isTrue();
      assertThat(stop.get(LONG, TimeUnit.SECONDS)).isLessThan(LIMIT);
    }
  }

  @Test
  void hangingCallEndsAtTheDrainLimit() throws Exception {
    daemon.limit("drain: 500ms").start();
    Caller admin = daemon.as("admin");
    String key = admin.createKey(KeySpec.KEY_SPEC_HMAC_256);
    try (var gate = token.blocking(FaultyToken.Call.SIGN)) {
      var call = CompletableFuture.supplyAsync(() -> admin.generateMac(key, "hello"), OWN_THREAD);
      gate.awaitEntered();
      assertThat(stopped()).isBetween(Duration.ofMillis(500), LIMIT);
      assertThatThrownBy(() -> call.get(LONG, TimeUnit.SECONDS))
          .cause()
          .satisfies(Reasons.failsWith(Code.UNAVAILABLE, "STOPPING"));
    }
  }
}
