package dev.hmacd.client;

import com.google.protobuf.Int32Value;
import com.google.protobuf.StringValue;
import io.grpc.MethodDescriptor;
import io.grpc.protobuf.ProtoUtils;

/// The method Check of the standard health service, `grpc.health.v1.Health`.
///
/// `HealthCheckRequest` has one field, the name of a service, and `HealthCheckResponse` one enum.
/// Protobuf's wrapper types have the same wire format, so this library needs no generated classes
/// of grpc-services.
final class HealthService {
  static final String NAME = "grpc.health.v1.Health";

  static final MethodDescriptor<StringValue, Int32Value> CHECK =
      MethodDescriptor.<StringValue, Int32Value>newBuilder()
          .setType(MethodDescriptor.MethodType.UNARY)
          .setFullMethodName(MethodDescriptor.generateFullMethodName(NAME, "Check"))
          .setRequestMarshaller(ProtoUtils.marshaller(StringValue.getDefaultInstance()))
          .setResponseMarshaller(ProtoUtils.marshaller(Int32Value.getDefaultInstance()))
          .build();

  private HealthService() {}

  static StringValue request(String service) {
    return StringValue.of(service);
  }

  static HealthStatus status(Int32Value answer) {
    return switch (answer.getValue()) {
      case 1 -> HealthStatus.SERVING;
      case 2 -> HealthStatus.NOT_SERVING;
      default -> HealthStatus.UNKNOWN;
    };
  }
}
