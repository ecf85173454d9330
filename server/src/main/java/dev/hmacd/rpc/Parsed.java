package dev.hmacd.rpc;

import com.google.protobuf.CodedInputStream;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.protobuf.Parser;
import io.grpc.MethodDescriptor.Marshaller;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.ProtoUtils;
import java.io.InputStream;
import org.jspecify.annotations.Nullable;

/// A request as it came: a message, or bytes that are none. gRPC would answer those for us, with a
/// code and a text that are not of the contract.
///
/// @param message null when the bytes are no such message
/// @param bytes how many were read, decompressed
record Parsed<Q extends Message>(@Nullable Q message, int bytes) {
  /// Reads requests of one type.
  static <Q extends Message> Marshaller<Parsed<Q>> marshaller(Q defaultInstance) {
    Marshaller<Q> protobuf = ProtoUtils.marshaller(defaultInstance);
    @SuppressWarnings("unchecked") // A message's parser makes messages of its type.
    Parser<Q> parser = (Parser<Q>) defaultInstance.getParserForType();
    return new Marshaller<>() {
      @Override
      public InputStream stream(Parsed<Q> value) {
        if (value.message() == null) {
          throw new IllegalArgumentException("not a message");
        }
        return protobuf.stream(value.message());
      }

      @Override
      public Parsed<Q> parse(InputStream in) {
        CodedInputStream bytes = CodedInputStream.newInstance(in);
        try {
          return new Parsed<>(parser.parseFrom(bytes), bytes.getTotalBytesRead());
        } catch (InvalidProtocolBufferException | StatusRuntimeException e) {
          // The latter when it is longer, once decompressed, than a message may be.
          return new Parsed<>(null, 0);
        }
      }
    };
  }
}
