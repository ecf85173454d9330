package dev.hmacd.token;

import dev.hmacd.log.LogRateLimiter;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Watchdog of the lanes of a token, with a thread of its own. Fails each operation with `LATE` at
/// its deadline. A hanging native call does not delay the failure. Replaces a lane that hangs.
final class LaneWatchdog {
  /// Interval of the watchdog's checks; an operation fails at most this long after its deadline.
  private static final Duration INTERVAL = Duration.ofMillis(20);

  private static final Logger log = LoggerFactory.getLogger(LaneWatchdog.class);

  private final Token token;
  private final Lanes lanes;
  private final WorkQueue queue;
  private final Duration hang;
  private final int maxReplaced;
  private final LogRateLimiter failedChecks = new LogRateLimiter();
  private final Thread thread =
      Thread.ofPlatform().name("hmacd-lane-watch").daemon().unstarted(this::run);

  /// Whether the message about the maximum number of replaced lanes was logged. Used by the
  /// watchdog's thread only.
  private boolean maximumLogged;

  /// @param hang duration of an operation after which its lane is replaced
  /// @param maxReplaced maximum number of replaced lanes that hang in PKCS#11 calls at the same
  ///   time
  LaneWatchdog(Token token, Lanes lanes, WorkQueue queue, Duration hang, int maxReplaced) {
    this.token = token;
    this.lanes = lanes;
    this.queue = queue;
    this.hang = hang;
    this.maxReplaced = maxReplaced;
  }

  void start() {
    thread.start();
  }

  void stop() {
    thread.interrupt();
  }

  private void run() {
    try {
      while (true) {
        TimeUnit.NANOSECONDS.sleep(INTERVAL.toNanos());
        try {
          long now = System.nanoTime();
          queue.failExpired(now);
          failRunning(now);
          replaceHanging(now);
        } catch (RuntimeException | Error e) {
          // A failed check must not end the watchdog.
          logFailedCheck(e);
        }
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  private void logFailedCheck(Throwable cause) {
    long times = failedChecks.happened();
    if (times > 0) {
      log.atError()
          .addKeyValue("token_serial", token.info().serial())
          .addKeyValue("times", times)
          .setCause(cause)
          .log("Lane watchdog check failed; the next check follows");
    }
  }

  private void failRunning(long now) {
    for (Lane lane : lanes.all()) {
      Job<?> running = lane.current();
      if (running == null) {
        continue;
      }
      if (running.isExpired(now)) {
        running.late();
      } else if (running.isRepeatable() && !running.mayRun(token.circuit())) {
        // The job may hang until its deadline. Another token may serve the call meanwhile.
        running.failed(WorkQueue.outOfService());
      }
    }
  }

  private void replaceHanging(long now) {
    for (Lane lane : List.copyOf(lanes.all())) {
      if (queue.isStopping() || lane.isRetired() || !lane.hangs(now, hang.toNanos())) {
        continue;
      }
      if (lanes.hanging() >= maxReplaced) {
        if (!maximumLogged) {
          maximumLogged = true;
          log.atError()
              .addKeyValue("token_serial", token.info().serial())
              .addKeyValue("replaced", lanes.hanging())
              .log("Hanging lane not replaced: the limit max_replaced_lanes is reached");
        }
        return;
      }
      if (!lanes.replace(lane)) {
        return;
      }
      maximumLogged = false;
      log.atWarn()
          .addKeyValue("token_serial", token.info().serial())
          .addKeyValue("hanging", lanes.hanging())
          .log("Lane replaced: its PKCS#11 call hangs");
    }
  }
}
