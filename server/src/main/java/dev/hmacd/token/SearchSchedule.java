package dev.hmacd.token;

import com.google.errorprone.annotations.ThreadSafe;
import java.time.Duration;

/// Decides when a health check searches for its key on the token again. A working handle does not
/// prove that searches find keys. The pause is 100 times as long as the last search, but at most 30
/// seconds.
@ThreadSafe
final class SearchSchedule {
  private static final int PAUSE_FACTOR = 100;
  private static final Duration LONGEST_PAUSE = Duration.ofSeconds(30);

  private final CircuitBreaker circuit;
  private volatile long dueNanos = System.nanoTime();

  SearchSchedule(CircuitBreaker circuit) {
    this.circuit = circuit;
  }

  boolean isDue() {
    return !circuit.isInService() || System.nanoTime() - dueNanos >= 0;
  }

  /// Schedules the next search, after a search has found the health check key.
  ///
  /// @param nanos duration of the search
  void found(long nanos) {
    dueNanos = System.nanoTime() + pauseAfter(nanos);
  }

  /// Makes the next health check search for its key.
  void makeDue() {
    dueNanos = System.nanoTime();
  }

  /// Pause in nanoseconds after a search.
  ///
  /// @param nanos duration of the search
  static long pauseAfter(long nanos) {
    return Math.min(nanos * PAUSE_FACTOR, LONGEST_PAUSE.toNanos());
  }
}
