package dev.hmacd;

import com.google.errorprone.annotations.ThreadSafe;
import java.time.Clock;
import java.time.Instant;

/// The result of the last load of files that the running daemon loads again.
@ThreadSafe
@SuppressWarnings("ThreadSafe") // Clock is thread-safe.
final class ReloadStatus {
  private final Clock clock;
  private volatile boolean refused;
  private volatile Instant loaded;

  /// The status at the start of the daemon, which has loaded the files.
  ReloadStatus(Clock clock) {
    this.clock = clock;
    this.loaded = clock.instant();
  }

  void succeeded() {
    loaded = clock.instant();
    refused = false;
  }

  void failed() {
    refused = true;
  }

  /// Whether the last load succeeded. If it was refused, the previous files stay in use.
  boolean isHealthy() {
    return !refused;
  }

  /// The time of the last successful load.
  Instant loaded() {
    return loaded;
  }
}
