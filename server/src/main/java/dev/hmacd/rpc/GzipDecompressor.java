package dev.hmacd.rpc;

import io.grpc.Codec;
import io.grpc.Decompressor;
import io.grpc.DecompressorRegistry;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.zip.GZIPInputStream;

/// Decompresses gzip requests. For data that is not gzip, gRPC's own decompressor fails outside of
/// the message's parser, and the caller gets no reason.
final class GzipDecompressor implements Decompressor {
  static final DecompressorRegistry REGISTRY =
      DecompressorRegistry.emptyInstance()
          .with(Codec.Identity.NONE, false)
          .with(new GzipDecompressor(), true);

  @Override
  public String getMessageEncoding() {
    return "gzip";
  }

  @Override
  public InputStream decompress(InputStream compressed) {
    return new FilterInputStream(compressed) {
      private boolean begun;

      @Override
      public int read() throws IOException {
        begin();
        return super.read();
      }

      @Override
      public int read(byte[] into, int offset, int length) throws IOException {
        begin();
        return super.read(into, offset, length);
      }

      private void begin() throws IOException {
        if (!begun) {
          begun = true; // Also set if the header, which the next line reads, is invalid.
          in = new GZIPInputStream(in);
        }
      }
    };
  }
}
