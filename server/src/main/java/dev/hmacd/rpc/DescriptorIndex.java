package dev.hmacd.rpc;

import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.Descriptors.GenericDescriptor;
import com.google.protobuf.Descriptors.ServiceDescriptor;
import com.google.rpc.ErrorDetailsProto;
import com.google.rpc.StatusProto;
import dev.hmacd.v1.ErrorReasonProto;
import io.grpc.ServerServiceDefinition;
import io.grpc.Status.Code;
import io.grpc.protobuf.ProtoFileDescriptorSupplier;
import io.grpc.reflection.v1.ErrorResponse;
import io.grpc.reflection.v1.ExtensionNumberResponse;
import io.grpc.reflection.v1.ExtensionRequest;
import io.grpc.reflection.v1.FileDescriptorResponse;
import io.grpc.reflection.v1.ListServiceResponse;
import io.grpc.reflection.v1.ServerReflectionRequest;
import io.grpc.reflection.v1.ServerReflectionResponse;
import io.grpc.reflection.v1.ServiceResponse;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/// An index of protobuf descriptors, which answers requests of server reflection. Contains the
/// files of the services, and the files of error details.
///
/// No method of a service refers to the types of error details. Without the files of these types, a
/// generic client cannot decode the reason of an error. gRPC's own reflection service has only the
/// files of services.
final class DescriptorIndex {
  private static final List<FileDescriptor> DETAILS =
      List.of(
          ErrorReasonProto.getDescriptor(),
          StatusProto.getDescriptor(),
          ErrorDetailsProto.getDescriptor());

  private final Set<String> services = new TreeSet<>();
  private final Map<String, FileDescriptor> files = new HashMap<>();
  private final Map<String, GenericDescriptor> symbols = new HashMap<>();
  private final Map<String, Map<Integer, FileDescriptor>> extensions = new HashMap<>();
  private final Map<FileDescriptor, FileDescriptorResponse> fileResponses =
      new ConcurrentHashMap<>();

  /// @throws IllegalStateException when a service has no descriptor
  DescriptorIndex(List<ServerServiceDefinition> definitions) {
    for (ServerServiceDefinition definition : definitions) {
      var service = definition.getServiceDescriptor();
      if (!(service.getSchemaDescriptor() instanceof ProtoFileDescriptorSupplier schema)) {
        throw new IllegalStateException(service.getName() + " has no protobuf descriptor");
      }
      services.add(service.getName());
      addFile(schema.getFileDescriptor());
    }
    DETAILS.forEach(this::addFile);
  }

  private void addFile(FileDescriptor file) {
    if (files.putIfAbsent(file.getName(), file) != null) {
      return;
    }
    for (ServiceDescriptor service : file.getServices()) {
      addSymbol(service);
      service.getMethods().forEach(this::addSymbol);
    }
    file.getEnumTypes().forEach(this::addSymbol);
    file.getMessageTypes().forEach(this::addMessage);
    file.getExtensions().forEach(this::addExtension);
    file.getDependencies().forEach(this::addFile);
  }

  private void addMessage(Descriptor message) {
    addSymbol(message);
    message.getEnumTypes().forEach(this::addSymbol);
    message.getNestedTypes().forEach(this::addMessage);
    message.getExtensions().forEach(this::addExtension);
  }

  private void addExtension(FieldDescriptor extension) {
    addSymbol(extension);
    extensions
        .computeIfAbsent(extension.getContainingType().getFullName(), _ -> new TreeMap<>())
        .put(extension.getNumber(), extension.getFile());
  }

  private void addSymbol(GenericDescriptor symbol) {
    symbols.put(symbol.getFullName(), symbol);
  }

  ServerReflectionResponse respond(ServerReflectionRequest request) {
    var response =
        ServerReflectionResponse.newBuilder()
            .setValidHost(request.getHost())
            .setOriginalRequest(request);
    switch (request.getMessageRequestCase()) {
      case FILE_BY_FILENAME ->
          setFile(response, files.get(request.getFileByFilename()), "no proto file has this name");
      case FILE_CONTAINING_SYMBOL -> {
        GenericDescriptor symbol = symbols.get(request.getFileContainingSymbol());
        setFile(response, symbol == null ? null : symbol.getFile(), "no symbol has this name");
      }
      case FILE_CONTAINING_EXTENSION -> {
        ExtensionRequest extension = request.getFileContainingExtension();
        setFile(
            response,
            extensions
                .getOrDefault(extension.getContainingType(), Map.of())
                .get(extension.getExtensionNumber()),
            "the message type has no extension of this number");
      }
      case ALL_EXTENSION_NUMBERS_OF_TYPE ->
          setExtensionNumbers(response, request.getAllExtensionNumbersOfType());
      case LIST_SERVICES -> {
        var list = ListServiceResponse.newBuilder();
        services.forEach(name -> list.addService(ServiceResponse.newBuilder().setName(name)));
        response.setListServicesResponse(list);
      }
      case MESSAGEREQUEST_NOT_SET ->
          setError(response, Code.INVALID_ARGUMENT, "message_request is not set");
    }
    return response.build();
  }

  private void setFile(
      ServerReflectionResponse.Builder response, @Nullable FileDescriptor file, String missing) {
    if (file == null) {
      setError(response, Code.NOT_FOUND, missing);
    } else {
      response.setFileDescriptorResponse(
          fileResponses.computeIfAbsent(file, DescriptorIndex::withDependencies));
    }
  }

  /// The file, followed by its transitive imports.
  private static FileDescriptorResponse withDependencies(FileDescriptor file) {
    Set<FileDescriptor> closure = new LinkedHashSet<>();
    addClosure(file, closure);
    var response = FileDescriptorResponse.newBuilder();
    closure.forEach(each -> response.addFileDescriptorProto(each.toProto().toByteString()));
    return response.build();
  }

  private static void addClosure(FileDescriptor file, Set<FileDescriptor> closure) {
    if (closure.add(file)) {
      file.getDependencies().forEach(each -> addClosure(each, closure));
    }
  }

  private void setExtensionNumbers(ServerReflectionResponse.Builder response, String type) {
    if (symbols.get(type) instanceof Descriptor) {
      response.setAllExtensionNumbersResponse(
          ExtensionNumberResponse.newBuilder()
              .setBaseTypeName(type)
              .addAllExtensionNumber(extensions.getOrDefault(type, Map.of()).keySet()));
    } else {
      setError(response, Code.NOT_FOUND, "no message type has this name");
    }
  }

  private static void setError(ServerReflectionResponse.Builder response, Code code, String text) {
    response.setErrorResponse(
        ErrorResponse.newBuilder().setErrorCode(code.value()).setErrorMessage(text));
  }
}
