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

/// A message's bytes, which are cleared once they are on their way: protobuf's own stream leaves
/// the array that it writes by to the garbage collector, and a secret in it.
final class Cleared extends ByteArrayInputStream implements Drainable, KnownLength {
  private Cleared(byte[] bytes) {
    super(bytes);
  }

  /// The method, with responses that are sent so.
  static <Q, A extends MessageLite> MethodDescriptor<Q, A> responses(
      MethodDescriptor<Q, A> method) {
    Marshaller<A> generated = method.getResponseMarshaller();
    return method.toBuilder(
            method.getRequestMarshaller(),
            new Marshaller<A>() {
              @Override
              public InputStream stream(A value) {
                return new Cleared(value.toByteArray());
              }

              @Override
              public A parse(InputStream in) {
                return generated.parse(in);
              }
            })
        .build();
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
