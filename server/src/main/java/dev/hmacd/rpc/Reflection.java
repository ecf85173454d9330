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

/// Server reflection (`grpc.reflection.v1` and `v1alpha`) for authenticated callers. The number of
/// concurrent calls of both versions is bounded and shared between principals. A call lasts at most
/// `grpc.limits.max_call_time`.
final class Reflection
    implements ServerCallHandler<Parsed<ServerReflectionRequest>, ServerReflectionResponse> {
  static final int MAX_CALLS = 64;

  private static final MethodDescriptor<ServerReflectionRequest, ServerReflectionResponse> METHOD =
      ServerReflectionGrpc.getServerReflectionInfoMethod();

  private static final Method NAME = Method.named("ServerReflectionInfo");

  private final UnaryMethod.Setting setting;
  private final List<ServerServiceDefinition> definitions;
  private final List<ServerServiceDefinition> services;
  private final FairLimit<Answer<?>> shares = new FairLimit<>(MAX_CALLS, Reflection::refuse);
  private final Set<Answer<?>> open = ConcurrentHashMap.newKeySet();
  private volatile @Nullable ReflectionIndex index;
  private volatile boolean over;

  /// @param services the described services, in addition to reflection itself
  Reflection(List<ServerServiceDefinition> services, UnaryMethod.Setting setting) {
    this.setting = setting;
    this.definitions =
        List.of(
            definition(ServerReflectionGrpc.getServiceDescriptor()),
            definition(io.grpc.reflection.v1alpha.ServerReflectionGrpc.getServiceDescriptor()));
    this.services = Stream.concat(services.stream(), definitions.stream()).toList();
  }

  /// The services of both versions.
  List<ServerServiceDefinition> definitions() {
    return definitions;
  }

  /// The messages of `v1alpha` have the fields and field numbers of those of `v1`.
  private ServerServiceDefinition definition(ServiceDescriptor version) {
    var method =
        METHOD.toBuilder(
                Parsed.marshaller(ServerReflectionRequest.getDefaultInstance()),
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

  /// Ends all calls, and refuses new ones. Otherwise a stop would wait for them.
  void stop() {
    over = true;
    open.forEach(call -> call.fail(new Failure.Stopping()));
  }

  /// Made at the first call: descriptors take long to load, and a start does not need them.
  private ReflectionIndex index() {
    ReflectionIndex made = index;
    if (made == null) {
      made = new ReflectionIndex(services);
      index = made;
    }
    return made;
  }

  @Override
  public ServerCall.Listener<Parsed<ServerReflectionRequest>> startCall(
      ServerCall<Parsed<ServerReflectionRequest>, ServerReflectionResponse> transport,
      Metadata headers) {
    Answer<ServerReflectionResponse> answer = setting.begin(transport, headers, NAME);
    if (!answer.authenticate(setting.clock().instant())) {
      answer.fail(new Failure.Unauthenticated());
      return new ServerCall.Listener<>() {};
    }
    Principal principal = answer.call().principal();
    if (!shares.enter(principal, answer)) {
      refuse(answer);
      return new ServerCall.Listener<>() {};
    }
    answer.whenEnded(
        () -> {
          boolean _ = shares.leave(principal, answer);
        });
    open.add(answer);
    if (over) {
      answer.fail(new Failure.Stopping());
    }
    Arrival arrival = setting.arrivals().begun(answer, principal);
    transport.request(1);
    return new Listener(transport, answer, arrival);
  }

  private static void refuse(Answer<?> call) {
    call.fail(new Failure.LimitExceeded("calls of ServerReflectionInfo", MAX_CALLS));
  }

  /// Answers one request after the other. It reads the next request after the connection has sent
  /// the answers, so a caller that does not read them holds little memory.
  private final class Listener extends ServerCall.Listener<Parsed<ServerReflectionRequest>> {
    private final ServerCall<?, ServerReflectionResponse> call;
    private final Answer<ServerReflectionResponse> answer;
    private final Arrival arrival;
    private boolean requestDue;

    Listener(
        ServerCall<?, ServerReflectionResponse> call,
        Answer<ServerReflectionResponse> answer,
        Arrival arrival) {
      this.call = call;
      this.answer = answer;
      this.arrival = arrival;
    }

    @Override
    public void onMessage(Parsed<ServerReflectionRequest> message) {
      arrival.read(message.length());
      if (answer.isEnded()) {
        return;
      }
      try {
        ServerReflectionRequest request = message.message();
        if (request == null) {
          answer.fail(new Failure.InvalidField("request", "must be a well-formed message"));
          return;
        }
        answer.send(index().answer(request));
      } catch (Refusal refusal) {
        answer.fail(refusal.failure());
        return;
      } catch (RuntimeException e) {
        answer.fail(new Failure.Unforeseen(e));
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
      answer.finish();
    }

    @Override
    public void onCancel() {
      answer.abandon();
      leave();
    }

    @Override
    public void onComplete() {
      leave();
    }

    private void leave() {
      arrival.ended();
      open.remove(answer);
    }
  }
}
