package dev.hmacd.log;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.LogWatch;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;

/// An unexpected exception is logged, and does not end a schedule.
final class ScheduledTaskTest {
  @Test
  void exceptionOrErrorDoesNotEndTheSchedule() throws InterruptedException {
    var runs = new CountDownLatch(3);
    Runnable failing =
        () -> {
          runs.countDown();
          if (runs.getCount() % 2 == 0) {
            throw new IllegalStateException("thrown by the test");
          }
          throw new NoClassDefFoundError("thrown by the test");
        };
    try (ScheduledExecutorService schedule = Executors.newSingleThreadScheduledExecutor()) {
      var _ =
          schedule.scheduleAtFixedRate(
              new ScheduledTask("task of the schedule", failing), 0, 1, TimeUnit.MILLISECONDS);
      assertThat(runs.await(Eventually.LIMIT.toSeconds(), TimeUnit.SECONDS)).isTrue();
    }
  }

  @Test
  void logMessageNamesTheTaskAndIsRateLimited() {
    var task =
        new ScheduledTask(
            "task with a rate limit",
            () -> {
              throw new IllegalStateException("thrown by the test");
            });
    try (LogWatch log = LogWatch.start()) {
      task.run();
      task.run();
      assertThat(
              log.count(
                  "Scheduled task failed with an unexpected Java exception",
                  "task with a rate limit"))
          .isEqualTo(1);
    }
  }
}
