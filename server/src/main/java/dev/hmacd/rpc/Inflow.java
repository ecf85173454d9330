package dev.hmacd.rpc;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.hmacd.log.Seldom;
import io.grpc.netty.GrpcHttp2ConnectionHandler;
import io.grpc.netty.InternalProtocolNegotiator.ProtocolNegotiator;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandler.Sharable;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.codec.http2.Http2Connection;
import io.netty.handler.codec.http2.Http2ConnectionAdapter;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Exception;
import io.netty.handler.codec.http2.Http2FrameListener;
import io.netty.handler.codec.http2.Http2FrameListenerDecorator;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.handler.codec.http2.Http2Settings;
import io.netty.handler.codec.http2.Http2Stream;
import io.netty.util.AsciiString;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Stands between HTTP/2 and gRPC on one connection, and bounds what gRPC keeps of requests that
/// have not come whole; gRPC itself knows a bound for each of them only.
///
/// A piece that gRPC must keep is copied: it would keep the whole record that the piece came in, up
/// to 16 KiB for a byte, in the little memory that there is for reading and writing. Pieces that
/// bring nothing, and those of calls that have their answer, are dropped.
final class Inflow extends Http2FrameListenerDecorator {
  private static final Logger log = LoggerFactory.getLogger(Inflow.class);

  private final Http2Connection connection;
  private final Arrivals arrivals;
  private final Exhaustion exhaustion;
  private final Http2Connection.PropertyKey key;
  private boolean begun;

  private Inflow(
      Http2Connection connection,
      Http2FrameListener grpc,
      Arrivals arrivals,
      Exhaustion exhaustion) {
    super(grpc);
    this.connection = connection;
    this.arrivals = arrivals;
    this.exhaustion = exhaustion;
    this.key = connection.newKey();
  }

  /// As a negotiator, with this on every connection that it makes. gRPC has no public way to see
  /// frames; negotiators are given the handler that reads them.
  static ProtocolNegotiator bounding(ProtocolNegotiator negotiator, Arrivals arrivals) {
    var exhaustion = new Exhaustion();
    return new ProtocolNegotiator() {
      @Override
      public AsciiString scheme() {
        return negotiator.scheme();
      }

      @Override
      public ChannelHandler newHandler(GrpcHttp2ConnectionHandler grpc) {
        Http2Connection connection = grpc.connection();
        Http2FrameListener listener = grpc.decoder().frameListener();
        grpc.decoder().frameListener(new Inflow(connection, listener, arrivals, exhaustion));
        connection.addListener(new Goodbye());
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
    if (!begun) {
      begun = true;
      context.pipeline().addBefore(context.name(), null, exhaustion);
    }
    super.onSettingsRead(context, settings);
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
    try {
      super.onHeadersRead(context, streamId, headers, dependency, weight, exclusive, padding, last);
    } finally {
      Arrival begun = arrivals.takeLatest();
      Http2Stream stream = connection.stream(streamId);
      if (begun != null && stream != null) {
        stream.setProperty(key, begun);
      }
    }
  }

  @Override
  public int onDataRead(
      ChannelHandlerContext context, int streamId, ByteBuf data, int padding, boolean last)
      throws Http2Exception {
    int bytes = data.readableBytes();
    if (!isTaken(streamId, data, last)) {
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

  private boolean isTaken(int streamId, ByteBuf data, boolean last) {
    Http2Stream stream = connection.stream(streamId);
    @Nullable Arrival arrival = stream == null ? null : stream.getProperty(key);
    // Calls without one were answered when they began.
    return arrival != null && arrival.takes(data, last);
  }

  /// Tells the log when there is no memory left to read into: gRPC closes the connection, and says
  /// nothing.
  @Sharable
  private static final class Exhaustion extends ChannelInboundHandlerAdapter {
    private final Seldom lines = new Seldom();

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      if (cause instanceof OutOfMemoryError) {
        long times = lines.happened();
        if (times > 0) {
          log.atError()
              .addKeyValue("times", times)
              .setCause(cause)
              .log("Connections are closed: the memory for reading and writing is full");
        }
      }
      context.fireExceptionCaught(cause);
    }
  }

  /// Netty tells the other end why it closes a connection, in an exception's words where nobody
  /// foresaw it. Those are for the log.
  private static final class Goodbye extends Http2ConnectionAdapter {
    @Override
    public void onGoAwaySent(int lastStream, long error, ByteBuf text) {
      if (error == Http2Error.INTERNAL_ERROR.code()) {
        log.atDebug()
            .addKeyValue("reason", text.toString(UTF_8))
            .log("A connection is closed for an internal fault");
        text.clear();
      }
    }
  }
}
