package dev.hmacd.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.testing.Caller;
import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.token.FaultyToken;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import java.util.List;
import org.junit.jupiter.api.Test;

/// What load balancers and orchestrators are told (`grpc.health.v1`).
final class HealthTest {
  private static final List<String> SERVICES =
      List.of("", "hmacd.v1.MacService", "hmacd.v1.KeyService");

  private static ServingStatus check(Caller caller, String service) {
    return HealthGrpc.newBlockingStub(caller.channel())
        .check(HealthCheckRequest.newBuilder().setService(service).build())
        .getStatus();
  }

  private static boolean all(Caller caller, ServingStatus status) {
    return SERVICES.stream().allMatch(service -> check(caller, service) == status);
  }

  @Test
  void daemonServesOnceTheTokenHasGivenTheKnownAnswer() {
    try (var daemon = LoopbackDaemon.withAdmin().token("lanes: 1")) {
      // Makes the probe key, so that the next start does no more than ask for its MAC.
      daemon.start();
      daemon.daemon().close();
      var token = new FaultyToken(SoftHsm.shared().token());
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
  void serviceThatThereIsNotIsUnknown() {
    try (var daemon = LoopbackDaemon.withAdmin().start()) {
      Caller caller = daemon.as("anybody");
      assertThatThrownBy(() -> check(caller, "hmacd.v2.MacService"))
          .isInstanceOfSatisfying(
              StatusRuntimeException.class,
              e -> assertThat(e.getStatus().getCode()).isEqualTo(Code.NOT_FOUND));
    }
  }
}
