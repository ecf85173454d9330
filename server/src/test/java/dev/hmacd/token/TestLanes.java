package dev.hmacd.token;

import java.time.Duration;

/// Lanes for tests that are not about how they hang.
public final class TestLanes {
  private TestLanes() {}

  /// Lanes that are not started.
  ///
  /// @param stop how long a close waits
  public static Lanes of(Token token, int count, int maxWaiting, Duration stop) {
    return new Lanes(
        token,
        new Lanes.Settings(count, maxWaiting, Duration.ofMinutes(1), 0, stop),
        LaneObserver.NONE);
  }
}
