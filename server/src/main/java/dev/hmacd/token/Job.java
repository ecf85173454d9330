package dev.hmacd.token;

import dev.hmacd.key.DaemonKey;
import dev.hmacd.limit.OwnerQuota;
import dev.hmacd.token.TokenException.Kind;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/// An operation that waits in the work queue or runs on a lane. A job has exactly one outcome: the
/// outcome from its lane, or the watchdog's timeout at the deadline, whichever is first.
abstract class Job<T> {
  /// Sets [#completed] at most once. The flag is a field, not an AtomicBoolean, because each MAC
  /// creates a job.
  private static final VarHandle COMPLETED = completedField();

  final long deadlineNanos;
  final long queuedAtNanos = System.nanoTime();
  private final Completion<T> completion;

  /// Written through [#COMPLETED] only.
  private volatile boolean completed;

  /// The quota that counts this job until it has an outcome; null if no quota counts it. Set before
  /// other threads see the job.
  private @Nullable OwnerQuota quota;

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

  /// Wakes an idle lane, so that it takes a health check.
  static final Job<Boolean> WAKE_UP =
      new ControlMessage() {
        @Override
        boolean isWakeUp() {
          return true;
        }
      };

  /// A control message that stops the lane that takes it.
  static Job<Boolean> stop() {
    return new ControlMessage() {
      @Override
      boolean isStop() {
        return true;
      }
    };
  }

  /// A control message for a lane, without an operation on the token.
  private static class ControlMessage extends Job<Boolean> {
    ControlMessage() {
      super(System.nanoTime(), new FutureCompletion<>(new CompletableFuture<>(), null));
    }

    @Override
    Boolean perform(LaneSession session) {
      return true;
    }

    @Override
    boolean isRepeatable() {
      return true;
    }
  }

  boolean isStop() {
    return false;
  }

  boolean isWakeUp() {
    return false;
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

  /// Counts the job in the quota of its owner until it is completed, also after its caller
  /// disconnected.
  ///
  /// @return false if the quota of the owner is used up
  boolean enterQuota(OwnerQuota owners) {
    Object owner = completion.owner();
    if (owner == null) {
      return true;
    }
    if (!owners.tryHold(owner, 1)) {
      return false;
    }
    quota = owners;
    return true;
  }

  private boolean complete() {
    if (!COMPLETED.compareAndSet(this, false, true)) {
      return false;
    }
    Object owner = completion.owner();
    if (quota != null && owner != null) {
      quota.release(owner, 1);
    }
    return true;
  }

  void done(T value) {
    if (complete()) {
      completion.done(value);
    }
  }

  void failed(TokenException cause) {
    if (complete()) {
      completion.failed(cause);
    }
  }

  void late() {
    failed(new TokenException(Kind.LATE, "the deadline passed"));
  }
}
