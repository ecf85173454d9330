package dev.hmacd.client;

import static com.google.common.util.concurrent.MoreExecutors.directExecutor;
import static java.util.concurrent.TimeUnit.NANOSECONDS;

import com.google.common.util.concurrent.FutureCallback;
import com.google.common.util.concurrent.Futures;
import com.google.common.util.concurrent.ListenableFuture;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.Deadline;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCalls;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;
import java.util.function.Function;

/// Makes gRPC calls: sets the deadline of each call, and converts failures to [HmacdException].
///
/// A call with checksums is repeated once, within the same deadline, if data was damaged in
/// transit. Only methods that are safe to repeat have checksums. The channel makes all other
/// retries ([Connection]).
record Calls(Channel channel, Duration deadlineAfter) {
  Calls {
    if (deadlineAfter.isNegative() || deadlineAfter.isZero()) {
      throw new IllegalArgumentException("the deadline must be above 0 s: " + deadlineAfter);
    }
  }

  /// Makes a call, and waits for its outcome.
  ///
  /// @param decode converts the answer to the result; if it throws an [HmacdException], the call
  ///   fails with this exception
  <Q, A, R> R call(MethodDescriptor<Q, A> method, Q request, Function<A, R> decode) {
    return call(method, options(), request, decode);
  }

  /// Makes a call with checksums, and waits for its outcome.
  ///
  /// @param decode converts the answer to the result; if it throws an [HmacdException], the call
  ///   fails with this exception
  <Q, A, R> R checkedCall(MethodDescriptor<Q, A> method, Q request, Function<A, R> decode) {
    CallOptions options = options();
    try {
      return call(method, options, request, decode);
    } catch (HmacdException e) {
      if (!e.damagedInTransit()) {
        throw e;
      }
      return call(method, options, request, decode);
    }
  }

  /// Makes a call with checksums without waiting. Cancelling the future cancels the call.
  <Q, A, R> CompletableFuture<R> checkedCallAsync(
      MethodDescriptor<Q, A> method, Q request, Function<A, R> decode) {
    CallOptions options = options();
    var result = new CompletableFuture<R>();
    callAsync(
        method,
        options,
        request,
        decode,
        result,
        failure -> {
          if (failure.damagedInTransit()) {
            callAsync(method, options, request, decode, result, result::completeExceptionally);
          } else {
            result.completeExceptionally(failure);
          }
        });
    return result;
  }

  private <Q, A, R> R call(
      MethodDescriptor<Q, A> method, CallOptions options, Q request, Function<A, R> decode) {
    try {
      return decode.apply(ClientCalls.blockingUnaryCall(channel, method, options, request));
    } catch (StatusRuntimeException e) {
      throw HmacdException.of(e);
    }
  }

  private <Q, A, R> void callAsync(
      MethodDescriptor<Q, A> method,
      CallOptions options,
      Q request,
      Function<A, R> decode,
      CompletableFuture<R> result,
      Consumer<HmacdException> onFailure) {
    ListenableFuture<A> answer =
        ClientCalls.futureUnaryCall(channel.newCall(method, options), request);
    var unused =
        result.whenComplete(
            (value, failure) -> {
              if (failure != null) {
                answer.cancel(true);
              }
            });
    Futures.addCallback(
        answer,
        new FutureCallback<A>() {
          @Override
          public void onSuccess(A answer) {
            R value;
            try {
              value = decode.apply(answer);
            } catch (HmacdException e) {
              onFailure.accept(e);
              return;
            }
            result.complete(value);
          }

          @Override
          public void onFailure(Throwable failure) {
            onFailure.accept(
                HmacdException.of(
                    failure instanceof StatusRuntimeException known
                        ? known
                        : Status.fromThrowable(failure).asRuntimeException()));
          }
        },
        directExecutor());
  }

  private CallOptions options() {
    return CallOptions.DEFAULT.withDeadline(Deadline.after(deadlineAfter.toNanos(), NANOSECONDS));
  }
}
