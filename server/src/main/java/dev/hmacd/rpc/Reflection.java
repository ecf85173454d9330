package dev.hmacd.rpc;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.hmacd.mac.Failure;
import io.grpc.Attributes;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerMethodDefinition;
import io.grpc.ServerServiceDefinition;
import io.grpc.ServiceDescriptor;
import io.grpc.Status;
import io.grpc.protobuf.services.ProtoReflectionServiceV1;
import io.grpc.reflection.v1.ServerReflectionGrpc;
import io.grpc.reflection.v1.ServerReflectionRequest;
import io.grpc.reflection.v1.ServerReflectionResponse;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Semaphore;

/// Server reflection (`grpc.reflection.v1`): gRPC's own, for callers who have a principal, for a
/// few of them at once, and for each no longer than a call may take.
final class Reflection
    implements ServerCallHandler<Parsed<ServerReflectionRequest>, ServerReflectionResponse> {
  static final int MAX_CALLS = 64;

  private static final MethodDescriptor<ServerReflectionRequest, ServerReflectionResponse> METHOD =
      ServerReflectionGrpc.getServerReflectionInfoMethod();

  private final ServerCallHandler<ServerReflectionRequest, ServerReflectionResponse> grpc;
  private final UnaryMethod.Setting setting;
  private final Semaphore room = new Semaphore(MAX_CALLS);
  private final Set<Answer<?>> open = ConcurrentHashMap.newKeySet();
  private volatile boolean over;

  @SuppressWarnings("unchecked") // The generated binding has this method's types.
  Reflection(UnaryMethod.Setting setting) {
    this.grpc =
        (ServerCallHandler<ServerReflectionRequest, ServerReflectionResponse>)
            ProtoReflectionServiceV1.newInstance()
                .bindService()
                .getMethod(METHOD.getFullMethodName())
                .getServerCallHandler();
    this.setting = setting;
  }

  ServerServiceDefinition definition() {
    var method =
        METHOD.toBuilder(
                Parsed.marshaller(ServerReflectionRequest.getDefaultInstance()),
                METHOD.getResponseMarshaller())
            .build();
    return ServerServiceDefinition.builder(
            ServiceDescriptor.newBuilder(ServerReflectionGrpc.SERVICE_NAME)
                .setSchemaDescriptor(
                    ServerReflectionGrpc.getServiceDescriptor().getSchemaDescriptor())
                .addMethod(method)
                .build())
        .addMethod(ServerMethodDefinition.create(method, this))
        .build();
  }

  /// Ends all calls, and those that are yet to come: a stop would wait for them.
  void stop() {
    over = true;
    open.forEach(call -> call.fail(new Failure.Stopping()));
  }

  @Override
  public ServerCall.Listener<Parsed<ServerReflectionRequest>> startCall(
      ServerCall<Parsed<ServerReflectionRequest>, ServerReflectionResponse> call,
      Metadata headers) {
    var stream = new Stream(call);
    var answer =
        new Answer<>(
            stream, setting.deadlineNanos(), setting.observer(), setting.loops().current());
    if (answer.authenticate(setting.clock().instant()).isEmpty()) {
      answer.fail(new Failure.Unauthenticated());
      return new ServerCall.Listener<>() {};
    }
    if (!room.tryAcquire()) {
      answer.fail(new Failure.LimitExceeded("calls of ServerReflectionInfo", MAX_CALLS));
      return new ServerCall.Listener<>() {};
    }
    open.add(answer);
    if (over) {
      answer.fail(new Failure.Stopping());
    }
    Arrival arrival = setting.arrivals().begun(answer);
    ServerCall.Listener<ServerReflectionRequest> listener = grpc.startCall(stream, headers);
    return new ServerCall.Listener<>() {
      @Override
      public void onMessage(Parsed<ServerReflectionRequest> message) {
        arrival.read(message.bytes());
        ServerReflectionRequest request = message.message();
        if (request == null) {
          answer.fail(new Failure.InvalidField("request", "must be a well-formed message"));
        } else if (!answer.isEnded()) {
          listener.onMessage(request);
        }
      }

      @Override
      public void onHalfClose() {
        listener.onHalfClose();
      }

      @Override
      public void onReady() {
        listener.onReady();
      }

      @Override
      public void onCancel() {
        answer.abandon();
        leave();
        listener.onCancel();
      }

      @Override
      public void onComplete() {
        answer.completed();
        leave();
        listener.onComplete();
      }

      private void leave() {
        arrival.ended();
        if (open.remove(answer)) {
          room.release();
        }
      }
    };
  }

  /// A call that may be ended from outside while gRPC's service is sending.
  private static final class Stream
      extends ServerCall<ServerReflectionRequest, ServerReflectionResponse> {
    private final ServerCall<?, ServerReflectionResponse> call;

    @GuardedBy("this")
    private boolean closed;

    Stream(ServerCall<?, ServerReflectionResponse> call) {
      this.call = call;
    }

    @Override
    public void request(int messages) {
      call.request(messages);
    }

    @Override
    public synchronized void sendHeaders(Metadata headers) {
      if (!closed) {
        call.sendHeaders(headers);
      }
    }

    @Override
    public synchronized void sendMessage(ServerReflectionResponse message) {
      if (!closed) {
        call.sendMessage(message);
      }
    }

    @Override
    public synchronized void close(Status status, Metadata trailers) {
      if (!closed) {
        closed = true;
        call.close(status, trailers);
      }
    }

    @Override
    public boolean isReady() {
      return call.isReady();
    }

    @Override
    public boolean isCancelled() {
      return call.isCancelled();
    }

    @Override
    public Attributes getAttributes() {
      return call.getAttributes();
    }

    @Override
    public MethodDescriptor<ServerReflectionRequest, ServerReflectionResponse>
        getMethodDescriptor() {
      return METHOD;
    }
  }
}
