package dev.hmacd.token;

/// Listener for the durations and the faults of token operations. Called on lanes. Must return
/// quickly and must not throw.
public interface LaneObserver {
  LaneObserver NONE =
      new LaneObserver() {
        @Override
        public void finished(long queuedNanos, long tokenNanos) {}

        @Override
        public void faulted(String fault) {}
      };

  /// Reports the end of an operation.
  ///
  /// @param queuedNanos from the arrival in the queue to the start on a lane
  /// @param tokenNanos from the start to the outcome
  void finished(long queuedNanos, long tokenNanos);

  /// Reports a fault. The lane has closed its session, and recovers with a new one if it can.
  ///
  /// @param fault name of the fault, e.g. `SESSION` or `DEVICE`, never `NONE`
  void faulted(String fault);
}
