package dev.hmacd.rpc;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.hmacd.log.LogRateLimiter;
import dev.hmacd.transport.ConnectionMeter;
import dev.hmacd.transport.NettyInternals;
import dev.hmacd.usecase.Failure;
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
import io.netty.handler.codec.http2.Http2FrameListenerDecorator;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.handler.codec.http2.Http2RemoteFlowController;
import io.netty.handler.codec.http2.Http2Settings;
import io.netty.handler.codec.http2.Http2Stream;
import io.netty.util.AsciiString;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Filters the HTTP/2 frames of one connection before gRPC gets them, and bounds the memory of
/// partially received requests. gRPC itself bounds only each single request.
///
/// It copies each piece of a request that gRPC must keep. Without the copy, gRPC would keep the
/// whole record of the piece, up to 16 KiB for one byte, in scarce direct memory. It drops empty
/// pieces, and pieces of calls that have their answer.
///
/// It counts the memory of the connection's streams, and resets streams whose answer the client
/// does not read.
final class Inflow extends Http2FrameListenerDecorator implements ConnectionMeter.EdgeMemory {
  private static final Logger log = LoggerFactory.getLogger(Inflow.class);

  /// Memory of gRPC and Netty for a stream until it is closed, with its headers and its answer.
  private static final long STREAM_BYTES = 4096;

  /// The largest dynamic table of the encoder (RFC 7541, section 4.1).
  private static final int TABLE_BYTES = 4096;

  private final GrpcHttp2ConnectionHandler handler;
  private final Http2Connection connection;
  private final long transferNanos;
  private final Arrivals arrivals;
  private final Exhaustion exhaustion;
  private final Http2Connection.PropertyKey key;
  private final Http2Connection.PropertyKey untakenSince;

  /// Set with the first SETTINGS frame, before any other use.
  private @Nullable ChannelHandlerContext context;

  private @Nullable ConnectionMeter meter;
  private final Runnable measurement = this::measure;

  /// Bytes of partially received requests.
  private long requestBytes;

  private Inflow(
      GrpcHttp2ConnectionHandler handler,
      Arrivals arrivals,
      Duration transfer,
      Exhaustion exhaustion) {
    super(handler.decoder().frameListener());
    this.handler = handler;
    this.connection = handler.connection();
    this.arrivals = arrivals;
    this.transferNanos = transfer.toNanos();
    this.exhaustion = exhaustion;
    this.key = connection.newKey();
    this.untakenSince = connection.newKey();
  }

  /// Wraps a negotiator, and adds an [Inflow] to each of its connections. gRPC has no public API
  /// for frames, but gives negotiators the handler that reads them.
  ///
  /// @param transfer timeout for an answer that the client does not read
  static ProtocolNegotiator bounding(
      ProtocolNegotiator negotiator, Arrivals arrivals, Duration transfer) {
    var exhaustion = new Exhaustion();
    return new ProtocolNegotiator() {
      @Override
      public AsciiString scheme() {
        return negotiator.scheme();
      }

      @Override
      public ChannelHandler newHandler(GrpcHttp2ConnectionHandler grpc) {
        grpc.decoder().frameListener(new Inflow(grpc, arrivals, transfer, exhaustion));
        grpc.connection().addListener(new Goodbye());
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
    if (this.context == null) {
      this.context = context;
      context.pipeline().addBefore(context.name(), null, exhaustion);
      ConnectionMeter found = ConnectionMeter.of(context.channel());
      found.edge(this);
      meter = found;
    }
    // The client may allow a dynamic table of 4 GiB, which error messages would fill.
    Long table = settings.headerTableSize();
    if (table != null && table > TABLE_BYTES) {
      handler.encoder().configuration().headersConfiguration().maxHeaderTableSize(TABLE_BYTES);
    }
    decoded();
    super.onSettingsRead(context, settings);
  }

  private void decoded() {
    if (meter != null) {
      meter.decoded();
    }
  }

  /// Measures the memory of the connection if answers wait for the client's flow-control windows:
  /// they could exhaust the memory before the next sweep.
  Runnable measurement() {
    return measurement;
  }

  private void measure() {
    if (meter != null && NettyInternals.heldBackBytes(handler.encoder().flowController()) > 0) {
      meter.measure();
    }
  }

  /// Adds to the bytes of partially received requests; negative to subtract.
  void hold(long bytes) {
    requestBytes += bytes;
  }

  @Override
  public long heapBytes() {
    return connection.numActiveStreams() * STREAM_BYTES + requestBytes;
  }

  @Override
  public boolean isActive() {
    return connection.numActiveStreams() > 0 || requestBytes > 0;
  }

  /// Bytes of answers that wait for the client's flow-control windows. If there are none, the
  /// streams are not visited.
  @Override
  public long directBytes() {
    Http2RemoteFlowController flow = handler.encoder().flowController();
    if (NettyInternals.heldBackBytes(flow) == 0) {
      return 0;
    }
    long[] answers = {0};
    forEachStream(stream -> answers[0] += flow.hasFlowControlled(stream) ? answerBytes(stream) : 0);
    return answers[0];
  }

  /// Bytes of the whole answer: sent and unsent bytes are in the same buffer.
  private long answerBytes(Http2Stream stream) {
    @Nullable Arrival arrival = stream.getProperty(key);
    return EncodeQueue.bufferBytes(arrival == null ? 0 : arrival.answer().untakenBytes());
  }

  private void forEachStream(Consumer<Http2Stream> action) {
    try {
      var _ =
          connection.forEachActiveStream(
              stream -> {
                action.accept(stream);
                return true;
              });
    } catch (Http2Exception e) {
      throw new IllegalStateException(e); // The visitor throws no exception.
    }
  }

  /// Resets streams whose answer the client has not read in time, and answered streams that the
  /// client does not end.
  @Override
  public void sweep(long nowNanos) {
    ChannelHandlerContext known = context;
    if (known == null || connection.numActiveStreams() == 0) {
      return;
    }
    List<Http2Stream> late = new ArrayList<>();
    forEachStream(
        stream -> {
          if (isUntakenTooLong(stream, nowNanos)) {
            late.add(stream);
          }
        });
    for (Http2Stream stream : late) {
      @Nullable Arrival arrival = stream.getProperty(key);
      if (arrival != null) {
        arrival.answer().fail(new Failure.DeadlineExceeded()); // A reset does not end a Watch.
      }
      var _ =
          handler
              .encoder()
              .writeRstStream(known, stream.id(), Http2Error.CANCEL.code(), known.newPromise());
    }
    if (!late.isEmpty()) {
      known.flush();
    }
  }

  private boolean isUntakenTooLong(Http2Stream stream, long nowNanos) {
    boolean untaken =
        stream.state() == Http2Stream.State.HALF_CLOSED_LOCAL
            || handler.encoder().flowController().hasFlowControlled(stream);
    @Nullable Long since = stream.getProperty(untakenSince);
    if (!untaken) {
      if (since != null) {
        var _ = stream.removeProperty(untakenSince);
      }
      return false;
    }
    if (since == null) {
      var _ = stream.setProperty(untakenSince, nowNanos);
      return false;
    }
    return nowNanos - since > transferNanos;
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
    try {
      super.onHeadersRead(context, streamId, headers, dependency, weight, exclusive, padding, last);
    } finally {
      Arrival begun = arrivals.takeLatest();
      Http2Stream stream = connection.stream(streamId);
      if (begun != null && stream != null) {
        var _ = stream.setProperty(key, begun);
        begun.on(this);
      }
    }
  }

  @Override
  public int onDataRead(
      ChannelHandlerContext context, int streamId, ByteBuf data, int padding, boolean last)
      throws Http2Exception {
    decoded();
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
    // A call without an arrival was refused at its start.
    return arrival != null && arrival.takes(data, last);
  }

  /// Logs that no memory is left to read into. gRPC then closes the connection without a log
  /// message.
  @Sharable
  private static final class Exhaustion extends ChannelInboundHandlerAdapter {
    private final LogRateLimiter lines = new LogRateLimiter();

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      if (cause instanceof OutOfMemoryError) {
        long times = lines.happened();
        if (times > 0) {
          log.atError()
              .addKeyValue("times", times)
              .addKeyValue("reason", cause.getMessage())
              .log("Connections are closed: the memory for reading and writing is full");
        }
      }
      context.fireExceptionCaught(cause);
    }
  }

  /// Removes the text of a GOAWAY frame after an internal error, and logs it. Netty would send the
  /// message of an unexpected exception to the client.
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
