package dev.hmacd;

import dev.hmacd.rpc.HealthGrpcService;
import dev.hmacd.token.TokenPool;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Listener that reports changes of the tokens' health to the gRPC health service and to the log.
final class HealthReporter implements TokenPool.Listener {
  private static final Logger log = LoggerFactory.getLogger(HealthReporter.class);

  private final HealthGrpcService health;
  private final Consumer<String> inService;
  private final boolean exitWhenLost;
  private final Runnable onLost;

  /// @param inService called with the serial number of each token that comes into service
  /// @param onLost called when a token is lost and no token is in service, if `exitWhenLost`
  HealthReporter(
      HealthGrpcService health, Consumer<String> inService, boolean exitWhenLost, Runnable onLost) {
    this.health = health;
    this.inService = inService;
    this.exitWhenLost = exitWhenLost;
    this.onLost = onLost;
  }

  @Override
  public void healthy(boolean is) {
    health.setServing(is);
    if (is) {
      log.atInfo().log("Health check passed on a token; health status: SERVING");
    } else {
      log.atError().log("Health check failed on all tokens; health status: NOT_SERVING");
    }
  }

  @Override
  public void inService(String serial) {
    inService.accept(serial);
  }

  @Override
  public void lost() {
    log.atError()
        .log(
            exitWhenLost
                ? "No token is in service, and one exceeded lost_after; exiting with status 75"
                : "No token is in service, and one exceeded lost_after; restart the daemon, or set"
                    + " exit_when_lost");
    if (exitWhenLost) {
      onLost.run();
    }
  }
}
