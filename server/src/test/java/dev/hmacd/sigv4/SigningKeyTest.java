package dev.hmacd.sigv4;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.testing.AwsCaller;
import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.RawHttp1;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.token.FaultyToken;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/// The token computes the signing key of an access key once a day.
final class SigningKeyTest {
  private static final int REQUESTS = 20;

  private final FaultyToken token = new FaultyToken(SoftHsm.shared().token());
  private final LoopbackDaemon daemon =
      LoopbackDaemon.on(SoftHsm.shared())
          .awsKms()
          .allowingUserAll("admin")
          .wrapping(_ -> token)
          .token("probe_interval: 1h")
          .token("lanes: 1");
  private final List<RawHttp1> callers = new ArrayList<>();

  @AfterEach
  void close() throws IOException {
    for (RawHttp1 caller : callers) {
      caller.close();
    }
    daemon.close();
  }

  private RawHttp1 send(AwsCaller user) throws IOException {
    RawHttp1 caller = RawHttp1.to(daemon.awsPort());
    callers.add(caller);
    return caller.write(user.bytes("ListKeys", "{}"));
  }

  @Test
  void concurrentRequestsShareOneSigningKeyComputation() throws IOException {
    daemon.start();
    try (var user = new AwsCaller(daemon, "admin")) {
      int before = token.count(FaultyToken.Call.SIGN);
      try (var gate = token.blocking(FaultyToken.Call.SIGN)) {
        for (int i = 0; i < REQUESTS; i++) {
          var _ = send(user);
        }
        gate.awaitEntered();
        Eventually.holds(
            "all requests are in flight",
            () -> daemon.metric("hmacd_aws_kms_requests") == REQUESTS);
      }
      for (RawHttp1 caller : callers) {
        assertThat(caller.read().status()).isEqualTo(200);
      }
      assertThat(send(user).read().status()).isEqualTo(200);
      assertThat(token.count(FaultyToken.Call.SIGN) - before).isEqualTo(1);
    }
  }

  @Test
  void signingKeyIsComputedAgainAfterAFailure() throws IOException {
    daemon.start();
    try (var user = new AwsCaller(daemon, "admin")) {
      // The first attempt, and the retry on a new session.
      token.failing(FaultyToken.Call.SIGN, 2, FaultyToken.CKR_DEVICE_ERROR);
      assertThat(send(user).read().status()).isEqualTo(500);
      assertThat(send(user).read().status()).isEqualTo(200);
    }
  }
}
