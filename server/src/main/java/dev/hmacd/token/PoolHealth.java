package dev.hmacd.token;

import com.google.errorprone.annotations.ThreadSafe;
import com.google.errorprone.annotations.concurrent.GuardedBy;
import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// Health of all tokens together, reported to the listener of the pool.
@ThreadSafe
@SuppressWarnings("ThreadSafe") // Its parts are thread-safe.
final class PoolHealth {
  private final List<TokenPool.Member> members;
  private final TokenPool.Listener listener;
  private final CountDownLatch firstHealthy = new CountDownLatch(1);
  private final OrderedTasks reports = new OrderedTasks();
  private final Object reporting = new Object();

  @GuardedBy("reporting")
  private @Nullable Boolean reported;

  PoolHealth(List<TokenPool.Member> members, TokenPool.Listener listener) {
    this.members = members;
    this.listener = listener;
  }

  /// Reports a change. Called after the health of a token has changed. Reports healthy after the
  /// first healthy token, and unhealthy only after each token has reported.
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

  /// Reports the loss of a token, if no token is healthy or has refused its PIN. A new process
  /// would try a refused PIN again.
  void lost() {
    if (members.stream().noneMatch(member -> isHealthy(member) || member.probe().isPinRefused())) {
      listener.lost();
    }
  }

  /// Waits until the first token is healthy.
  boolean awaitHealthy(Duration atMost) throws InterruptedException {
    return firstHealthy.await(atMost.toMillis(), TimeUnit.MILLISECONDS);
  }
}
