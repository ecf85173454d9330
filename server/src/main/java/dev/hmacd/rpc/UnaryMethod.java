package dev.hmacd.rpc;

import com.google.protobuf.Message;
import dev.hmacd.access.Principal;
import dev.hmacd.mac.CallObserver;
import dev.hmacd.mac.Caller;
import dev.hmacd.mac.Failure;
import dev.hmacd.mac.Refusal;
import dev.hmacd.transport.EventLoops;
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
import org.jspecify.annotations.Nullable;

/// The way of a unary call on the event loop: authenticate, refuse what is not the contract, and
/// hand the request to the use case, which does not block.
final class UnaryMethod<Q extends Message, A> implements ServerCallHandler<Parsed<Q>, A> {
  /// What a method does with a request.
  interface Body<Q, A> {
    /// Hands it to a use case.
    ///
    /// @throws Refusal as an answer
    void call(Caller caller, Q request, Answer<A> answer);
  }

  /// What calls have in common.
  ///
  /// @param maxWait the deadline of calls that set none, and the longest of those that do
  /// @param loops those of the connections
  record Setting(
      Clock clock, Duration maxWait, Arrivals arrivals, CallObserver observer, EventLoops loops) {
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

  /// @param parts the messages in a request; protobuf would need its descriptors to find them,
  ///   which take long to load
  UnaryMethod(Body<Q, A> body, Function<Q, List<? extends Message>> parts, Setting setting) {
    this.body = body;
    this.parts = parts;
    this.setting = setting;
  }

  @Override
  public ServerCall.Listener<Parsed<Q>> startCall(ServerCall<Parsed<Q>, A> call, Metadata headers) {
    long deadlineNanos = setting.deadlineNanos();
    var answer = new Answer<>(call, deadlineNanos, setting.observer(), setting.loops().current());
    Optional<Principal> principal = answer.authenticate(setting.clock().instant());
    if (principal.isEmpty()) {
      answer.fail(new Failure.Unauthenticated());
      return new ServerCall.Listener<>() {}; // Nothing of the request is asked for.
    }
    var caller = new Caller(principal.get(), deadlineNanos);
    Arrival arrival = setting.arrivals().begun(answer);
    call.request(2); // One message, and the news that there is no second.
    return new ServerCall.Listener<>() {
      private @Nullable Parsed<Q> request;

      @Override
      public void onMessage(Parsed<Q> message) {
        arrival.read(message.bytes());
        if (request != null) {
          answer.fail(new Failure.InvalidField("request", "must be one message"));
        }
        request = message;
      }

      @Override
      public void onHalfClose() {
        arrival.ended();
        if (answer.isEnded()) {
          return; // Refused already: nothing must be done for it.
        }
        Parsed<Q> parsed = request;
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
