package dev.hmacd.rpc;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.Parser;
import dev.hmacd.usecase.Failure;
import dev.hmacd.usecase.Refusal;
import io.grpc.KnownLength;
import io.grpc.MethodDescriptor.Marshaller;
import io.grpc.StatusRuntimeException;
import java.io.IOException;
import java.io.InputStream;
import org.jspecify.annotations.Nullable;

/// A request message as bytes. The bytes are parsed after the request is complete, because a parsed
/// message may need a hundred times the heap of its bytes.
///
/// For malformed bytes, gRPC itself would respond with a code and a text that the API does not
/// define.
final class SerializedRequest<ReqT extends Message> {
  /// Length in bytes above which the search for unknown fields runs before the parser, because
  /// parsed unknown fields can need much heap. Few requests are longer.
  private static final int LONG_BYTES = 16_384;

  private final ReqT defaultInstance;
  private final byte @Nullable [] bytes;

  /// @param bytes null if the message cannot be read
  private SerializedRequest(ReqT defaultInstance, byte @Nullable [] bytes) {
    this.defaultInstance = defaultInstance;
    this.bytes = bytes;
  }

  /// The marshaller for requests of one type.
  static <ReqT extends Message> Marshaller<SerializedRequest<ReqT>> marshaller(
      ReqT defaultInstance) {
    return new Marshaller<>() {
      @Override
      public InputStream stream(SerializedRequest<ReqT> value) {
        throw new UnsupportedOperationException("the server does not serialize requests");
      }

      @Override
      public SerializedRequest<ReqT> parse(InputStream in) {
        try {
          return new SerializedRequest<>(defaultInstance, bytes(in));
        } catch (IOException | StatusRuntimeException e) {
          // StatusRuntimeException: the decompressed message is longer than the maximum.
          return new SerializedRequest<>(defaultInstance, null);
        }
      }
    };
  }

  /// All bytes of a message. If the length is known, the array has this length, because
  /// [InputStream#readAllBytes] allocates at least 16 KiB.
  private static byte[] bytes(InputStream in) throws IOException {
    return in instanceof KnownLength ? in.readNBytes(in.available()) : in.readAllBytes();
  }

  /// Length of the decompressed message, in bytes.
  int length() {
    return bytes == null ? 0 : bytes.length;
  }

  /// Parses the message; null if the bytes are malformed.
  ///
  /// @throws Refusal with [Failure.UnknownField], if a long message has an unknown field; a short
  ///   message keeps its unknown fields
  @Nullable ReqT parse() {
    if (bytes == null) {
      return null;
    }
    try {
      if (bytes.length > LONG_BYTES
          && UnknownFields.areIn(bytes, defaultInstance.getDescriptorForType())) {
        throw new Refusal(new Failure.UnknownField());
      }
      @SuppressWarnings("unchecked") // A message's parser makes messages of its type.
      Parser<ReqT> parser = (Parser<ReqT>) defaultInstance.getParserForType();
      return parser.parseFrom(bytes);
    } catch (InvalidProtocolBufferException e) {
      return null;
    }
  }
}
