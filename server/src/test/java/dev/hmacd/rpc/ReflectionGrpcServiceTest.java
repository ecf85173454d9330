package dev.hmacd.rpc;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.protobuf.DescriptorProtos.FileDescriptorProto;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.DescriptorValidationException;
import com.google.protobuf.Descriptors.EnumDescriptor;
import com.google.protobuf.Descriptors.EnumValueDescriptor;
import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.Descriptors.MethodDescriptor;
import com.google.protobuf.Descriptors.ServiceDescriptor;
import com.google.protobuf.DynamicMessage;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import dev.hmacd.testing.Caller;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.Seen;
import dev.hmacd.v1.ErrorReason;
import io.grpc.CallOptions;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor.MethodType;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.ProtoUtils;
import io.grpc.reflection.v1.ExtensionRequest;
import io.grpc.reflection.v1.ServerReflectionGrpc;
import io.grpc.reflection.v1.ServerReflectionRequest;
import io.grpc.reflection.v1.ServerReflectionResponse;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.StreamObserver;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// Generic clients that read all types through server reflection.
final class ReflectionGrpcServiceTest {
  private static final Metadata.Key<byte[]> DETAILS =
      Metadata.Key.of("grpc-status-details-bin", Metadata.BINARY_BYTE_MARSHALLER);

  private static final LoopbackDaemon daemon = LoopbackDaemon.withAdmin();

  @BeforeAll
  static void start() {
    daemon.start();
  }

  @AfterAll
  static void close() {
    daemon.close();
  }

  /// The versions of the reflection protocol.
  enum Version {
    V1 {
      @Override
      List<String> services(Caller caller) throws InterruptedException {
        return response(caller, ServerReflectionRequest.newBuilder().setListServices("").build())
            .getListServicesResponse()
            .getServiceList()
            .stream()
            .map(service -> service.getName())
            .toList();
      }

      @Override
      List<ByteString> files(Caller caller, String symbol) throws InterruptedException {
        return response(
                caller,
                ServerReflectionRequest.newBuilder().setFileContainingSymbol(symbol).build())
            .getFileDescriptorResponse()
            .getFileDescriptorProtoList();
      }
    },
    V1ALPHA {
      private static io.grpc.reflection.v1alpha.ServerReflectionResponse askAlpha(
          Caller caller, io.grpc.reflection.v1alpha.ServerReflectionRequest request)
          throws InterruptedException {
        var seen = new Seen<io.grpc.reflection.v1alpha.ServerReflectionResponse>();
        var requests =
            io.grpc.reflection.v1alpha.ServerReflectionGrpc.newStub(caller.channel())
                .serverReflectionInfo(seen);
        requests.onNext(request);
        requests.onCompleted();
        return seen.next();
      }

      @Override
      List<String> services(Caller caller) throws InterruptedException {
        return askAlpha(
                caller,
                io.grpc.reflection.v1alpha.ServerReflectionRequest.newBuilder()
                    .setListServices("")
                    .build())
            .getListServicesResponse()
            .getServiceList()
            .stream()
            .map(service -> service.getName())
            .toList();
      }

      @Override
      List<ByteString> files(Caller caller, String symbol) throws InterruptedException {
        return askAlpha(
                caller,
                io.grpc.reflection.v1alpha.ServerReflectionRequest.newBuilder()
                    .setFileContainingSymbol(symbol)
                    .build())
            .getFileDescriptorResponse()
            .getFileDescriptorProtoList();
      }
    };

    abstract List<String> services(Caller caller) throws InterruptedException;

    abstract List<ByteString> files(Caller caller, String symbol) throws InterruptedException;
  }

  private static ServerReflectionResponse response(Caller caller, ServerReflectionRequest request)
      throws InterruptedException {
    var seen = new Seen<ServerReflectionResponse>();
    StreamObserver<ServerReflectionRequest> requests =
        ServerReflectionGrpc.newStub(caller.channel()).serverReflectionInfo(seen);
    requests.onNext(request);
    requests.onCompleted();
    return seen.next();
  }

  /// A generic client, as grpcurl: it builds its types from the files of a symbol.
  private record Generic(Version version, Caller caller) {
    private FileDescriptor file(String symbol) throws Exception {
      Map<String, FileDescriptorProto> files = new HashMap<>();
      List<ByteString> answer = version.files(caller, symbol);
      assertThat(answer).as("files of %s", symbol).isNotEmpty();
      for (ByteString each : answer) {
        var file = FileDescriptorProto.parseFrom(each);
        files.put(file.getName(), file);
      }
      return linked(FileDescriptorProto.parseFrom(answer.getFirst()), files);
    }

    private static FileDescriptor linked(
        FileDescriptorProto file, Map<String, FileDescriptorProto> files)
        throws DescriptorValidationException {
      List<FileDescriptor> imports = new ArrayList<>();
      for (String name : file.getDependencyList()) {
        assertThat(files).as("imports of %s", file.getName()).containsKey(name);
        imports.add(linked(Objects.requireNonNull(files.get(name)), files));
      }
      return FileDescriptor.buildFrom(file, imports.toArray(FileDescriptor[]::new));
    }

    Descriptor message(String name) throws Exception {
      return named(file(name).getMessageTypes(), name);
    }

    EnumDescriptor enumeration(String name) throws Exception {
      return named(file(name).getEnumTypes(), name);
    }

    ServiceDescriptor service(String name) throws Exception {
      return named(file(name).getServices(), name);
    }

    private static <D extends com.google.protobuf.Descriptors.GenericDescriptor> D named(
        List<D> descriptors, String name) {
      return descriptors.stream()
          .filter(each -> each.getFullName().equals(name))
          .findFirst()
          .orElseThrow(() -> new AssertionError("no " + name + " in its file"));
    }

    DynamicMessage call(String service, String method, Map<String, Object> fields)
        throws Exception {
      MethodDescriptor found = service(service).findMethodByName(method);
      DynamicMessage.Builder request = DynamicMessage.newBuilder(found.getInputType());
      fields.forEach(
          (name, value) -> request.setField(found.getInputType().findFieldByName(name), value));
      return ClientCalls.blockingUnaryCall(
          caller.channel(),
          io.grpc.MethodDescriptor.<DynamicMessage, DynamicMessage>newBuilder()
              .setType(MethodType.UNARY)
              .setFullMethodName(service + "/" + method)
              .setRequestMarshaller(marshaller(found.getInputType()))
              .setResponseMarshaller(marshaller(found.getOutputType()))
              .build(),
          CallOptions.DEFAULT,
          request.build());
    }

    private static io.grpc.MethodDescriptor.Marshaller<DynamicMessage> marshaller(Descriptor type) {
      return ProtoUtils.marshaller(DynamicMessage.getDefaultInstance(type));
    }

    /// The details of an error. The client reads the type of each detail through reflection.
    List<DynamicMessage> details(StatusRuntimeException error) throws Exception {
      DynamicMessage status =
          DynamicMessage.parseFrom(
              message("google.rpc.Status"),
              Objects.requireNonNull(Objects.requireNonNull(error.getTrailers()).get(DETAILS)));
      List<DynamicMessage> details = new ArrayList<>();
      for (Object each : (Collection<?>) field(status, "details")) {
        Any any = Any.parseFrom(((Message) each).toByteString());
        String type = any.getTypeUrl().replaceFirst(".*/", "");
        details.add(DynamicMessage.parseFrom(message(type), any.getValue()));
      }
      return details;
    }
  }

  private static Object field(Message message, String name) {
    return message.getField(message.getDescriptorForType().findFieldByName(name));
  }

  @ParameterizedTest
  @EnumSource
  void errorReasonIsDecodedThroughReflectionOnly(Version version) throws Exception {
    var client = new Generic(version, daemon.as("admin"));
    var error =
        catchThrowableOfType(
            StatusRuntimeException.class,
            () ->
                client.call(
                    "hmacd.v1.KeyService", "DescribeKey", Map.of("key_id", "not a key id")));
    assertThat(error.getStatus().getCode()).isEqualTo(Code.INVALID_ARGUMENT);
    List<DynamicMessage> details = client.details(error);
    assertThat(details)
        .extracting(detail -> detail.getDescriptorForType().getFullName())
        .containsExactly("google.rpc.ErrorInfo", "google.rpc.RequestInfo");
    assertThat(field(details.getFirst(), "reason")).isEqualTo("INVALID_KEY_ID");
    assertThat(client.enumeration("hmacd.v1.ErrorReason").getValues())
        .extracting(EnumValueDescriptor::getName)
        .contains("ERROR_REASON_INVALID_KEY_ID")
        .containsExactlyElementsOf(
            Arrays.stream(ErrorReason.values())
                .filter(reason -> reason != ErrorReason.UNRECOGNIZED)
                .map(Enum::name)
                .toList());
  }

  @ParameterizedTest
  @EnumSource
  void everyServiceIsListedAndDescribed(Version version) throws Exception {
    var client = new Generic(version, daemon.as("anybody"));
    List<String> services = version.services(client.caller());
    assertThat(services)
        .containsExactlyInAnyOrder(
            "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection",
            "grpc.reflection.v1alpha.ServerReflection",
            "hmacd.v1.AccessKeyService",
            "hmacd.v1.KeyService",
            "hmacd.v1.MacService",
            "hmacd.v1.RandomService");
    for (String service : services) {
      ServiceDescriptor found = client.service(service);
      for (MethodDescriptor method : found.getMethods()) {
        String symbol = service + "." + method.getName();
        assertThat(client.file(symbol).getName()).isEqualTo(found.getFile().getName());
      }
    }
  }

  /// The types of `google/rpc/error_details.proto` that the daemon sends, and other common types.
  @ParameterizedTest
  @EnumSource
  void typesOfErrorDetailsAreDescribed(Version version) throws Exception {
    var client = new Generic(version, daemon.as("anybody"));
    for (String type :
        List.of(
            "google.rpc.BadRequest",
            "google.rpc.DebugInfo",
            "google.rpc.ErrorInfo",
            "google.rpc.Help",
            "google.rpc.LocalizedMessage",
            "google.rpc.PreconditionFailure",
            "google.rpc.QuotaFailure",
            "google.rpc.RequestInfo",
            "google.rpc.ResourceInfo",
            "google.rpc.RetryInfo",
            "google.rpc.Status",
            "google.protobuf.Any",
            "google.protobuf.Duration",
            "google.protobuf.Timestamp")) {
      assertThat(client.message(type).getFullName()).isEqualTo(type);
    }
    // The file of a nested type is the file of its outer type.
    assertThat(client.file("google.rpc.BadRequest.FieldViolation").getName())
        .isEqualTo("google/rpc/error_details.proto");
  }

  @ParameterizedTest
  @EnumSource
  void healthOfAllServicesIsListed(Version version) throws Exception {
    var client = new Generic(version, daemon.as("anybody"));
    DynamicMessage list = client.call("grpc.health.v1.Health", "List", Map.of());
    Map<Object, Object> statuses =
        ((Collection<?>) field(list, "statuses"))
            .stream()
                .map(Message.class::cast)
                .collect(
                    Collectors.toMap(
                        entry -> field(entry, "key"),
                        entry -> field((Message) field(entry, "value"), "status").toString()));
    assertThat(statuses)
        .isEqualTo(
            Map.of(
                "", "SERVING",
                "hmacd.v1.AccessKeyService", "SERVING",
                "hmacd.v1.KeyService", "SERVING",
                "hmacd.v1.MacService", "SERVING",
                "hmacd.v1.RandomService", "SERVING"));
  }

  @Test
  void unknownNamesAreErrorsInTheAnswer() throws Exception {
    for (ServerReflectionRequest.Builder request :
        List.of(
            ServerReflectionRequest.newBuilder().setFileByFilename("no/such.proto"),
            ServerReflectionRequest.newBuilder().setFileContainingSymbol("no.Such"),
            ServerReflectionRequest.newBuilder()
                .setFileContainingExtension(
                    ExtensionRequest.newBuilder()
                        .setContainingType("hmacd.v1.KeyMetadata")
                        .setExtensionNumber(1)),
            ServerReflectionRequest.newBuilder().setAllExtensionNumbersOfType("no.Such"),
            ServerReflectionRequest.newBuilder()
                .setAllExtensionNumbersOfType("hmacd.v1.KeyService"))) {
      assertThat(error(request)).as("%s", request).isEqualTo(Code.NOT_FOUND);
    }
    assertThat(error(ServerReflectionRequest.newBuilder())).isEqualTo(Code.INVALID_ARGUMENT);
  }

  private static Code error(ServerReflectionRequest.Builder request) throws InterruptedException {
    ServerReflectionResponse response = response(daemon.as("anybody"), request.build());
    assertThat(response.hasErrorResponse()).isTrue();
    assertThat(response.getOriginalRequest()).isEqualTo(request.build());
    return io.grpc.Status.fromCodeValue(response.getErrorResponse().getErrorCode()).getCode();
  }

  @Test
  void requestsOfOneCallAreAnsweredInOrder() throws Exception {
    var seen = new Seen<ServerReflectionResponse>();
    var requests =
        ServerReflectionGrpc.newStub(daemon.as("anybody").channel()).serverReflectionInfo(seen);
    // More than the window of a connection holds: a file has some KiB.
    for (int i = 0; i < 200; i++) {
      requests.onNext(
          ServerReflectionRequest.newBuilder()
              .setHost(Integer.toString(i))
              .setFileByFilename("hmacd/v1/key_service.proto")
              .build());
    }
    for (int i = 0; i < 200; i++) {
      ServerReflectionResponse response = seen.next();
      assertThat(response.getValidHost()).isEqualTo(Integer.toString(i));
      assertThat(name(response.getFileDescriptorResponse().getFileDescriptorProto(0)))
          .isEqualTo("hmacd/v1/key_service.proto");
    }
    requests.onNext(
        ServerReflectionRequest.newBuilder()
            .setAllExtensionNumbersOfType("hmacd.v1.KeyMetadata")
            .build());
    var numbers = seen.next().getAllExtensionNumbersResponse();
    assertThat(numbers.getBaseTypeName()).isEqualTo("hmacd.v1.KeyMetadata");
    assertThat(numbers.getExtensionNumberList()).isEmpty();
    requests.onCompleted();
  }

  private static String name(ByteString file) throws InvalidProtocolBufferException {
    return FileDescriptorProto.parseFrom(file).getName();
  }
}
