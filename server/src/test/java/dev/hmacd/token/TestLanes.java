package dev.hmacd.token;

import dev.hmacd.key.DaemonKey;
import java.time.Duration;
import java.util.List;
import java.util.Map;

/// Lanes for tests, without timeouts of hanging lanes.
public final class TestLanes {
  private TestLanes() {}

  /// Lanes that are not started.
  ///
  /// @param stop the timeout of close
  public static Lanes of(Token token, int count, int maxWaiting, Duration stop) {
    return of(token, count, maxWaiting, stop, FaultListener.NONE);
  }

  static Lanes of(Token token, int count, int maxWaiting, Duration stop, FaultListener listener) {
    return new Lanes(token, settings(count, maxWaiting, stop), LaneObserver.NONE, listener);
  }

  /// @param refusedLifetime how long a lane uses the handle of a key that the token refuses
  static Lanes of(
      Token token,
      int count,
      int maxWaiting,
      Duration stop,
      FaultListener listener,
      Duration refusedLifetime) {
    return new Lanes(
        token, settings(count, maxWaiting, stop), LaneObserver.NONE, listener, refusedLifetime);
  }

  /// As [#pool], whose lanes are started.
  public static TokenPool startedPool(Token token, int count, int maxWaiting, Duration stop)
      throws TokenException {
    TokenPool pool = pool(token, count, maxWaiting, stop);
    pool.start();
    return pool;
  }

  /// As [#startedPool(Token, int, int, Duration)], whose lanes know the health check key.
  public static TokenPool startedPool(
      Token token, int count, int maxWaiting, Duration stop, DaemonKey healthCheckKey)
      throws TokenException {
    TokenPool pool = pool(token, count, maxWaiting, stop);
    pool.start(Map.of(token.info().serial(), healthCheckKey));
    return pool;
  }

  /// A router of [#pool].
  public static TokenRouter router(Token token, int count, int maxWaiting, Duration stop) {
    return new TokenRouter(pool(token, count, maxWaiting, stop));
  }

  /// One token without health checks.
  private static TokenPool pool(Token token, int count, int maxWaiting, Duration stop) {
    var probe = new HealthCheck.Settings(stop, stop, stop);
    var use =
        new TokenPool.Use(token, new TokenPool.Settings(settings(count, maxWaiting, stop), probe));
    return new TokenPool(
        List.of(use),
        _ -> LaneObserver.NONE,
        new TokenPool.Listener() {
          @Override
          public void healthy(boolean is) {}

          @Override
          public void lost() {}

          @Override
          public void inService(String serial) {}
        });
  }

  private static Lanes.Settings settings(int count, int maxWaiting, Duration stop) {
    return new Lanes.Settings(count, maxWaiting, Duration.ofMinutes(1), 0, stop);
  }
}
