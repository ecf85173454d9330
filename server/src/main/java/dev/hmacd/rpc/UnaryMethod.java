package dev.hmacd.rpc;

import com.google.protobuf.Message;
import dev.hmacd.authn.Authenticator;
import dev.hmacd.usecase.Call;
import dev.hmacd.usecase.CallPipeline;
import dev.hmacd.usecase.Edge;
import dev.hmacd.usecase.Failure;
import dev.hmacd.usecase.Method;
import dev.hmacd.usecase.Refusal;
import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import java.time.Duration;
import java.util.List;
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
    void call(Call call, Q request, Answer<A> answer);
  }

  /// Settings that all calls share.
  ///
  /// @param maxWait the deadline of calls that set none, and the maximum for all others
  /// @param encodeQueue gives the queue of the event loop that calls it
  record Setting(
      Authenticator authenticator,
      Duration maxWait,
      Arrivals arrivals,
      CallPipeline calls,
      Supplier<EncodeQueue> encodeQueue) {
    private static final Metadata.Key<String> TRACE_PARENT =
        Metadata.Key.of("traceparent", Metadata.ASCII_STRING_MARSHALLER);

    /// Begins a call, on the event loop of its connection.
    <A> Answer<A> begin(ServerCall<?, A> transport, Metadata headers, Method method) {
      Call call = calls.begin(Edge.GRPC, method, headers.get(TRACE_PARENT), deadlineNanos());
      return new Answer<>(
          transport, GrpcCredentials.of(transport.getAttributes()), call, encodeQueue.get());
    }

    /// The deadline of the call that begins on this thread, in [System#nanoTime]'s terms.
    private long deadlineNanos() {
      long limit = maxWait.toNanos();
      Deadline deadline = Context.current().getDeadline();
      if (deadline != null) {
        limit = Math.min(limit, deadline.timeRemaining(TimeUnit.NANOSECONDS));
      }
      return System.nanoTime() + limit;
    }
  }

  private final Method method;
  private final Body<Q, A> body;
  private final Function<Q, List<? extends Message>> parts;
  private final Setting setting;

  /// @param parts returns the messages in a request. Without it, protobuf would load its
  ///   descriptors to find them, which takes long
  UnaryMethod(
      Method method, Body<Q, A> body, Function<Q, List<? extends Message>> parts, Setting setting) {
    this.method = method;
    this.body = body;
    this.parts = parts;
    this.setting = setting;
  }

  @Override
  public ServerCall.Listener<Parsed<Q>> startCall(
      ServerCall<Parsed<Q>, A> transport, Metadata headers) {
    Answer<A> answer = setting.begin(transport, headers, method);
    if (!answer.authenticate(setting.authenticator())) {
      answer.fail(new Failure.Unauthenticated());
      return new ServerCall.Listener<>() {}; // The request is not read.
    }
    Call call = answer.call();
    Arrival arrival = setting.arrivals().begun(answer, call.principal());
    transport.request(2); // The second detects another message, or the end.
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
          body.call(call, checked(parsed == null ? null : parsed.message()), answer);
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
