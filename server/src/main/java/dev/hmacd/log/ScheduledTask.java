package dev.hmacd.log;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// A task of a schedule that logs its unexpected exceptions, rate-limited. A scheduler stores an
/// uncaught exception in a future that nobody reads, and never runs the periodic task again.
public final class ScheduledTask implements Runnable {
  private static final Logger log = LoggerFactory.getLogger(ScheduledTask.class);

  private final String name;
  private final Runnable task;
  private final LogRateLimiter failures = new LogRateLimiter();

  /// @param name name of the task, for log messages
  public ScheduledTask(String name, Runnable task) {
    this.name = name;
    this.task = task;
  }

  @Override
  public void run() {
    try {
      task.run();
    } catch (RuntimeException | Error e) {
      long times = failures.happened();
      if (times > 0) {
        log.atError()
            .addKeyValue("task", name)
            .addKeyValue("times", times)
            .setCause(e)
            .log("Scheduled task failed with an unexpected Java exception");
      }
    }
  }
}
