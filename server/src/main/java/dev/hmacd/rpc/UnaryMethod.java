package dev.hmacd.rpc;

import com.google.protobuf.Message;
import dev.hmacd.usecase.Call;
import dev.hmacd.usecase.Failure;
import dev.hmacd.usecase.Method;
import dev.hmacd.usecase.Reauthorization;
import dev.hmacd.usecase.Refusal;
import io.grpc.Metadata;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// Runs the calls of one gRPC method whose calls have a single request message. On the event loop,
/// authenticates the caller, refuses requests that violate the API, and passes the request to the
/// handler.
final class UnaryMethod<ReqT extends Message, RespT>
    implements ServerCallHandler<SerializedRequest<ReqT>, RespT> {
  /// The handler of a method, which must not block.
  interface Handler<ReqT, RespT> {
    /// Passes the request to a use case.
    ///
    /// @throws Refusal with the failure, if the call is refused
    void call(Call call, ReqT request, GrpcReply<RespT> reply);
  }

  private final Method method;
  private final Handler<ReqT, RespT> handler;
  private final Function<ReqT, List<? extends Message>> parts;
  private final CallStarter starter;

  /// @param parts returns the messages that a request contains, to search them for unknown fields.
  ///   Protobuf's own search would load descriptors, which load slowly
  UnaryMethod(
      Method method,
      Handler<ReqT, RespT> handler,
      Function<ReqT, List<? extends Message>> parts,
      CallStarter starter) {
    this.method = method;
    this.handler = handler;
    this.parts = parts;
    this.starter = starter;
  }

  @Override
  public ServerCall.Listener<SerializedRequest<ReqT>> startCall(
      ServerCall<SerializedRequest<ReqT>, RespT> transport, Metadata headers) {
    GrpcReply<RespT> reply = starter.start(transport, headers, method);
    if (!reply.authenticate(starter.authenticator())) {
      reply.fail(new Failure.Unauthenticated());
      return new ServerCall.Listener<>() {}; // No message of the refused call is read.
    }
    Call call = reply.call();
    IncompleteRequest incomplete = starter.incompleteRequests().register(reply, call.principal());
    transport.request(2); // Two messages, to detect a second message or the end.
    return new ServerCall.Listener<>() {
      private @Nullable SerializedRequest<ReqT> request;

      @Override
      public void onMessage(SerializedRequest<ReqT> message) {
        incomplete.messageRead(message.length());
        if (request != null) {
          reply.fail(new Failure.InvalidField("request", "must be one message"));
        }
        request = message;
      }

      @Override
      public void onHalfClose() {
        incomplete.release();
        if (reply.isEnded()) {
          return; // The call was already refused or cancelled.
        }
        if (!call.isCurrent(Reauthorization.NONE)) {
          // The end of the request arrived long after its headers.
          reply.fail(new Failure.Unauthenticated());
          return;
        }
        SerializedRequest<ReqT> received = request;
        request = null; // Frees memory: a Watch call can last for hours.
        try {
          handler.call(call, checked(received == null ? null : received.parse()), reply);
        } catch (Refusal refusal) {
          reply.fail(refusal.failure());
        } catch (RuntimeException e) {
          reply.fail(new Failure.Unforeseen(e));
        }
      }

      @Override
      public void onCancel() {
        incomplete.release();
        reply.abandon();
      }

      @Override
      public void onComplete() {
        incomplete.release();
      }
    };
  }

  private ReqT checked(@Nullable ReqT request) {
    if (request == null) {
      throw new Refusal(new Failure.InvalidField("request", "must be one well-formed message"));
    }
    if (hasUnknownField(request)
        || parts.apply(request).stream().anyMatch(UnaryMethod::hasUnknownField)) {
      throw new Refusal(new Failure.UnknownField());
    }
    return request;
  }

  private static boolean hasUnknownField(Message message) {
    return !message.getUnknownFields().asMap().isEmpty();
  }
}
