package dev.hmacd.rpc;

import static dev.hmacd.testing.RawHttp2.DATA;
import static dev.hmacd.testing.RawHttp2.message;
import static dev.hmacd.testing.Reasons.failsWith;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.testing.Caller;
import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.RawHttp2;
import dev.hmacd.testing.RawHttp2.End;
import dev.hmacd.testing.Seen;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.testing.TestCa;
import dev.hmacd.token.FaultyToken;
import io.grpc.Status.Code;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import javax.net.ssl.SSLContext;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// The health service for load balancers and orchestrators (`grpc.health.v1`).
@Tag("slow")
final class HealthGrpcServiceTest {
  private static final String CHECK = "/grpc.health.v1.Health/Check";
  private static final String WATCH = "/grpc.health.v1.Health/Watch";
  private static final String LIST = "/grpc.health.v1.Health/List";
  private static final String REFLECTION =
      "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo";
  private static final String REFLECTION_ALPHA =
      "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";

  private static final List<String> SERVICES =
      List.of("", "hmacd.v1.MacService", "hmacd.v1.KeyService", "hmacd.v1.RandomService");

  private static ServingStatus check(Caller caller, String service) {
    return HealthGrpc.newBlockingStub(caller.channel())
        .check(HealthCheckRequest.newBuilder().setService(service).build())
        .getStatus();
  }

  private static boolean all(Caller caller, ServingStatus status) {
    return SERVICES.stream().allMatch(service -> check(caller, service) == status);
  }

  @Test
  void daemonServesAfterTheFirstHealthCheckOfTheToken() {
    try (var daemon = LoopbackDaemon.withAdmin().token("lanes: 1")) {
      // Creates the probe key, so the next start only computes its MAC.
      daemon.start();
      daemon.daemon().close();
      var token = new FaultyToken(SoftHsm.shared().token());
      // The trial of the longest message computes two MACs before the first health check.
      token.passing(FaultyToken.Call.SIGN).passing(FaultyToken.Call.SIGN);
      var gate = token.blocking(FaultyToken.Call.SIGN);
      daemon.wrapping(_ -> token);
      daemon.open();
      gate.awaitEntered();
      Caller caller = daemon.as("anybody");
      assertThat(all(caller, ServingStatus.NOT_SERVING)).isTrue();
      gate.close();
      Eventually.holds("all services serve", () -> all(caller, ServingStatus.SERVING));
    }
  }

  @Test
  void checkOfAnUnknownServiceIsRefused() {
    try (var daemon = LoopbackDaemon.withAdmin().start()) {
      Caller caller = daemon.as("anybody");
      assertThatThrownBy(() -> check(caller, "hmacd.v2.MacService"))
          .satisfies(failsWith(Code.NOT_FOUND, "SERVICE_NOT_FOUND"));
      assertThatThrownBy(() -> check(caller, "x".repeat(257)))
          .satisfies(failsWith(Code.INVALID_ARGUMENT, "INVALID_FIELD", "field", "service"));
      assertThatThrownBy(() -> watch(caller, "x".repeat(257)).end())
          .cause()
          .satisfies(failsWith(Code.INVALID_ARGUMENT, "INVALID_FIELD", "field", "service"));
    }
  }

  private static Seen<HealthCheckResponse> watch(Caller caller, String service) {
    var seen = new Seen<HealthCheckResponse>();
    HealthGrpc.newStub(caller.channel())
        .watch(HealthCheckRequest.newBuilder().setService(service).build(), seen);
    return seen;
  }

  @Test
  void watchReceivesEachChangeUntilItsCertificateIsNoLongerTrusted() throws Exception {
    var token = new FaultyToken(SoftHsm.shared().token());
    try (var daemon = LoopbackDaemon.withAdmin().wrapping(_ -> token)) {
      daemon.token("probe_interval: 50ms").limit("max_call_time: 10m").start();
      Caller other = daemon.as("anybody");
      assertThat(check(other, "")).isEqualTo(ServingStatus.SERVING);
      Caller caller = daemon.as("anybody");
      Seen<HealthCheckResponse> all = watch(caller, "");
      Seen<HealthCheckResponse> macs = watch(caller, "hmacd.v1.MacService");
      Seen<HealthCheckResponse> unknown = watch(caller, "hmacd.v2.MacService");
      assertThat(unknown.next().getStatus()).isEqualTo(ServingStatus.SERVICE_UNKNOWN);
      assertThat(all.next().getStatus()).isEqualTo(ServingStatus.SERVING);
      assertThat(macs.next().getStatus()).isEqualTo(ServingStatus.SERVING);
      token.wrongMacs(true);
      assertThat(all.next().getStatus()).isEqualTo(ServingStatus.NOT_SERVING);
      assertThat(macs.next().getStatus()).isEqualTo(ServingStatus.NOT_SERVING);

      daemon.write("ca.pem", new TestCa("another").pem());
      daemon.daemon().reloadTls();
      token.wrongMacs(false);
      for (Seen<HealthCheckResponse> each : List.of(all, macs)) {
        assertThatThrownBy(each::end)
            .cause()
            .satisfies(failsWith(Code.UNAUTHENTICATED, "UNAUTHENTICATED"));
      }
      assertThatThrownBy(() -> check(other, ""))
          .satisfies(failsWith(Code.UNAUTHENTICATED, "UNAUTHENTICATED"));
      assertThat(unknown.isOpen()).isTrue();
    }
  }

  @Test
  void watchesAreSharedBetweenPrincipalsAndFreePlacesReused() throws IOException {
    byte[] request = message(0);
    try (var daemon = LoopbackDaemon.withAdmin().start()) {
      List<RawHttp2> watchers = new ArrayList<>();
      for (int open = 0; open < HealthGrpcService.MAX_WATCHES; open += 256) {
        RawHttp2 watcher = daemon.raw("anybody").preface();
        watchers.add(watcher);
        for (int i = 0; i < 256; i++) {
          watcher.call(1 + 2 * i, WATCH).data(1 + 2 * i, request);
        }
        watcher.awaitMessage(511);
      }
      try (RawHttp2 late = daemon.raw("anybody").preface()) {
        late.call(1, WATCH).data(1, request);
        assertThat(late.end(1).withoutText())
            .isEqualTo(answered(Code.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED"));
      }
      try (RawHttp2 other = daemon.raw("other").preface()) {
        other.call(1, WATCH).data(1, request);
        other.awaitMessage(1);
        assertThat(watchers.getFirst().end(1).withoutText())
            .isEqualTo(answered(Code.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED"));
      }
      watchers.removeFirst().close();
      Caller next = daemon.as("next");
      Eventually.holds("a watch is accepted again", () -> watch(next, "").isServed());
      for (RawHttp2 each : watchers) {
        each.close();
      }
    }
  }

  /// Each method with a malformed request, an unfinished request, and an unauthenticated caller.
  @ParameterizedTest
  @ValueSource(strings = {CHECK, WATCH, LIST, REFLECTION, REFLECTION_ALPHA})
  void invalidCallEndsWithAnErrorOfTheContract(String path) throws IOException {
    try (var daemon = LoopbackDaemon.withAdmin().limit("max_call_time: 1s").start();
        RawHttp2 caller = daemon.raw("anybody").preface()) {
      caller.call(1, path).data(1, message(0, (byte) 0xff, (byte) 0xff));
      assertThat(caller.end(1).withoutText())
          .isEqualTo(answered(Code.INVALID_ARGUMENT, "INVALID_FIELD"));
      caller.call(3, path).frame(DATA, 0, 3, 0, 0);
      assertThat(caller.end(3).withoutText())
          .isEqualTo(answered(Code.DEADLINE_EXCEEDED, "DEADLINE_EXCEEDED"));
      SSLContext nobody = daemon.ca().context(daemon.ca().issue(b -> b.subject("O=nobody")));
      try (RawHttp2 stranger =
          new RawHttp2(nobody.getSocketFactory().createSocket("127.0.0.1", daemon.port()))) {
        stranger.preface().call(1, path);
        assertThat(stranger.end(1).withoutText())
            .isEqualTo(answered(Code.UNAUTHENTICATED, "UNAUTHENTICATED"));
      }
    }
  }

  @Test
  void concurrentReflectionCallsAreLimited() throws IOException {
    try (var daemon = LoopbackDaemon.withAdmin().start();
        RawHttp2 caller = daemon.raw("anybody").preface()) {
      for (int i = 0; i <= ReflectionGrpcService.MAX_CALLS; i++) {
        caller.call(1 + 2 * i, i % 2 == 0 ? REFLECTION : REFLECTION_ALPHA);
      }
      assertThat(caller.end(1 + 2 * ReflectionGrpcService.MAX_CALLS).withoutText())
          .isEqualTo(answered(Code.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED"));
      try (RawHttp2 other = daemon.raw("other").preface()) {
        other.call(1, REFLECTION).data(1);
        assertThat(other.end(1).withoutText()).isEqualTo(answered(Code.OK, ""));
        assertThat(caller.end(1).withoutText())
            .isEqualTo(answered(Code.RESOURCE_EXHAUSTED, "LIMIT_EXCEEDED"));
      }
      caller.data(3);
      assertThat(caller.end(3).withoutText()).isEqualTo(answered(Code.OK, ""));
      caller.call(999, REFLECTION_ALPHA).data(999);
      assertThat(caller.end(999).withoutText()).isEqualTo(answered(Code.OK, ""));
    }
  }

  private static End answered(Code code, String reason) {
    return new End.Answered(code, reason, "");
  }
}
