package dev.hmacd.rpc;

import com.google.protobuf.DescriptorProtos.DescriptorProto;
import com.google.protobuf.DescriptorProtos.FieldDescriptorProto;
import com.google.protobuf.DescriptorProtos.FileDescriptorProto;
import com.google.protobuf.DescriptorProtos.MessageOptions;
import com.google.protobuf.DescriptorProtos.MethodDescriptorProto;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.DescriptorValidationException;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.DynamicMessage;
import com.google.protobuf.Empty;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.ServiceDescriptor;
import io.grpc.health.v1.HealthCheckResponse;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.health.v1.HealthProto;
import io.grpc.protobuf.ProtoFileDescriptorSupplier;
import io.grpc.protobuf.ProtoUtils;
import java.io.InputStream;
import java.util.Map;

/// The method List of the health service (`grpc.health.v1.Health`). The `health.proto` of the
/// library grpc-services does not have this method.
///
/// Remove this class when grpc-services has `HealthGrpc.getListMethod`.
final class HealthListMethod {
  /// Descriptor of the method List. The request type is [Empty], because `HealthListRequest` has no
  /// fields.
  static final MethodDescriptor<Empty, DynamicMessage> METHOD =
      MethodDescriptor.<Empty, DynamicMessage>newBuilder()
          .setType(MethodType.UNARY)
          .setFullMethodName(
              MethodDescriptor.generateFullMethodName(HealthGrpc.SERVICE_NAME, "List"))
          .setRequestMarshaller(ProtoUtils.marshaller(Empty.getDefaultInstance()))
          .setResponseMarshaller(new ResponseMarshaller())
          .build();

  /// The health service with the method List.
  static final ServiceDescriptor SERVICE =
      ServiceDescriptor.newBuilder(HealthGrpc.SERVICE_NAME)
          .setSchemaDescriptor((ProtoFileDescriptorSupplier) HealthListMethod::file)
          .addMethod(HealthGrpc.getCheckMethod())
          .addMethod(METHOD)
          .addMethod(HealthGrpc.getWatchMethod())
          .build();

  private HealthListMethod() {}

  static DynamicMessage response(Map<String, HealthCheckResponse> statuses) {
    Descriptor type = Schema.RESPONSE;
    FieldDescriptor field = type.findFieldByName("statuses");
    Descriptor entry = field.getMessageType();
    var response = DynamicMessage.newBuilder(type);
    statuses.forEach(
        (service, status) ->
            response.addRepeatedField(
                field,
                DynamicMessage.newBuilder(entry)
                    .setField(entry.findFieldByNumber(1), service)
                    .setField(entry.findFieldByNumber(2), status)
                    .build()));
    return response.build();
  }

  /// The file `grpc/health/v1/health.proto` with the method List.
  static FileDescriptor file() {
    return Schema.FILE;
  }

  /// Protobuf descriptors with the method List, loaded at the first use because descriptors load
  /// slowly.
  private static final class Schema {
    static final FileDescriptor FILE = file();
    static final Descriptor RESPONSE = FILE.findMessageTypeByName("HealthListResponse");

    private static FileDescriptor file() {
      FileDescriptorProto.Builder file = HealthProto.getDescriptor().toProto().toBuilder();
      file.addMessageType(DescriptorProto.newBuilder().setName("HealthListRequest"));
      file.addMessageType(
          DescriptorProto.newBuilder()
              .setName("HealthListResponse")
              .addField(
                  field(
                          "statuses",
                          1,
                          FieldDescriptorProto.Label.LABEL_REPEATED,
                          FieldDescriptorProto.Type.TYPE_MESSAGE)
                      .setTypeName(".grpc.health.v1.HealthListResponse.StatusesEntry"))
              .addNestedType(
                  DescriptorProto.newBuilder()
                      .setName("StatusesEntry")
                      .setOptions(MessageOptions.newBuilder().setMapEntry(true))
                      .addField(
                          field(
                              "key",
                              1,
                              FieldDescriptorProto.Label.LABEL_OPTIONAL,
                              FieldDescriptorProto.Type.TYPE_STRING))
                      .addField(
                          field(
                                  "value",
                                  2,
                                  FieldDescriptorProto.Label.LABEL_OPTIONAL,
                                  FieldDescriptorProto.Type.TYPE_MESSAGE)
                              .setTypeName(".grpc.health.v1.HealthCheckResponse"))));
      file.getServiceBuilder(0)
          .addMethod(
              MethodDescriptorProto.newBuilder()
                  .setName("List")
                  .setInputType(".grpc.health.v1.HealthListRequest")
                  .setOutputType(".grpc.health.v1.HealthListResponse"));
      try {
        return FileDescriptor.buildFrom(file.build(), new FileDescriptor[0]);
      } catch (DescriptorValidationException e) {
        throw new IllegalStateException(
            "cannot add the method List: health.proto of grpc-services has changed", e);
      }
    }

    private static FieldDescriptorProto.Builder field(
        String name, int number, FieldDescriptorProto.Label label, FieldDescriptorProto.Type type) {
      return FieldDescriptorProto.newBuilder()
          .setName(name)
          .setNumber(number)
          .setLabel(label)
          .setType(type);
    }
  }

  /// Marshals a response of the method List. gRPC's own marshaller would load the descriptors at
  /// the definition of the method.
  private static final class ResponseMarshaller
      implements MethodDescriptor.Marshaller<DynamicMessage> {
    @Override
    public InputStream stream(DynamicMessage value) {
      return value.toByteString().newInput();
    }

    @Override
    public DynamicMessage parse(InputStream stream) {
      return ProtoUtils.marshaller(DynamicMessage.getDefaultInstance(Schema.RESPONSE))
          .parse(stream);
    }
  }
}
