package dev.hmacd.token;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.FaultModule;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.MacLoad;
import dev.hmacd.testing.SoftHsm;
import io.grpc.Status;
import java.time.Duration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/// A token that starts to compute MACs with one wrong bit.
@Tag("slow")
final class WrongMacTest {
  private final FaultModule module = FaultModule.inFrontOf(SoftHsm.shared());
  private final LoopbackDaemon daemon =
      LoopbackDaemon.on(SoftHsm.shared())
          .allowingSocket()
          .module(module.file())
          .token("probe_interval: 50ms");

  @SuppressWarnings("NullAway.Init") // start() sets it.
  private MacLoad load;

  private void start(boolean verify) {
    daemon.wrapping(_ -> SoftHsm.shared().token(module.file(), verify)).start();
    load = new MacLoad(daemon.onSocket(), 2, Duration.ofSeconds(60)).start(4);
    load.awaitSuccess(200);
  }

  @AfterEach
  void close() {
    load.close();
    daemon.close();
  }

  private boolean isServing() {
    return daemon.metric("hmacd_token_healthy") == 1;
  }

  /// After a failed health check no MAC is released until ten consecutive health checks succeed.
  @Test
  void tokenIsOutOfServiceWithinOneHealthCheckInterval() {
    start(false);
    long before = load.right();
    long start = System.nanoTime();
    module.send("flip all");
    Eventually.holds("the token is out of service", () -> !isServing());
    Duration noticed = Duration.ofNanos(System.nanoTime() - start);
    Eventually.holds("no lane is busy", () -> daemon.metric("hmacd_lanes_busy") == 0);
    long wrong = load.wrong();
    long goal = load.failed() + 500;
    Eventually.holds("calls fail", () -> load.failed() >= goal);
    assertThat(load.failures()).containsOnlyKeys(Status.Code.UNAVAILABLE);
    // These answers were sent before the failed health check.
    assertThat(load.wrong() - wrong).isLessThanOrEqualTo(4);
    System.out.printf(
        "wrong MACs: %d released within %d ms, at a health check interval of 50 ms; %d right before%n",
        load.wrong(), noticed.toMillis(), before);
    module.send("clear");
    Eventually.holds("the token is back in service", this::isServing);
    long wrongInAll = load.wrong();
    load.awaitSuccess(500);
    assertThat(load.wrong()).isEqualTo(wrongInAll);
  }

  @Test
  void verifiedMacsAreNeverWrong() {
    start(true);
    assertThat(module.count("C_Verify")).isGreaterThan(200);
    for (int i = 0; i < 20; i++) {
      long failed = load.failed();
      module.send("flip " + (i % 2 == 0 ? "1" : "all"));
      Eventually.holds("the token is out of service", () -> load.failed() > failed);
      module.send("clear");
      Eventually.holds("the token is back in service", this::isServing);
      load.awaitSuccess(50);
    }
    assertThat(load.wrong()).isZero();
    assertThat(load.failures()).containsOnlyKeys(Status.Code.UNAVAILABLE);
  }
}
