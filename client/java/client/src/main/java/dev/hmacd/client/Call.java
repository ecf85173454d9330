package dev.hmacd.client;

import static java.util.concurrent.TimeUnit.NANOSECONDS;

import com.google.protobuf.MessageLite;
import dev.hmacd.client.TargetPicker.Pick;
import io.grpc.CallOptions;
import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.MethodDescriptor;
import io.grpc.Status.Code;
import java.util.BitSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// One call: its attempts, one after the other, until an answer, a failure that forbids another
/// attempt, or the deadline.
///
/// At any time, one step runs or is scheduled: the start or the end of an attempt, or the end of a
/// wait. So the fields need no lock. A cancellation can come at any time.
final class Call<Q extends MessageLite, A, R> {
  private final Connections connections;
  private final RetryPolicy policy;
  private final Request<Q, A, R> request;
  private final Deadline deadline;
  private final Executor executor;
  private final CallObserver.Observation observation;
  private final Context context = Context.current();
  private final CompletableFuture<R> result = new CompletableFuture<>();
  private volatile CallFacts facts = CallFacts.NO_ATTEMPT;
  private volatile @Nullable Attempt<Q, A> attempt;

  /// The targets at which waiting does not help.
  private final BitSet lastingFailures = new BitSet();

  private @Nullable Failure lastFailure;
  private boolean damaged;
  private boolean reconnected;

  /// What to call.
  ///
  /// @param decode converts the answer to the result; throws a [DamagedAnswerException], or another
  ///   RuntimeException, if the answer was damaged in transit
  record Request<Q extends MessageLite, A, R>(
      MethodDescriptor<Q, A> method, Q message, Function<A, R> decode, Repetition repetition) {}

  /// @param executor runs the steps, and completes the result
  /// @param observation ends before the result is complete
  Call(
      Connections connections,
      RetryPolicy policy,
      Request<Q, A, R> request,
      Deadline deadline,
      Executor executor,
      CallObserver.Observation observation) {
    this.connections = connections;
    this.policy = policy;
    this.request = request;
    Deadline ofCaller = context.getDeadline();
    this.deadline = ofCaller == null ? deadline : deadline.minimum(ofCaller);
    this.executor = executor;
    this.observation = observation;
  }

  /// Starts the call. A cancellation of the result cancels the call.
  CompletableFuture<R> start() {
    var unused =
        result.whenComplete(
            (value, failure) -> {
              connections.inFlight().remove(this);
              Attempt<Q, A> running = attempt;
              if (running != null && failure != null) {
                running.cancel("cancelled by the caller");
              }
              // The observation of any other end has ended before.
              observation.end(facts, ErrorReason.CANCELLED.name());
            });
    connections.inFlight().add(this);
    step(() -> run(policy.picker().next(System.nanoTime())));
    return result;
  }

  CompletableFuture<R> result() {
    return result;
  }

  /// Ends the call, if it has not ended, with a local failure.
  void cancel(Failure failure) {
    Attempt<Q, A> running = attempt;
    if (running != null) {
      facts = facts.ended(running.sent(), /* requestId= */ "");
    }
    end(failure);
  }

  /// Runs a step. After an exception that the step does not expect, the call ends: otherwise its
  /// caller would wait for ever.
  private void step(Runnable step) {
    try {
      step.run();
    } catch (RuntimeException | Error e) {
      cancel(connections.isClosed() ? Connections.CLOSED : Failure.unexpected(e));
    }
  }

  /// A step that a timer or another thread starts: it runs on the executor.
  private Runnable later(Runnable step) {
    return () -> step(() -> executor.execute(() -> step(step)));
  }

  private void run(Pick pick) {
    releasing(pick, () -> attempt(pick));
  }

  /// Releases a pick if an exception ends its step. Otherwise a probe would never end.
  private void releasing(Pick pick, Runnable step) {
    try {
      step.run();
    } catch (RuntimeException | Error e) {
      policy.picker().released(pick);
      throw e;
    }
  }

  private void attempt(Pick pick) {
    if (result.isDone() || connections.isClosed() || deadline.isExpired()) {
      policy.picker().released(pick);
      end(connections.isClosed() ? Connections.CLOSED : late());
      return;
    }
    boolean limited = pick.othersUsable() && request.repetition() == Repetition.SAFE;
    Deadline limit =
        limited
            ? deadline.minimum(Deadline.after(policy.attemptTimeout().toNanos(), NANOSECONDS))
            : deadline;
    TargetChannel channel = connections.channel(pick.target());
    facts = facts.attemptedAt(connections.name(pick.target()));
    var next =
        new Attempt<>(
            channel.channel(),
            request.method(),
            CallOptions.DEFAULT.withDeadline(limit).withExecutor(executor));
    attempt = next;
    context.run(() -> next.start(request.message(), new Outcome(pick, channel, limit)));
    if (result.isDone()) { // Cancelled during the start.
      next.cancel("cancelled by the caller");
    }
  }

  /// Starts the next attempt at a usable target. If there is none, waits until the first suspension
  /// ends or its target is connected again.
  private void runAtNextTarget() {
    long now = System.nanoTime();
    Pick pick = policy.picker().next(now);
    long wait = pick.suspendedUntil() - now;
    if (pick.usable() || wait <= 0) {
      run(pick);
      return;
    }
    policy.picker().released(pick);
    connections
        .channel(pick.target())
        .awaitRecovery(
            Math.min(wait, remainingNanos()),
            later(() -> run(policy.picker().next(System.nanoTime()))));
  }

  private long remainingNanos() {
    return Math.max(deadline.timeRemaining(NANOSECONDS), 0);
  }

  /// The failure of a call that has reached its deadline between two attempts.
  private Failure late() {
    Failure last = lastFailure;
    return last != null
        ? last
        : Failure.local(
            ErrorReason.DEADLINE_EXCEEDED, Code.DEADLINE_EXCEEDED, "the deadline has passed");
  }

  private void end(Failure failure) {
    try {
      observation.end(facts, failure.reason().name());
    } finally {
      result.completeExceptionally(
          HmacdException.of(failure, facts, request.message().getSerializedSize()));
    }
  }

  /// The end of an attempt, and what follows.
  private final class Outcome implements Attempt.Outcome<A> {
    private final Pick pick;
    private final TargetChannel channel;
    private final Deadline limit;

    Outcome(Pick pick, TargetChannel channel, Deadline limit) {
      this.pick = pick;
      this.channel = channel;
      this.limit = limit;
    }

    @Override
    public void answered(A answer, String requestId) {
      step(() -> releasing(pick, () -> succeed(answer, requestId)));
    }

    @Override
    public void failed(FailedAttempt end) {
      step(() -> releasing(pick, () -> fail(end)));
    }

    private void succeed(A answer, String requestId) {
      R value;
      try {
        value = request.decode().apply(answer);
      } catch (DamagedAnswerException e) {
        fail(FailedAttempt.damaged(e.what(), requestId));
        return;
      } catch (RuntimeException e) { // For example, a time that no Instant has.
        fail(FailedAttempt.damaged(FailedAttempt.UNDECODABLE, requestId));
        return;
      }
      policy.picker().answered(pick);
      if (facts.attempts() == 1) {
        policy.budget().succeededAtFirstAttempt();
      }
      observation.end(facts, "");
      result.complete(value);
    }

    private void fail(FailedAttempt end) {
      facts = facts.ended(end.mayHaveRun(), end.requestId());
      if (result.isDone()) {
        policy.picker().released(pick);
        return;
      }
      if (!end.sent() && channel.isShutdown()) {
        // The channel was replaced, or the client closed, between its choice and its use.
        policy.picker().released(pick);
        run(policy.picker().next(System.nanoTime()));
        return;
      }
      RetryAction action =
          isAttemptTimeout(end.failure())
              ? RetryAction.NEXT_TARGET
              : RetryAction.after(end.failure());
      report(action, end);
      lastFailure = end.failure();
      if (isAllowed(action, end) && (!end.sent() || policy.budget().take())) {
        retry(action, end);
      } else {
        end(end.failure());
      }
    }

    /// Whether the attempt reached its own limit, and the call did not.
    private boolean isAttemptTimeout(Failure failure) {
      return failure.reason() == ErrorReason.DEADLINE_EXCEEDED
          && limit.isBefore(deadline)
          && limit.isExpired();
    }

    private void report(RetryAction action, FailedAttempt end) {
      if (action == RetryAction.NEXT_TARGET) {
        policy.picker().failed(pick, System.nanoTime());
      } else if (end.answered()) {
        policy.picker().answered(pick);
      } else {
        policy.picker().released(pick);
      }
    }

    private boolean isAllowed(RetryAction action, FailedAttempt end) {
      if (!end.retryAllowed()) {
        return false;
      }
      switch (request.repetition()) {
        case SAFE -> {}
        case IF_NOT_SENT -> {
          if (end.sent()) {
            return false;
          }
        }
        case NEVER -> {
          return false;
        }
      }
      return switch (action) {
        case NONE -> false;
        case NEXT_TARGET -> {
          lastingFailures.set(pick.target(), end.failure().lasting());
          yield lastingFailures.cardinality() < connections.size();
        }
        case BACK_OFF -> true;
        case ONCE_MORE -> {
          boolean first = !damaged;
          damaged = true;
          yield first;
        }
        case RECONNECT -> {
          boolean first = !reconnected;
          reconnected = true;
          yield first;
        }
      };
    }

    private void retry(RetryAction action, FailedAttempt end) {
      switch (action) {
        case NONE -> end(end.failure());
        case NEXT_TARGET -> runAtNextTarget();
        case ONCE_MORE -> run(policy.picker().next(System.nanoTime()));
        case RECONNECT ->
            connections.reconnect(pick.target(), channel, remainingNanos(), later(() -> run(pick)));
        case BACK_OFF -> {
          long delay =
              Backoff.waitNanos(end.retryDelay(), facts.attempts(), policy.random().getAsDouble());
          if (delay >= deadline.timeRemaining(NANOSECONDS)) {
            end(end.failure());
          } else {
            connections.schedule(delay, later(() -> run(policy.picker().next(System.nanoTime()))));
          }
        }
      }
    }
  }
}
