package dev.hmacd.token;

import java.time.Duration;
import java.util.List;

/// Lanes for tests that are not about how they hang.
public final class TestLanes {
  private TestLanes() {}

  /// Lanes that are not started.
  ///
  /// @param stop how long a close waits
  public static Lanes of(Token token, int count, int maxWaiting, Duration stop) {
    return new Lanes(token, settings(count, maxWaiting, stop), LaneObserver.NONE);
  }

  /// As [#tokens], whose lanes are started.
  public static Tokens startedTokens(Token token, int count, int maxWaiting, Duration stop)
      throws TokenException {
    Tokens tokens = tokens(token, count, maxWaiting, stop);
    tokens.start();
    return tokens;
  }

  /// One token, which nobody asks whether it works.
  public static Tokens tokens(Token token, int count, int maxWaiting, Duration stop) {
    var probe = new HealthCheck.Settings(stop, stop, stop);
    var use = new Tokens.Use(token, new Tokens.Settings(settings(count, maxWaiting, stop), probe));
    var tokens =
        new Tokens(
            List.of(use),
            _ -> LaneObserver.NONE,
            new HealthCheck.Listener() {
              @Override
              public void healthy(boolean is) {}

              @Override
              public void lost() {}
            });
    return tokens;
  }

  private static Lanes.Settings settings(int count, int maxWaiting, Duration stop) {
    return new Lanes.Settings(count, maxWaiting, Duration.ofMinutes(1), 0, stop);
  }
}
