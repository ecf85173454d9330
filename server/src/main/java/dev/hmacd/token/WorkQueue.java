package dev.hmacd.token;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.limit.OwnerQuota;
import dev.hmacd.token.TokenException.Kind;
import java.time.Duration;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// Bounded work queue of a token's lanes. If the queue is full, a job fails with [Kind#BUSY] at
/// once.
///
/// The number of operations that one owner has in flight on a token is limited to half of the
/// queue's capacity. An operation is in flight until it has its outcome, also after its caller
/// disconnected: a caller cannot fill the queue by stream resets or new connections.
///
/// Health-check jobs bypass the bounds, so that a full queue does not delay health checks.
@ThreadSafe
@SuppressWarnings("ThreadSafe") // The queues are thread-safe.
final class WorkQueue {
  /// Maximum wait of an idle lane for a job. After each wait, the lane checks for keys to unload
  /// and sessions to reopen.
  private static final Duration IDLE_WAIT = Duration.ofSeconds(1);

  private final int maxWaiting;
  private final CircuitBreaker circuit;
  private final OwnerQuota owners;

  /// An unbounded queue, so that it always accepts control messages; [#add] limits the number of
  /// jobs.
  private final BlockingQueue<Job<?>> waiting = new LinkedBlockingQueue<>();

  private final BlockingQueue<Job<?>> healthChecks = new LinkedBlockingQueue<>();
  private final CountDownLatch stop = new CountDownLatch(1);
  private volatile boolean stopping;

  /// @param maxWaiting maximum number of jobs in the queue; exceeded by at most one for each thread
  ///   that adds a job at the same time
  WorkQueue(int maxWaiting, CircuitBreaker circuit) {
    this.maxWaiting = maxWaiting;
    this.circuit = circuit;
    this.owners = OwnerQuota.halfOf(maxWaiting);
  }

  /// Adds a job. A refused job fails on the calling thread.
  void add(Job<?> job) {
    if (stopping) {
      job.failed(stopped());
    } else if (!job.mayRun(circuit)) {
      job.failed(outOfService());
    } else if (job.isHealthCheck()) {
      addHealthCheck(job);
    } else if (waiting.size() >= maxWaiting) {
      job.failed(
          new TokenException(
              Kind.BUSY, "the work queue of the token is full: " + maxWaiting + " operations"));
    } else if (!job.enterQuota(owners)) {
      job.failed(
          new TokenException(
              Kind.OWNER_BUSY,
              owners.max() + " operations of this owner are in flight on the token"));
    } else {
      waiting.add(job);
      // The stop may have begun between the check and the addition.
      if (stopping && waiting.remove(job)) {
        job.failed(stopped());
      }
    }
  }

  private void addHealthCheck(Job<?> healthCheck) {
    healthChecks.add(healthCheck);
    waiting.add(Job.WAKE_UP);
  }

  /// Returns a job to the queue, because its lane got no session.
  void giveBack(Job<?> job) {
    if (job.isHealthCheck()) {
      addHealthCheck(job);
    } else {
      waiting.add(job);
    }
  }

  /// The next job, which may be a stop message; null if no job arrived within [#IDLE_WAIT].
  @Nullable Job<?> take() {
    try {
      Job<?> healthCheck = healthChecks.poll();
      if (healthCheck != null) {
        return healthCheck;
      }
      Job<?> next = waiting.poll(IDLE_WAIT.toNanos(), TimeUnit.NANOSECONDS);
      return next != null && next.isWakeUp() ? healthChecks.poll() : next;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return Job.stop();
    }
  }

  /// Fails the waiting jobs whose deadline has passed, or that the circuit breaker does not permit.
  void failExpired(long nowNanos) {
    failExpired(waiting, nowNanos);
    failExpired(healthChecks, nowNanos);
  }

  private void failExpired(BlockingQueue<Job<?>> queue, long nowNanos) {
    for (Job<?> job : queue) {
      if (job.isStop() || job.isWakeUp()) {
        continue;
      }
      if (job.isExpired(nowNanos)) {
        if (queue.remove(job)) {
          job.late();
        }
      } else if (!job.mayRun(circuit) && queue.remove(job)) {
        job.failed(outOfService());
      }
    }
  }

  /// Number of jobs in the queue.
  int size() {
    return waiting.size();
  }

  /// Refuses new jobs from now on.
  void stop() {
    stopping = true;
    stop.countDown();
  }

  boolean isStopping() {
    return stopping;
  }

  /// Waits until [#stop] is called, or the time has elapsed.
  void awaitStop(Duration atMost) {
    try {
      boolean _ = stop.await(atMost.toMillis(), TimeUnit.MILLISECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /// Adds a message that stops one lane after the jobs in the queue.
  void addStopMessage() {
    waiting.add(Job.stop());
  }

  /// Fails the jobs that are still in the queue at the end of the stop.
  void failRemaining() {
    for (Job<?> job : waiting) {
      // The stop message stays for a lane that hangs: the lane takes it after its PKCS#11 call.
      if (!job.isStop() && waiting.remove(job)) {
        job.failed(stopped());
      }
    }
    healthChecks.forEach(job -> job.failed(stopped()));
  }

  static TokenException stopped() {
    return new TokenException(Kind.STOPPED, "the daemon is stopping");
  }

  static TokenException outOfService() {
    return new TokenException(Kind.UNAVAILABLE, "the token is out of service");
  }
}
