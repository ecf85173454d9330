package dev.hmacd.token;

import com.google.errorprone.annotations.ThreadSafe;
import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.hmacd.limit.DeficitRoundRobin;
import dev.hmacd.limit.LargestShare;
import dev.hmacd.limit.Owner;
import dev.hmacd.log.LogRateLimiter;
import dev.hmacd.token.TokenException.Kind;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Bounded work queue of a token's lanes, with a fair order of owners ([DeficitRoundRobin]).
///
/// The queue has a number of places. A job with a long message takes several ([Job#places]), so the
/// places bound the memory of the queue. A job that alone exceeds the number of places is accepted
/// if the queue is empty.
///
/// A full queue evicts jobs for an owner with few places ([DeficitRoundRobin#evictFor]): the
/// evicted jobs fail. A job keeps its places until a lane takes it, its deadline passes or the
/// queue evicts it, even after its caller has disconnected. So stream resets and new connections
/// give a caller no more places.
///
/// Health checks bypass the order and the bound, so that a full queue does not delay them.
@ThreadSafe
@SuppressWarnings("ThreadSafe") // The lock guards the queues.
final class WorkQueue {
  /// Maximum wait of an idle lane for a job. After each wait, the lane checks for keys to unload
  /// and sessions to reopen.
  private static final Duration IDLE_WAIT = Duration.ofSeconds(1);

  private static final Logger log = LoggerFactory.getLogger(WorkQueue.class);

  private final Token token;
  private final int maxPlaces;
  private final CircuitBreaker circuit;
  private final LogRateLimiter refusals = new LogRateLimiter();
  private final long idleWaitNanos;
  private final Object lock = new Object();

  @GuardedBy("lock")
  private final DeficitRoundRobin<Job<?>> waiting = new DeficitRoundRobin<>(Job::cost, Job::places);

  @GuardedBy("lock")
  private final Deque<Job<?>> healthChecks = new ArrayDeque<>();

  @GuardedBy("lock")
  private final IdleLanes idle = new IdleLanes();

  private final CountDownLatch stop = new CountDownLatch(1);

  /// Written with the lock, read without.
  private volatile boolean stopping;

  /// @param maxPlaces number of places, without health checks
  WorkQueue(Token token, int maxPlaces) {
    this(token, maxPlaces, IDLE_WAIT);
  }

  /// @param idleWait maximum wait of an idle lane for a job, in place of [#IDLE_WAIT]
  WorkQueue(Token token, int maxPlaces, Duration idleWait) {
    this.token = token;
    this.maxPlaces = maxPlaces;
    this.circuit = token.circuit();
    this.idleWaitNanos = idleWait.toNanos();
  }

  /// Adds a job. A refused job, and the jobs that the queue evicts for this one, fail on the
  /// calling thread.
  void add(Job<?> job) {
    if (!job.mayRun(circuit)) {
      job.failed(outOfService());
      return;
    }
    TokenException refusal = null;
    List<Job<?>> evicted = List.of();
    LargestShare largest = null;
    long refused = 0;
    IdleLanes.Waiter woken = null;
    synchronized (lock) {
      if (stopping) {
        refusal = stopped();
      } else if (job.isHealthCheck()) {
        healthChecks.add(job);
        woken = idle.poll();
      } else {
        if (!hasRoom(job)) {
          refused = refusals.happened(); // This job, or the evicted ones.
          largest = refused > 0 ? waiting.largest() : null;
          evicted = evictFor(job);
          refusal = evicted.isEmpty() ? full(job.owner()) : null;
        }
        if (refusal == null) {
          waiting.add(job.owner(), job);
          woken = idle.next();
        }
      }
    }
    if (woken != null) {
      woken.unpark();
    }
    if (largest != null) {
      logFull(largest, refused);
    }
    if (refusal != null) {
      job.failed(refusal);
    }
    for (Job<?> each : evicted) {
      each.failed(ownerBusy());
    }
  }

  @GuardedBy("lock")
  private boolean hasRoom(Job<?> job) {
    return waiting.size() == 0 || waiting.places() + job.places() <= maxPlaces;
  }

  /// Evicts jobs until there is room for a job.
  ///
  /// @return the evicted jobs; empty if too few may be evicted: then all stay in the queue
  @GuardedBy("lock")
  private List<Job<?>> evictFor(Job<?> job) {
    List<Job<?>> evicted = new ArrayList<>();
    while (!hasRoom(job)) {
      Job<?> next = waiting.evictFor(job.owner(), job.places());
      if (next == null) {
        // Each was the newest of its owner, so the order of an owner's jobs stays.
        evicted.reversed().forEach(each -> waiting.add(each.owner(), each));
        return List.of();
      }
      evicted.add(next);
    }
    return evicted;
  }

  @GuardedBy("lock")
  private TokenException full(Owner owner) {
    return waiting.contains(owner) && !owner.equals(Owner.DAEMON)
        ? ownerBusy()
        : new TokenException(
            Kind.BUSY,
            "the work queue of the token is full (token.queue: "
                + maxPlaces
                + " operations); retry later");
  }

  /// @param refused number of refused operations since the last log line
  private void logFull(LargestShare largest, long refused) {
    log.atWarn()
        .addKeyValue("token_serial", token.info().serial())
        .addKeyValue("owner", largest.owner())
        .addKeyValue("owner_operations", largest.held())
        .addKeyValue("times", refused)
        .log("Operations refused: token.queue is full");
  }

  private TokenException ownerBusy() {
    return new TokenException(
        Kind.OWNER_BUSY,
        "the work queue of the token is full (token.queue: "
            + maxPlaces
            + " operations), also with operations of this caller; wait for answers before the next"
            + " operation");
  }

  /// Returns a job to the queue, because its lane got no session.
  void giveBack(Job<?> job) {
    IdleLanes.Waiter woken;
    synchronized (lock) {
      if (job.isHealthCheck()) {
        healthChecks.add(job);
      } else {
        waiting.add(job.owner(), job);
      }
      woken = idle.poll();
    }
    if (woken != null) {
      woken.unpark();
    }
  }

  /// Removes and returns the next job. Waits for a job for at most [#IDLE_WAIT].
  ///
  /// @return null after the wait; also if the queue is empty and stops
  @Nullable Job<?> take() {
    long end = 0;
    IdleLanes.Waiter waiter = null;
    while (true) {
      Job<?> next;
      IdleLanes.Waiter woken = null;
      synchronized (lock) {
        if (waiter != null) {
          idle.remove(waiter);
        }
        next = poll();
        if (next == null) {
          long now = System.nanoTime();
          if (waiter == null) {
            end = now + idleWaitNanos;
          }
          if (stopping || now - end >= 0) {
            return null;
          }
          waiter = new IdleLanes.Waiter();
          idle.add(waiter);
        } else if (waiting.size() > 0) {
          woken = idle.next();
        }
      }
      if (woken != null) {
        woken.unpark();
      }
      if (next != null) {
        return next;
      }
      LockSupport.parkNanos(this, end - System.nanoTime());
      // A pending interrupt would make the loop spin. Nothing interrupts a lane.
      boolean _ = Thread.interrupted();
    }
  }

  @GuardedBy("lock")
  private @Nullable Job<?> poll() {
    Job<?> healthCheck = healthChecks.poll();
    return healthCheck == null ? waiting.poll() : healthCheck;
  }

  /// Counts further work of a job for the turns of its owner.
  ///
  /// @param cost as [Job#cost]
  void charge(Owner owner, int cost) {
    synchronized (lock) {
      waiting.charge(owner, cost);
    }
  }

  /// Fails the waiting jobs whose deadline has passed, or that the circuit breaker does not permit.
  void failExpired(long nowNanos) {
    for (Job<?> job : removeIf(job -> job.isExpired(nowNanos) || !job.mayRun(circuit))) {
      if (job.isExpired(nowNanos)) {
        job.late();
      } else {
        job.failed(outOfService());
      }
    }
  }

  private List<Job<?>> removeIf(Predicate<Job<?>> predicate) {
    synchronized (lock) {
      List<Job<?>> removed = waiting.removeIf(predicate);
      for (Job<?> healthCheck : healthChecks) {
        if (predicate.test(healthCheck)) {
          removed.add(healthCheck);
        }
      }
      healthChecks.removeAll(removed);
      return removed;
    }
  }

  /// Number of jobs in the queue, with health checks.
  int size() {
    synchronized (lock) {
      return waiting.size() + healthChecks.size();
    }
  }

  /// Number of places in use, without health checks.
  int places() {
    synchronized (lock) {
      return waiting.places();
    }
  }

  /// Refuses new jobs from now on, and wakes the idle lanes.
  void stop() {
    List<IdleLanes.Waiter> woken = new ArrayList<>();
    synchronized (lock) {
      stopping = true;
      IdleLanes.Waiter next = idle.poll();
      while (next != null) {
        woken.add(next);
        next = idle.poll();
      }
    }
    woken.forEach(IdleLanes.Waiter::unpark);
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

  /// Fails the jobs that are still in the queue at the end of the stop.
  void failRemaining() {
    removeIf(_ -> true).forEach(job -> job.failed(stopped()));
  }

  static TokenException stopped() {
    return new TokenException(Kind.STOPPED, "the daemon is stopping");
  }

  static TokenException outOfService() {
    return new TokenException(Kind.UNAVAILABLE, "the token is out of service");
  }
}
