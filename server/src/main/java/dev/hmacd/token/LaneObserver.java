package dev.hmacd.token;

import dev.hmacd.token.TokenException.Fault;
import java.util.Arrays;
import java.util.List;

/// Metrics callbacks of the lanes of one token. The lanes call the methods on their threads.
/// Implementations must return quickly and must not throw.
public interface LaneObserver {
  LaneObserver NONE =
      new LaneObserver() {
        @Override
        public void finished(long queuedNanos, long tokenNanos) {}

        @Override
        public void faulted(String fault) {}
      };

  /// The names of all faults that [#faulted] can report.
  static List<String> faults() {
    return Arrays.stream(Fault.values())
        .filter(fault -> fault != Fault.NONE)
        .map(Fault::name)
        .toList();
  }

  /// Reports the end of an operation, successful or not.
  ///
  /// @param queuedNanos time from the arrival in the queue to the start on a lane
  /// @param tokenNanos time from the start on a lane to the outcome
  void finished(long queuedNanos, long tokenNanos);

  /// Reports a fault of the token. The lane has closed its session, and opens a new session if the
  /// kind of fault permits it. After a wrong MAC of the health check, the session stays open.
  ///
  /// @param fault one of [#faults], e.g. `SESSION` or `DEVICE`
  void faulted(String fault);
}
