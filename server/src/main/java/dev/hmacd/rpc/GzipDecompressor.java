package dev.hmacd.rpc;

import io.grpc.Codec;
import io.grpc.Decompressor;
import io.grpc.DecompressorRegistry;
import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.zip.GZIPInputStream;

/// Decompresses gzip requests. Reports invalid gzip data when the message is read, so the caller
/// gets an error reason of the API. gRPC's own decompressor fails earlier, without an error reason.
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
          begun = true; // Set before the next line, which throws if the gzip header is invalid.
          in = new GZIPInputStream(in);
        }
      }
    };
  }
}
