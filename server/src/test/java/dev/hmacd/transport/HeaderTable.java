package dev.hmacd.transport;

import io.netty.handler.codec.http2.DefaultHttp2FrameReader;
import io.netty.handler.codec.http2.DefaultHttp2HeadersDecoder;

/// Access to the dynamic table of an HPACK decoder, for tests.
public final class HeaderTable {
  private HeaderTable() {}

  /// Size of the dynamic table (RFC 7541, section 4.1), in bytes.
  public static long bytes(DefaultHttp2HeadersDecoder decoder) {
    return NettyInternals.headerTableBytes(new DefaultHttp2FrameReader(decoder));
  }
}
