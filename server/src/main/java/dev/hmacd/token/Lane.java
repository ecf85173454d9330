package dev.hmacd.token;

import dev.hmacd.key.KeyObject;
import dev.hmacd.token.TokenException.Fault;
import dev.hmacd.token.TokenException.Kind;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// A worker thread with one session of the token. A session permits only one operation at a time,
/// and a PKCS#11 call can hang: each lane confines both to its thread.
final class Lane implements Runnable {
  /// Maximum number of attempts for one job. A job has more than two attempts only after `STALE`
  /// faults.
  private static final int MAX_ATTEMPTS = 4;

  /// Pause of a lane that got no session (CKR_SESSION_COUNT), while other lanes work.
  private static final Duration CAPACITY_PAUSE = Duration.ofMillis(500);

  private static final Logger log = LoggerFactory.getLogger(Lane.class);

  private final Token token;
  private final Lanes lanes;
  private final WorkQueue queue;
  private final CircuitBreaker circuit;
  private final LaneObserver observer;
  private final LaneSession session;

  /// The running job; read by the watchdog.
  private volatile @Nullable Job<?> current;

  /// Start of the running job, a value of [System#nanoTime].
  private volatile long startedNanos;

  private volatile long lastAnswerNanos;

  /// Whether another lane has replaced this one.
  private volatile boolean retired;

  private volatile @Nullable Thread thread;

  /// @param lastAnswerNanos time of the token's last answer to the replaced lane; for a first lane,
  ///   the time of its creation
  Lane(Token token, Lanes lanes, WorkQueue queue, LaneObserver observer, long lastAnswerNanos) {
    this.lastAnswerNanos = lastAnswerNanos;
    this.token = token;
    this.lanes = lanes;
    this.queue = queue;
    this.circuit = token.circuit();
    this.observer = observer;
    this.session = new LaneSession(token, lanes);
  }

  /// Opens the session before the thread starts, so that the start fails if the token is broken.
  void open() throws TokenException {
    session.session();
  }

  /// Starts the lane's thread.
  void start(String name) {
    thread = Thread.ofPlatform().name(name).start(this);
  }

  @Override
  public void run() {
    try {
      while (!retired) {
        // Read before the take: a job may arrive between an empty take and the stop.
        boolean stopping = queue.isStopping();
        Job<?> job = queue.take();
        if (!tryPerform(job) && stopping) {
          return;
        }
      }
    } finally {
      session.close();
      lanes.ended(this);
    }
  }

  /// Prepares the session, and performs a job. An unexpected exception fails the job. It does not
  /// end the lane, not even an Error: after an OutOfMemoryError, the next job may find enough
  /// memory.
  ///
  /// @param job null if no job waits
  /// @return whether there was a job
  private boolean tryPerform(@Nullable Job<?> job) {
    try {
      if (job == null) {
        session.refresh();
      } else {
        long start = System.nanoTime();
        startedNanos = start;
        current = job; // Before any call of the token: the watchdog must see the job.
        session.refresh();
        perform(job, start);
      }
    } catch (RuntimeException | Error e) {
      if (job != null) {
        job.failed(
            TokenException.fault(
                Fault.DEVICE, "unexpected Java exception in a token operation", e));
      }
      session.close(); // It may be in any state, and the close may hang.
      log.atError()
          .addKeyValue("token_serial", token.info().serial())
          .setCause(e)
          .log("Token operation failed with an unexpected Java exception");
    } finally {
      current = null;
    }
    return job != null;
  }

  private <T> void perform(Job<T> job, long start) {
    if (job.isExpired(start)) {
      job.late();
      return;
    }
    if (job.isCompleted()) {
      return;
    }
    if (job.isAbandoned()) {
      job.late(); // The caller no longer waits, but quotas still count the job.
      return;
    }
    if (!job.mayRun(circuit)) {
      job.failed(WorkQueue.outOfService());
      return;
    }
    try {
      T value = attempt(job);
      long end = System.nanoTime();
      lastAnswerNanos = end;
      observer.finished(start - job.queuedAtNanos, end - start);
      job.done(value);
    } catch (TokenException e) {
      if (e.kind() == Kind.WITHDRAWN || e.kind() == Kind.LATE) {
        job.failed(e); // The token did not answer.
        return;
      }
      if (e.fault() == Fault.CAPACITY && lanes.hasSessionBeside(this)) {
        current = null;
        queue.giveBack(job);
        queue.awaitStop(CAPACITY_PAUSE); // Other lanes take the jobs meanwhile.
        return;
      }
      long end = System.nanoTime();
      if (e.fault() == Fault.NONE) {
        lastAnswerNanos = end; // The token did not fail: it said no.
      }
      observer.finished(start - job.queuedAtNanos, end - start);
      lanes.failed(e);
      job.failed(e);
    } finally {
      int further = session.takeFurtherCost();
      if (further > 0) {
        queue.charge(job.owner(), further);
      }
    }
  }

  /// Performs a job. After a fault, repeats an idempotent job in a new session.
  private <T> T attempt(Job<T> job) throws TokenException {
    int faults = 0;
    for (int attempt = 1; ; attempt++) {
      try {
        return job.perform(session);
      } catch (TokenException e) {
        boolean recovered = recover(e);
        if (e.fault() != Fault.STALE) {
          faults++;
        }
        if (!recovered
            || faults > 1
            || attempt == MAX_ATTEMPTS
            || !job.isRepeatable()
            || job.isExpired(System.nanoTime())) {
          throw e;
        }
      }
    }
  }

  /// Closes the session after a fault of the token.
  ///
  /// @return whether the operation may succeed in a new session
  private boolean recover(TokenException e) {
    if (e.fault() == Fault.NONE) {
      return false;
    }
    session.close();
    observer.faulted(e.fault().name());
    lanes.faults().tokenFault(e);
    return switch (e.fault()) {
      case NONE, PIN, PIN_FILE, WRONG_MAC, CAPACITY -> false;
      case STALE, SESSION, LOGIN, OBJECT, DEVICE, MODULE -> true;
    };
  }

  /// Makes the lane unload a key before its next job. An idle lane unloads the key after its
  /// current wait for a job. Thread-safe.
  void evict(KeyObject key) {
    session.evict(key);
  }

  /// Whether the running job has run for longer than a limit.
  boolean hangs(long nowNanos, long limitNanos) {
    return current != null && nowNanos - startedNanos > limitNanos;
  }

  /// Makes the lane end after its job, because another lane has replaced it.
  void retire() {
    retired = true;
  }

  boolean isRetired() {
    return retired;
  }

  /// Waits for the end of the lane.
  ///
  /// @return whether the lane ended within the limit
  boolean join(Duration limit) throws InterruptedException {
    Thread running = thread;
    return running == null || running.join(limit);
  }

  /// Whether the deadline of the running job has passed.
  boolean isOverdue(long nowNanos) {
    Job<?> running = current;
    return running != null && running.isExpired(nowNanos);
  }

  /// The running job; null if the lane is idle.
  @Nullable Job<?> current() {
    return current;
  }

  /// Time of the token's last answer to this lane. Before the token's first answer to this lane:
  /// time of its last answer to the replaced lane, or of the lane's creation. A refused operation
  /// is an answer, too, unless the refusal is a fault of the token.
  long lastAnswerNanos() {
    return lastAnswerNanos;
  }

  boolean hasSession() {
    return session.isOpen();
  }

  boolean isBusy() {
    return current != null;
  }
}
