package dev.hmacd.rpc;

import dev.hmacd.usecase.Failure;
import dev.hmacd.usecase.Method;
import io.grpc.HandlerRegistry;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerMethodDefinition;
import java.io.InputStream;
import org.jspecify.annotations.Nullable;

/// Refuses calls of unknown methods with an error reason of the API, as for all other failures. A
/// caller without a principal gets UNAUTHENTICATED.
final class UnknownMethods extends HandlerRegistry {
  /// The name that stands for all unknown methods. A name from a request must not become a label of
  /// metrics.
  private static final String NAME = "hmacd/unknown";

  private final ServerMethodDefinition<?, ?> method;

  UnknownMethods(CallStarter starter) {
    MethodDescriptor<InputStream, InputStream> descriptor =
        MethodDescriptor.newBuilder(Unread.INSTANCE, Unread.INSTANCE)
            .setType(MethodDescriptor.MethodType.UNKNOWN)
            .setFullMethodName(NAME)
            .build();
    this.method = ServerMethodDefinition.create(descriptor, new Refusing(starter));
  }

  @Override
  public ServerMethodDefinition<?, ?> lookupMethod(String name, @Nullable String authority) {
    return method;
  }

  private record Refusing(CallStarter starter)
      implements ServerCallHandler<InputStream, InputStream> {
    @Override
    public ServerCall.Listener<InputStream> startCall(
        ServerCall<InputStream, InputStream> call, Metadata headers) {
      GrpcReply<InputStream> reply = starter.start(call, headers, Method.UNKNOWN);
      reply.fail(
          reply.authenticate(starter.authenticator())
              ? new Failure.MethodNotFound()
              : new Failure.Unauthenticated());
      return new ServerCall.Listener<>() {};
    }
  }

  /// The marshaller of refused calls, whose messages are not read.
  private enum Unread implements MethodDescriptor.Marshaller<InputStream> {
    INSTANCE;

    @Override
    public InputStream stream(InputStream value) {
      return value;
    }

    @Override
    public InputStream parse(InputStream stream) {
      return stream;
    }
  }
}
