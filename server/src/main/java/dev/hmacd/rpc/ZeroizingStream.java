package dev.hmacd.rpc;

import com.google.protobuf.MessageLite;
import io.grpc.Drainable;
import io.grpc.KnownLength;
import io.grpc.MethodDescriptor;
import io.grpc.MethodDescriptor.Marshaller;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.Arrays;

/// The stream of an encoded message, which clears its bytes after the transport has copied them.
/// With Protobuf's own stream, a secret in the message would stay on the heap.
final class ZeroizingStream extends ByteArrayInputStream implements Drainable, KnownLength {
  private ZeroizingStream(byte[] bytes) {
    super(bytes);
  }

  /// A copy of a method descriptor, which encodes responses to streams of this class.
  static <ReqT, RespT extends MessageLite> MethodDescriptor<ReqT, RespT> responses(
      MethodDescriptor<ReqT, RespT> method) {
    Marshaller<RespT> generated = method.getResponseMarshaller();
    return method.toBuilder(
            method.getRequestMarshaller(),
            new Marshaller<RespT>() {
              @Override
              public InputStream stream(RespT value) {
                return new ZeroizingStream(value.toByteArray());
              }

              @Override
              public RespT parse(InputStream in) {
                return generated.parse(in);
              }
            })
        .build();
  }

  /// Clears the bytes of a message that was not sent.
  @Override
  public void close() {
    Arrays.fill(buf, (byte) 0);
  }

  @Override
  public int drainTo(OutputStream target) throws IOException {
    int length = available();
    target.write(buf, pos, length);
    pos = count;
    Arrays.fill(buf, (byte) 0);
    return length;
  }
}
