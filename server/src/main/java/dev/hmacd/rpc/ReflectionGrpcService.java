package dev.hmacd.rpc;

import dev.hmacd.access.Principal;
import dev.hmacd.transport.FairLimit;
import dev.hmacd.usecase.Failure;
import dev.hmacd.usecase.Method;
import dev.hmacd.usecase.Refusal;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerMethodDefinition;
import io.grpc.ServerServiceDefinition;
import io.grpc.ServiceDescriptor;
import io.grpc.reflection.v1.ServerReflectionGrpc;
import io.grpc.reflection.v1.ServerReflectionRequest;
import io.grpc.reflection.v1.ServerReflectionResponse;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// Server reflection (`grpc.reflection.v1` and `v1alpha`) for authenticated callers. Both versions
/// share one limit on concurrent calls, which [FairLimit] divides between principals. A call lasts
/// at most `grpc.limits.max_call_time`.
final class ReflectionGrpcService
    implements ServerCallHandler<
        SerializedRequest<ServerReflectionRequest>, ServerReflectionResponse> {
  static final int MAX_CALLS = 64;

  private static final MethodDescriptor<ServerReflectionRequest, ServerReflectionResponse> METHOD =
      ServerReflectionGrpc.getServerReflectionInfoMethod();

  private static final Method NAME = Method.named("ServerReflectionInfo");

  private final CallStarter starter;
  private final List<ServerServiceDefinition> definitions;
  private final List<ServerServiceDefinition> services;
  private final FairLimit<GrpcReply<?>> shares =
      new FairLimit<>(MAX_CALLS, (_, call) -> refuse(call));
  private final Set<GrpcReply<?>> open = ConcurrentHashMap.newKeySet();
  private volatile @Nullable DescriptorIndex index;
  private volatile boolean stopped;

  /// @param services the services to describe, in addition to reflection itself
  ReflectionGrpcService(List<ServerServiceDefinition> services, CallStarter starter) {
    this.starter = starter;
    this.definitions =
        List.of(
            definition(ServerReflectionGrpc.getServiceDescriptor()),
            definition(io.grpc.reflection.v1alpha.ServerReflectionGrpc.getServiceDescriptor()));
    this.services = Stream.concat(services.stream(), definitions.stream()).toList();
  }

  /// The reflection services of both versions.
  List<ServerServiceDefinition> definitions() {
    return definitions;
  }

  /// The service definition of one version. `v1alpha` and `v1` have the same fields and field
  /// numbers.
  private ServerServiceDefinition definition(ServiceDescriptor version) {
    var method =
        METHOD.toBuilder(
                SerializedRequest.marshaller(ServerReflectionRequest.getDefaultInstance()),
                METHOD.getResponseMarshaller())
            .setFullMethodName(
                MethodDescriptor.generateFullMethodName(
                    version.getName(), String.valueOf(METHOD.getBareMethodName())))
            .build();
    return ServerServiceDefinition.builder(
            ServiceDescriptor.newBuilder(version.getName())
                .setSchemaDescriptor(version.getSchemaDescriptor())
                .addMethod(method)
                .build())
        .addMethod(ServerMethodDefinition.create(method, this))
        .build();
  }

  /// Ends all reflection calls, and refuses new reflection calls. The stop of the daemon calls this
  /// method before it waits for all calls in flight.
  void stop() {
    stopped = true;
    open.forEach(call -> call.fail(new Failure.Stopping()));
  }

  /// The index of the descriptors. The first call creates the index, because descriptors load
  /// slowly.
  private DescriptorIndex index() {
    DescriptorIndex made = index;
    if (made == null) {
      made = new DescriptorIndex(services);
      index = made;
    }
    return made;
  }

  @Override
  public ServerCall.Listener<SerializedRequest<ServerReflectionRequest>> startCall(
      ServerCall<SerializedRequest<ServerReflectionRequest>, ServerReflectionResponse> transport,
      Metadata headers) {
    GrpcReply<ServerReflectionResponse> reply = starter.start(transport, headers, NAME);
    if (!reply.authenticate(starter.authenticator())) {
      reply.fail(new Failure.Unauthenticated());
      return new ServerCall.Listener<>() {};
    }
    Principal principal = reply.call().principal();
    if (!shares.enter(principal, reply)) {
      refuse(reply);
      return new ServerCall.Listener<>() {};
    }
    reply.onEnd(
        () -> {
          boolean _ = shares.leave(principal, reply);
        });
    open.add(reply);
    if (stopped) {
      reply.fail(new Failure.Stopping());
    }
    IncompleteRequest incomplete = starter.incompleteRequests().register(reply, principal);
    transport.request(1);
    return new Listener(transport, reply, incomplete);
  }

  private static void refuse(GrpcReply<?> reply) {
    reply.fail(new Failure.LimitExceeded("calls of ServerReflectionInfo", MAX_CALLS));
  }

  /// Responds to one request after the other. Reads the next request only when the connection has
  /// sent most of the responses: a client that does not read responses holds little memory.
  private final class Listener
      extends ServerCall.Listener<SerializedRequest<ServerReflectionRequest>> {
    private final ServerCall<?, ServerReflectionResponse> call;
    private final GrpcReply<ServerReflectionResponse> reply;
    private final IncompleteRequest incomplete;
    private boolean requestDue;

    Listener(
        ServerCall<?, ServerReflectionResponse> call,
        GrpcReply<ServerReflectionResponse> reply,
        IncompleteRequest incomplete) {
      this.call = call;
      this.reply = reply;
      this.incomplete = incomplete;
    }

    @Override
    public void onMessage(SerializedRequest<ServerReflectionRequest> message) {
      incomplete.messageRead(message.length());
      if (reply.isEnded()) {
        return;
      }
      try {
        ServerReflectionRequest request = message.parse();
        if (request == null) {
          reply.fail(new Failure.InvalidField("request", "must be a well-formed message"));
          return;
        }
        reply.send(index().respond(request));
      } catch (Refusal refusal) {
        reply.fail(refusal.failure());
        return;
      } catch (RuntimeException e) {
        reply.fail(new Failure.Unforeseen(e));
        return;
      }
      requestDue = true;
      onReady();
    }

    @Override
    public void onReady() {
      if (requestDue && call.isReady()) {
        requestDue = false;
        call.request(1);
      }
    }

    @Override
    public void onHalfClose() {
      reply.finish();
    }

    @Override
    public void onCancel() {
      reply.abandon();
      release();
    }

    @Override
    public void onComplete() {
      release();
    }

    private void release() {
      incomplete.release();
      open.remove(reply);
    }
  }
}
