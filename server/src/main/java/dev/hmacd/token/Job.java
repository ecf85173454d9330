package dev.hmacd.token;

import dev.hmacd.key.DaemonKey;
import dev.hmacd.limit.Owner;
import dev.hmacd.token.TokenException.Kind;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.Arrays;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// An operation that waits in the work queue or runs on a lane. A job has exactly one outcome: the
/// outcome from its lane, or the watchdog's timeout at the deadline, whichever is first.
abstract class Job<T> {
  /// Sets [#completed] at most once. The flag is a field, not an AtomicBoolean, because each MAC
  /// creates a job.
  private static final VarHandle COMPLETED = completedField();

  /// Cost of an operation other than a MAC: a search or the generation of a key has several PKCS#11
  /// calls.
  private static final int WORK_COST = 8;

  private static final Logger log = LoggerFactory.getLogger(Job.class);

  final long deadlineNanos;
  final long queuedAtNanos = System.nanoTime();
  private final Completion<T> completion;

  /// Written through [#COMPLETED] only.
  private volatile boolean completed;

  private Job(long deadlineNanos, Completion<T> completion) {
    this.deadlineNanos = deadlineNanos;
    this.completion = completion;
  }

  private static VarHandle completedField() {
    try {
      return MethodHandles.lookup().findVarHandle(Job.class, "completed", boolean.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  /// Performs the operation in a lane's session.
  abstract T perform(LaneSession session) throws TokenException;

  /// Whether the operation is idempotent.
  abstract boolean isRepeatable();

  /// The cost of the operation for the turns of its owner, in MACs of short messages.
  int cost() {
    return 1;
  }

  /// Number of places in the work queue. A place stands for up to 4 KiB of memory.
  int places() {
    return 1;
  }

  static Job<byte[]> sign(SignRequest request, Completion<byte[]> completion) {
    return new Mac(request, completion);
  }

  private static final class Mac extends Job<byte[]> {
    private final SignRequest request;

    Mac(SignRequest request, Completion<byte[]> completion) {
      super(request.deadlineNanos(), completion);
      this.request = request;
    }

    @Override
    byte[] perform(LaneSession session) throws TokenException {
      long handle = session.handle(request.key(), request.check());
      // The search for the handle may have taken long.
      if (isCompleted() || isAbandoned() || isExpired(System.nanoTime())) {
        throw new TokenException(Kind.LATE, "the deadline passed, or the caller is gone");
      }
      if (completion().isWithdrawn()) {
        throw new TokenException(
            Kind.WITHDRAWN, "the key or the caller's permission changed while the MAC was queued");
      }
      return session.sign(request, handle);
    }

    // A MAC is deterministic.
    @Override
    boolean isRepeatable() {
      return true;
    }

    /// The token reads the whole message.
    @Override
    int cost() {
      return request.pieces();
    }

    /// The queue holds the whole message.
    @Override
    int places() {
      return request.pieces();
    }

    /// Clears a late MAC: the secret of an access key is made from a MAC.
    @Override
    void discard(byte[] mac) {
      Arrays.fill(mac, (byte) 0);
    }
  }

  static <T> Job<T> of(
      TokenWork<T> work, boolean repeatable, long deadlineNanos, Completion<T> completion) {
    return new Job<>(deadlineNanos, completion) {
      @Override
      T perform(LaneSession session) throws TokenException {
        return work.on(session.recheckingSession());
      }

      @Override
      boolean isRepeatable() {
        return repeatable;
      }

      @Override
      int cost() {
        return WORK_COST;
      }
    };
  }

  /// A job for the health check's MAC, which also runs on a token that is out of service.
  static Job<byte[]> healthCheck(DaemonKey key, long deadlineNanos, Completion<byte[]> completion) {
    return new Job<>(deadlineNanos, completion) {
      @Override
      byte[] perform(LaneSession session) throws TokenException {
        return session.checkHealth(key);
      }

      @Override
      boolean isRepeatable() {
        return true;
      }

      @Override
      boolean isHealthCheck() {
        return true;
      }
    };
  }

  /// Whether this is a health check, which also runs on a token that is out of service.
  boolean isHealthCheck() {
    return false;
  }

  boolean isCompleted() {
    return completed;
  }

  boolean isExpired(long nowNanos) {
    return nowNanos - deadlineNanos >= 0;
  }

  /// Whether the state of the token's circuit breaker permits the job.
  boolean mayRun(CircuitBreaker circuit) {
    return circuit.isInService() || (isHealthCheck() && !circuit.isPinRefused());
  }

  boolean isAbandoned() {
    return completion.isAbandoned();
  }

  final Completion<T> completion() {
    return completion;
  }

  /// The principal that requested the operation.
  Owner owner() {
    return completion.owner();
  }

  private boolean complete() {
    return COMPLETED.compareAndSet(this, false, true);
  }

  /// Delivers the result, unless the job already has an outcome. An exception of the completion
  /// does not reach the calling thread: a lane or the watchdog must go on to other jobs.
  void done(T value) {
    if (complete()) {
      try {
        completion.done(value);
      } catch (RuntimeException | Error e) {
        logThrown(e);
      }
    } else {
      discard(value);
    }
  }

  /// Called with a late result, which no caller gets.
  void discard(T value) {}

  /// Delivers a failure, as [#done] delivers a result.
  void failed(TokenException cause) {
    if (complete()) {
      try {
        completion.failed(cause);
      } catch (RuntimeException | Error e) {
        logThrown(e);
      }
    }
  }

  private static void logThrown(Throwable thrown) {
    log.atError()
        .setCause(thrown)
        .log("Outcome of a token operation not delivered: unexpected Java exception");
  }

  void late() {
    failed(new TokenException(Kind.LATE, "the deadline passed"));
  }
}
