package dev.hmacd.rpc;

import com.google.protobuf.Message;
import dev.hmacd.usecase.Method;
import io.grpc.MethodDescriptor;
import io.grpc.ServerMethodDefinition;
import io.grpc.ServerServiceDefinition;
import io.grpc.ServiceDescriptor;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Function;

/// Builds a gRPC service from generated method descriptors and handlers. The generated base classes
/// of gRPC would parse a request before it is complete.
final class ServiceBuilder {
  private final ServiceDescriptor generated;
  private final CallStarter starter;
  private final List<ServerMethodDefinition<?, ?>> methods = new ArrayList<>();

  ServiceBuilder(ServiceDescriptor generated, CallStarter starter) {
    this.generated = generated;
    this.starter = starter;
  }

  <ReqT extends Message, RespT> ServiceBuilder add(
      MethodDescriptor<ReqT, RespT> method,
      ReqT defaultInstance,
      UnaryMethod.Handler<ReqT, RespT> handler) {
    return add(method, defaultInstance, _ -> List.of(), handler);
  }

  /// Adds a method whose requests contain other messages.
  ///
  /// @param parts returns all messages that a request contains
  <ReqT extends Message, RespT> ServiceBuilder add(
      MethodDescriptor<ReqT, RespT> method,
      ReqT defaultInstance,
      Function<ReqT, List<? extends Message>> parts,
      UnaryMethod.Handler<ReqT, RespT> handler) {
    methods.add(
        ServerMethodDefinition.create(
            method.toBuilder(
                    SerializedRequest.marshaller(defaultInstance), method.getResponseMarshaller())
                .build(),
            new UnaryMethod<>(named(method), handler, parts, starter)));
    return this;
  }

  private static Method named(MethodDescriptor<?, ?> method) {
    return Method.named(Objects.requireNonNull(method.getBareMethodName()));
  }

  /// @throws IllegalStateException if a method of the service has no handler
  ServerServiceDefinition build() {
    if (methods.size() != generated.getMethods().size()) {
      throw new IllegalStateException(
          "not every method of " + generated.getName() + " has a handler");
    }
    var descriptor =
        ServiceDescriptor.newBuilder(generated.getName())
            .setSchemaDescriptor(generated.getSchemaDescriptor());
    methods.forEach(method -> descriptor.addMethod(method.getMethodDescriptor()));
    var definition = ServerServiceDefinition.builder(descriptor.build());
    methods.forEach(definition::addMethod);
    return definition.build();
  }
}
