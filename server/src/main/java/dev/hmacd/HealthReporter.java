package dev.hmacd;

import dev.hmacd.rpc.Health;
import dev.hmacd.token.HealthCheck;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Reports changes of the tokens' health to the health service and to the log.
final class HealthReporter implements HealthCheck.Listener {
  private static final Logger log = LoggerFactory.getLogger(HealthReporter.class);

  private final Health health;
  private final boolean exitWhenLost;
  private final Runnable onLost;

  /// @param onLost called when no token is in service, if `exitWhenLost`
  HealthReporter(Health health, boolean exitWhenLost, Runnable onLost) {
    this.health = health;
    this.exitWhenLost = exitWhenLost;
    this.onLost = onLost;
  }

  @Override
  public void healthy(boolean is) {
    health.setServing(is);
    if (is) {
      log.atInfo().log("The token gives the known answer: SERVING");
    } else {
      log.atError().log("The token does not give the known answer: NOT_SERVING");
    }
  }

  @Override
  public void lost() {
    log.atError()
        .log(
            exitWhenLost
                ? "Exiting with status 75: no token is in service (exit_when_lost)"
                : "No token is in service: a restart may help (exit_when_lost)");
    if (exitWhenLost) {
      onLost.run();
    }
  }
}
