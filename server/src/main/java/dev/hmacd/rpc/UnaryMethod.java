package dev.hmacd.rpc;

import com.google.protobuf.Message;
import dev.hmacd.access.Principal;
import dev.hmacd.usecase.CallObserver;
import dev.hmacd.usecase.Caller;
import dev.hmacd.usecase.Failure;
import dev.hmacd.usecase.Refusal;
import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import java.time.Clock;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Runs unary calls on the event loop. It authenticates the caller, refuses requests outside of the
/// contract, and passes the request to the use case, which does not block.
final class UnaryMethod<Q extends Message, A> implements ServerCallHandler<Parsed<Q>, A> {
  /// The implementation of a method.
  interface Body<Q, A> {
    /// Passes the request to a use case.
    ///
    /// @throws Refusal sent to the caller as the answer
    void call(Caller caller, Q request, Answer<A> answer);
  }

  /// Settings that all calls share.
  ///
  /// @param maxWait the deadline of calls that set none, and the maximum for all others
  /// @param encodeQueue gives the queue of the event loop that calls it
  record Setting(
      Clock clock,
      Duration maxWait,
      Arrivals arrivals,
      CallObserver observer,
      Supplier<EncodeQueue> encodeQueue) {
    /// The deadline of the call that begins on this thread, in [System#nanoTime]'s terms.
    long deadlineNanos() {
      long limit = maxWait.toNanos();
      Deadline deadline = Context.current().getDeadline();
      if (deadline != null) {
        limit = Math.min(limit, deadline.timeRemaining(TimeUnit.NANOSECONDS));
      }
      return System.nanoTime() + limit;
    }
  }

  private final Body<Q, A> body;
  private final Function<Q, List<? extends Message>> parts;
  private final Setting setting;

  /// @param parts returns the messages in a request. Without it, protobuf would load its
  ///   descriptors to find them, which takes long
  UnaryMethod(Body<Q, A> body, Function<Q, List<? extends Message>> parts, Setting setting) {
    this.body = body;
    this.parts = parts;
    this.setting = setting;
  }

  @Override
  public ServerCall.Listener<Parsed<Q>> startCall(ServerCall<Parsed<Q>, A> call, Metadata headers) {
    long deadlineNanos = setting.deadlineNanos();
    var answer = new Answer<>(call, deadlineNanos, setting.observer(), setting.encodeQueue().get());
    Optional<Principal> principal = answer.authenticate(setting.clock().instant());
    if (principal.isEmpty()) {
      answer.fail(new Failure.Unauthenticated());
      return new ServerCall.Listener<>() {}; // The request is not read.
    }
    var caller = new Caller(principal.get(), deadlineNanos);
    Arrival arrival = setting.arrivals().begun(answer, principal.get());
    call.request(2); // The second detects another message, or the end.
    return new ServerCall.Listener<>() {
      private @Nullable Parsed<Q> request;

      @Override
      public void onMessage(Parsed<Q> message) {
        arrival.read(message.length());
        if (request != null) {
          answer.fail(new Failure.InvalidField("request", "must be one message"));
        }
        request = message;
      }

      @Override
      public void onHalfClose() {
        arrival.ended();
        if (answer.isEnded()) {
          return; // The call was already refused.
        }
        Parsed<Q> parsed = request;
        request = null; // Frees memory: a call of Watch lasts long.
        try {
          body.call(caller, checked(parsed == null ? null : parsed.message()), answer);
        } catch (Refusal refusal) {
          answer.fail(refusal.failure());
        } catch (RuntimeException e) {
          answer.fail(new Failure.Unforeseen(e));
        }
      }

      @Override
      public void onCancel() {
        arrival.ended();
        answer.abandon();
      }

      @Override
      public void onComplete() {
        arrival.ended();
      }
    };
  }

  private Q checked(@Nullable Q request) {
    if (request == null) {
      throw new Refusal(new Failure.InvalidField("request", "must be one well-formed message"));
    }
    if (hasUnknown(request) || parts.apply(request).stream().anyMatch(UnaryMethod::hasUnknown)) {
      throw new Refusal(new Failure.UnknownField());
    }
    return request;
  }

  private static boolean hasUnknown(Message message) {
    return !message.getUnknownFields().asMap().isEmpty();
  }
}
