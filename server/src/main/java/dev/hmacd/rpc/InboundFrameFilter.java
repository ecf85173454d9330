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
/// The filter copies the bytes of each DATA frame that gRPC must keep. Without the copy, gRPC would
/// keep the whole TLS record in scarce direct memory: up to 16 KiB for one byte. The filter drops
/// empty DATA frames, and DATA frames of ended calls.
///
/// The filter counts the memory of the connection's streams. The filter resets a stream if the
/// client does not read the response.
final class InboundFrameFilter extends Http2FrameListenerDecorator
    implements ConnectionMeter.EdgeMemory {
  private static final Logger log = LoggerFactory.getLogger(InboundFrameFilter.class);

  /// Memory of gRPC and Netty for an open stream, with the headers of request and response.
  private static final long STREAM_BYTES = 4096;

  /// Maximum size of the encoder's dynamic table (RFC 7541, section 4.1).
  private static final int TABLE_BYTES = 4096;

  private final GrpcHttp2ConnectionHandler handler;
  private final Http2Connection connection;
  private final long transferNanos;
  private final IncompleteRequests incompleteRequests;
  private final MemoryExhaustionLog exhaustionLog;

  /// Property of a stream: its [IncompleteRequest].
  private final Http2Connection.PropertyKey incompleteKey;

  /// Property of a stream: the time of the first sweep with an unread response, a value of
  /// [System#nanoTime].
  private final Http2Connection.PropertyKey unreadSince;

  /// Set with the first SETTINGS frame, before any other use.
  private @Nullable ChannelHandlerContext context;

  private @Nullable ConnectionMeter meter;
  private final Runnable measurement = this::measure;

  /// Bytes of partially received requests.
  private long requestBytes;

  private InboundFrameFilter(
      GrpcHttp2ConnectionHandler handler,
      IncompleteRequests incompleteRequests,
      Duration transfer,
      MemoryExhaustionLog exhaustionLog) {
    super(handler.decoder().frameListener());
    this.handler = handler;
    this.connection = handler.connection();
    this.incompleteRequests = incompleteRequests;
    this.transferNanos = transfer.toNanos();
    this.exhaustionLog = exhaustionLog;
    this.incompleteKey = connection.newKey();
    this.unreadSince = connection.newKey();
  }

  /// Wraps a negotiator, and adds an [InboundFrameFilter] to each of its connections. gRPC has no
  /// public API for frames, but gives the frame handler to negotiators.
  ///
  /// @param transfer timeout for a response that the client does not read
  static ProtocolNegotiator bounding(
      ProtocolNegotiator negotiator, IncompleteRequests incompleteRequests, Duration transfer) {
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
                new InboundFrameFilter(grpc, incompleteRequests, transfer, exhaustionLog));
        grpc.connection().addListener(new GoAwayFilter());
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
      context.pipeline().addBefore(context.name(), null, exhaustionLog);
      ConnectionMeter found = ConnectionMeter.of(context.channel());
      found.edge(this);
      meter = found;
    }
    // A client may allow a dynamic table of 4 GiB. Error messages would fill the table.
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

  /// An action that measures the memory of the connection if responses wait for the client's
  /// flow-control windows. Before the next sweep, such responses could exhaust the memory.
  Runnable measurement() {
    return measurement;
  }

  private void measure() {
    if (meter != null && NettyInternals.heldBackBytes(handler.encoder().flowController()) > 0) {
      meter.measure();
    }
  }

  /// Adds to the bytes of partially received requests.
  ///
  /// @param bytes negative to subtract
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

  /// Bytes of responses that wait for the client's flow-control windows. If there are none, the
  /// streams are not visited.
  @Override
  public long directBytes() {
    Http2RemoteFlowController flow = handler.encoder().flowController();
    if (NettyInternals.heldBackBytes(flow) == 0) {
      return 0;
    }
    long[] bytes = {0};
    forEachStream(stream -> bytes[0] += flow.hasFlowControlled(stream) ? responseBytes(stream) : 0);
    return bytes[0];
  }

  /// Bytes of the whole response: sent and unsent bytes are in the same buffer.
  private long responseBytes(Http2Stream stream) {
    @Nullable IncompleteRequest incomplete = stream.getProperty(incompleteKey);
    return EncodeQueue.bufferBytes(incomplete == null ? 0 : incomplete.reply().unreadBytes());
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

  /// Resets streams whose response the client has not read in time, and streams with a response
  /// whose request the client does not end.
  @Override
  public void sweep(long nowNanos) {
    ChannelHandlerContext known = context;
    if (known == null || connection.numActiveStreams() == 0) {
      return;
    }
    List<Http2Stream> late = new ArrayList<>();
    forEachStream(
        stream -> {
          if (isUnreadTooLong(stream, nowNanos)) {
            late.add(stream);
          }
        });
    for (Http2Stream stream : late) {
      @Nullable IncompleteRequest incomplete = stream.getProperty(incompleteKey);
      if (incomplete != null) {
        incomplete.reply().fail(new Failure.DeadlineExceeded()); // A reset does not end a Watch.
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

  private boolean isUnreadTooLong(Http2Stream stream, long nowNanos) {
    boolean unread =
        stream.state() == Http2Stream.State.HALF_CLOSED_LOCAL
            || handler.encoder().flowController().hasFlowControlled(stream);
    @Nullable Long since = stream.getProperty(unreadSince);
    if (!unread) {
      if (since != null) {
        var _ = stream.removeProperty(unreadSince);
      }
      return false;
    }
    if (since == null) {
      var _ = stream.setProperty(unreadSince, nowNanos);
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
      IncompleteRequest started = incompleteRequests.takeLatest();
      Http2Stream stream = connection.stream(streamId);
      if (started != null && stream != null) {
        var _ = stream.setProperty(incompleteKey, started);
        started.attach(this);
      }
    }
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
    @Nullable IncompleteRequest incomplete =
        stream == null ? null : stream.getProperty(incompleteKey);
    // A call without an incomplete request was refused at its start.
    return incomplete != null && incomplete.accepts(data, last);
  }

  /// Logs the exhaustion of the memory for reads. gRPC closes the connection without a log message.
  @Sharable
  private static final class MemoryExhaustionLog extends ChannelInboundHandlerAdapter {
    private final LogRateLimiter exhaustions = new LogRateLimiter();

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      if (cause instanceof OutOfMemoryError) {
        long times = exhaustions.happened();
        if (times > 0) {
          log.atError()
              .addKeyValue("times", times)
              .addKeyValue("reason", cause.getMessage())
              .log("gRPC connections closed: no direct memory left for reads");
        }
      }
      context.fireExceptionCaught(cause);
    }
  }

  /// Logs and removes the text of a GOAWAY frame after an internal error. The text is the message
  /// of an unexpected exception, which Netty would send to the client.
  private static final class GoAwayFilter extends Http2ConnectionAdapter {
    @Override
    public void onGoAwaySent(int lastStream, long error, ByteBuf text) {
      if (error == Http2Error.INTERNAL_ERROR.code()) {
        log.atDebug()
            .addKeyValue("reason", text.toString(UTF_8))
            .log("gRPC connection closed after an internal error");
        text.clear();
      }
    }
  }
}
