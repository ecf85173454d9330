package dev.hmacd.token;

import com.google.errorprone.annotations.ThreadSafe;
import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// Health of the pool: healthy while at least one token is healthy. Reports each change to the
/// listener of the pool.
@ThreadSafe
@SuppressWarnings("ThreadSafe") // Its parts are thread-safe.
final class PoolHealth {
  private final List<TokenPool.Member> members;
  private final TokenPool.Listener listener;
  private final CountDownLatch firstHealthy = new CountDownLatch(1);
  private final SerialExecutor reports = new SerialExecutor();
  private final Object reporting = new Object();

  @GuardedBy("reporting")
  private @Nullable Boolean reported;

  PoolHealth(List<TokenPool.Member> members, TokenPool.Listener listener) {
    this.members = members;
    this.listener = listener;
  }

  /// Reports the health of the pool if it has changed. Must be called after each change of a
  /// token's health. The pool is healthy if at least one token is healthy, and unhealthy if all
  /// tokens are unhealthy. While no token is healthy and the health of a token is not known yet,
  /// nothing is reported.
  void report() {
    synchronized (reporting) {
      boolean now = members.stream().anyMatch(PoolHealth::isHealthy);
      boolean isKnown = now || members.stream().allMatch(member -> member.healthy() != null);
      if (isKnown && !Objects.equals(reported, now)) {
        reported = now;
        reports.add(() -> report(now));
      }
    }
    reports.run();
  }

  private void report(boolean healthy) {
    listener.healthy(healthy);
    if (healthy) {
      firstHealthy.countDown();
    }
  }

  private static boolean isHealthy(TokenPool.Member member) {
    return Boolean.TRUE.equals(member.healthy());
  }

  /// Reports the loss of a token, unless any token is healthy or has refused its PIN. After the
  /// report, the daemon may exit, and a new process would try the refused PIN again.
  void lost() {
    if (members.stream().noneMatch(member -> isHealthy(member) || member.probe().isPinRefused())) {
      listener.lost();
    }
  }

  /// Waits until any token has become healthy, or the time has elapsed.
  ///
  /// @return false if the time has elapsed
  boolean awaitHealthy(Duration atMost) throws InterruptedException {
    return firstHealthy.await(atMost.toMillis(), TimeUnit.MILLISECONDS);
  }
}
