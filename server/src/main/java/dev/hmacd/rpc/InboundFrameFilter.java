package dev.hmacd.rpc;

import dev.hmacd.transport.ConnectionMeter;
import dev.hmacd.transport.HeaderTableChanges;
import io.grpc.netty.GrpcHttp2ConnectionHandler;
import io.grpc.netty.InternalProtocolNegotiator.ProtocolNegotiator;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.http2.Http2Connection;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Exception;
import io.netty.handler.codec.http2.Http2FrameListenerDecorator;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.handler.codec.http2.Http2Settings;
import io.netty.handler.codec.http2.Http2Stream;
import io.netty.util.AsciiString;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/// Filters the HTTP/2 frames of one connection before gRPC gets them.
///
/// The filter copies the bytes of each DATA frame that gRPC must keep. Without the copy, gRPC would
/// keep the whole TLS record in scarce direct memory: up to 16 KiB for one byte. The filter drops
/// empty DATA frames, and DATA frames of ended calls.
///
/// The filter assigns each partially received request to its stream, and refuses frames above the
/// bounds of [IncompleteRequests]. gRPC itself bounds only each single request. [StreamMemory]
/// counts the memory of the streams.
final class InboundFrameFilter extends Http2FrameListenerDecorator {
  private static final AsciiString ACCEPT_ENCODING = AsciiString.cached("grpc-accept-encoding");

  private final GrpcHttp2ConnectionHandler handler;
  private final Http2Connection connection;
  private final IncompleteRequests incompleteRequests;
  private final StreamMemory memory;
  private final MemoryExhaustionLog exhaustionLog;
  private final HeaderTableChanges tableChanges = new HeaderTableChanges();

  /// The meter of the connection, set at the first SETTINGS frame, before any other use.
  private @Nullable ConnectionMeter meter;

  private InboundFrameFilter(
      GrpcHttp2ConnectionHandler handler,
      IncompleteRequests incompleteRequests,
      StreamMemory memory,
      MemoryExhaustionLog exhaustionLog) {
    super(handler.decoder().frameListener());
    this.handler = handler;
    this.connection = handler.connection();
    this.incompleteRequests = incompleteRequests;
    this.memory = memory;
    this.exhaustionLog = exhaustionLog;
  }

  /// Wraps a negotiator, and adds an [InboundFrameFilter] to each of its connections. gRPC has no
  /// public API for frames, but gives the frame handler to negotiators.
  ///
  /// @param transfer timeout for a response that the client does not read
  /// @param maxMetadataBytes maximum size of all headers of a call together
  static ProtocolNegotiator bounding(
      ProtocolNegotiator negotiator,
      IncompleteRequests incompleteRequests,
      Duration transfer,
      int maxMetadataBytes) {
    var exhaustionLog = new MemoryExhaustionLog();
    return new ProtocolNegotiator() {
      @Override
      public AsciiString scheme() {
        return negotiator.scheme();
      }

      @Override
      public ChannelHandler newHandler(GrpcHttp2ConnectionHandler grpc) {
        grpc.decoder()
            .frameListener(
                new InboundFrameFilter(
                    grpc,
                    incompleteRequests,
                    new StreamMemory(grpc, transfer, maxMetadataBytes),
                    exhaustionLog));
        grpc.connection().addListener(new GoAwayDebugDataFilter());
        return negotiator.newHandler(grpc);
      }

      @Override
      public void close() {
        negotiator.close();
      }
    };
  }

  @Override
  public void onSettingsRead(ChannelHandlerContext context, Http2Settings settings)
      throws Http2Exception {
    if (meter == null) {
      context.pipeline().addBefore(context.name(), null, exhaustionLog);
      meter = ConnectionMeter.of(context.channel());
      memory.start(context, meter);
    }
    if (!tableChanges.permits(settings)) {
      throw Http2Exception.connectionError(
          Http2Error.ENHANCE_YOUR_CALM, "too many changes of SETTINGS_HEADER_TABLE_SIZE");
    }
    // Response headers use no dynamic table (RFC 7541, section 4.2). Otherwise each request id
    // would enter the table, and each look-up would compare the ids of earlier calls. A client may
    // also allow a table of 4 GiB.
    var headers = handler.encoder().configuration().headersConfiguration();
    if (headers.maxHeaderTableSize() != 0) {
      headers.maxHeaderTableSize(0);
    }
    decoded();
    super.onSettingsRead(context, settings);
  }

  private void decoded() {
    if (meter != null) {
      meter.decoded();
    }
  }

  @Override
  public void onHeadersRead(
      ChannelHandlerContext context,
      int streamId,
      Http2Headers headers,
      int dependency,
      short weight,
      boolean exclusive,
      int padding,
      boolean last)
      throws Http2Exception {
    decoded();
    Http2Stream known = connection.stream(streamId);
    if (known != null && memory.hasHeaders(known)) {
      // gRPC would start a second call on the stream, and lose the first. The stream of a refused
      // call is open, too, until the client ends its request.
      throw Http2Exception.streamError(
          streamId,
          Http2Error.PROTOCOL_ERROR,
          "second HEADERS frame on a stream: a gRPC request must not have trailers");
    }
    try {
      super.onHeadersRead(context, streamId, headers, dependency, weight, exclusive, padding, last);
    } finally {
      IncompleteRequest started = incompleteRequests.takeLatest();
      Http2Stream stream = connection.stream(streamId);
      if (stream != null) {
        memory.addHeaders(stream, keptBytes(headers));
        if (started != null) {
          memory.add(stream, started);
        }
      }
    }
  }

  /// Size of the headers that gRPC keeps until the end of the stream, in bytes.
  private static int keptBytes(Http2Headers headers) {
    return length(headers.authority()) + length(headers.get(ACCEPT_ENCODING));
  }

  private static int length(@Nullable CharSequence text) {
    return text == null ? 0 : text.length();
  }

  @Override
  public int onDataRead(
      ChannelHandlerContext context, int streamId, ByteBuf data, int padding, boolean last)
      throws Http2Exception {
    decoded();
    int bytes = data.readableBytes();
    if (!accepts(streamId, data, last)) {
      return bytes
          + (last
              ? super.onDataRead(context, streamId, Unpooled.EMPTY_BUFFER, padding, true)
              : padding);
    }
    if (last) {
      return super.onDataRead(context, streamId, data, padding, true);
    }
    if (bytes == 0) {
      return padding;
    }
    ByteBuf copy = Unpooled.wrappedBuffer(ByteBufUtil.getBytes(data));
    try {
      return super.onDataRead(context, streamId, copy, padding, false);
    } finally {
      copy.release();
    }
  }

  private boolean accepts(int streamId, ByteBuf data, boolean last) {
    Http2Stream stream = connection.stream(streamId);
    IncompleteRequest incomplete = stream == null ? null : memory.request(stream);
    // A call without an incomplete request was refused at its start.
    return incomplete != null && incomplete.accepts(data, last);
  }
}
