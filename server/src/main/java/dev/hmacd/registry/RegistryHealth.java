package dev.hmacd.registry;

import dev.hmacd.log.LogRateLimiter;
import java.io.IOException;
import java.nio.file.Path;
import java.sql.SQLException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.spi.LoggingEventBuilder;

/// Health of the registry's file: not healthy from a failed operation until the next successful
/// operation. After a failed change, only a successful change proves the health, because reads of a
/// file on a full disk succeed.
///
/// Logs failures at a limited rate. [RegistryStore]'s thread reports the operations; any thread may
/// call [#isHealthy].
final class RegistryHealth {
  private static final Logger log = LoggerFactory.getLogger(RegistryHealth.class);

  private final Path file;
  private final LogRateLimiter failures = new LogRateLimiter();
  private final LogRateLimiter recoveries = new LogRateLimiter();

  /// The failed operation that no successful operation has followed; null if there is none.
  private volatile @Nullable Operation failed;

  /// Kind of an operation on the file.
  enum Operation {
    READ,
    CHANGE
  }

  RegistryHealth(Path file) {
    this.file = file;
  }

  boolean isHealthy() {
    return failed == null;
  }

  void succeeded(Operation operation) {
    Operation before = failed;
    if (before == null || (before == Operation.CHANGE && operation == Operation.READ)) {
      return;
    }
    failed = null;
    long times = recoveries.happened();
    if (times > 0) {
      log.atInfo()
          .addKeyValue("registry", file)
          .addKeyValue("times", times)
          .log("The registry can be read and written again");
    }
  }

  void failed(Operation operation, Throwable cause) {
    if (failed != Operation.CHANGE) {
      failed = operation;
    }
    long times = failures.happened();
    if (times == 0) {
      return;
    }
    LoggingEventBuilder line =
        log.atError()
            .addKeyValue("registry", file)
            .addKeyValue("reason", reason(cause))
            .addKeyValue("times", times);
    (isExpected(cause) ? line : line.setCause(cause)).log("The registry cannot be read or written");
  }

  private static String reason(Throwable cause) {
    return String.valueOf(cause instanceof RegistryException ? cause.getMessage() : cause);
  }

  /// Whether the message of the failure suffices, without a stack trace.
  private static boolean isExpected(Throwable cause) {
    return cause instanceof SQLException
        || cause instanceof IOException
        || cause instanceof RegistryException;
  }
}
