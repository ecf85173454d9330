package dev.hmacd.token;

/// Is told how long token operations took. Called on lanes; must be quick and must not throw.
public interface LaneObserver {
  LaneObserver NONE =
      new LaneObserver() {
        @Override
        public void finished(long queuedNanos, long tokenNanos) {}

        @Override
        public void healed(String fault) {}
      };

  /// An operation has ended.
  ///
  /// @param queuedNanos from the hand-over to the moment when a lane began
  /// @param tokenNanos from there to the outcome
  void finished(long queuedNanos, long tokenNanos);

  /// A lane met a fault and set out to heal it.
  ///
  /// @param fault `SESSION`, `LOGIN`, `OBJECT`, `DEVICE` or `PIN`
  void healed(String fault);
}
