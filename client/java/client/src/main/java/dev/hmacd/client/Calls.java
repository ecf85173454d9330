package dev.hmacd.client;

import static com.google.common.util.concurrent.MoreExecutors.directExecutor;
import static java.util.concurrent.TimeUnit.NANOSECONDS;

import com.google.protobuf.MessageLite;
import io.grpc.Deadline;
import io.grpc.MethodDescriptor;
import io.grpc.Status.Code;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executor;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// Makes calls with one deadline. Each `decode` converts the answer to the result; it throws a
/// [DamagedAnswerException] if the answer was damaged in transit.
record Calls(
    Connections connections, RetryPolicy policy, Duration deadlineAfter, CallObserver observer) {
  Calls {
    if (deadlineAfter.isNegative() || deadlineAfter.isZero()) {
      throw new IllegalArgumentException("the deadline must be above 0 s: " + deadlineAfter);
    }
  }

  /// The connections of a client that is not closed.
  Connections openConnections() {
    if (connections.isClosing()) {
      throw closed();
    }
    return connections;
  }

  /// Makes a call that changes nothing, with retries, and waits for its outcome.
  <Q extends MessageLite, A, R> R safe(
      MethodDescriptor<Q, A> method, Q request, Function<A, R> decode) {
    return await(new Call.Request<>(method, request, decode, Repetition.SAFE));
  }

  /// As [#safe], without waiting. Cancelling the future cancels the call.
  <Q extends MessageLite, A, R> CompletableFuture<R> safeAsync(
      MethodDescriptor<Q, A> method, Q request, Function<A, R> decode) {
    var call = new Call.Request<>(method, request, decode, Repetition.SAFE);
    return connections.isClosing()
        ? CompletableFuture.failedFuture(refused(call))
        : call(call, connections.callbacks()).start();
  }

  /// Makes a call that changes something, at most once, and waits for its outcome.
  <Q extends MessageLite, A, R> R change(
      MethodDescriptor<Q, A> method, Q request, Function<A, R> decode) {
    return await(new Call.Request<>(method, request, decode, Repetition.IF_NOT_SENT));
  }

  /// Makes a call without retries, and waits for its outcome.
  <Q extends MessageLite, A, R> R once(
      MethodDescriptor<Q, A> method, Q request, Function<A, R> decode) {
    return await(new Call.Request<>(method, request, decode, Repetition.NEVER));
  }

  private <Q extends MessageLite, A, R> R await(Call.Request<Q, A, R> request) {
    if (connections.isClosing()) {
      throw refused(request);
    }
    // The steps of the call do not block, and this thread gets its result.
    Call<Q, A, R> call = call(request, directExecutor());
    CompletableFuture<R> result = call.start();
    try {
      return result.get();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      call.cancel(
          Failure.local(
              ErrorReason.CANCELLED, Code.CANCELLED, "the calling thread was interrupted"));
      try {
        return result.join(); // Does not wait: the call has ended.
      } catch (CompletionException cancelled) {
        throw failure(cancelled.getCause());
      }
    } catch (ExecutionException e) {
      throw failure(e.getCause());
    }
  }

  /// The exception of a call, with the stack trace of the thread that waited.
  private static RuntimeException failure(@Nullable Throwable failure) {
    if (failure instanceof HmacdException known) {
      known.fillInStackTrace();
      return known;
    }
    return failure instanceof RuntimeException unexpected
        ? unexpected
        : new IllegalStateException(failure);
  }

  private <Q extends MessageLite, A, R> Call<Q, A, R> call(
      Call.Request<Q, A, R> request, Executor executor) {
    return new Call<>(connections, policy, request, deadline(), executor, observe(request));
  }

  private CallObserver.Observation observe(Call.Request<?, ?, ?> request) {
    return observer.start(request.method().getFullMethodName());
  }

  /// The failure of a call on a closed client.
  private HmacdException refused(Call.Request<?, ?, ?> request) {
    observe(request).end(CallFacts.NO_ATTEMPT, Connections.CLOSED.reason().name());
    return closed();
  }

  private static HmacdException closed() {
    return HmacdException.of(Connections.CLOSED, CallFacts.NO_ATTEMPT, 0);
  }

  private Deadline deadline() {
    return Deadline.after(deadlineAfter.toNanos(), NANOSECONDS);
  }
}
