package dev.hmacd.rpc;

import dev.hmacd.transport.ConnectionMeter;
import dev.hmacd.transport.NettyInternals;
import dev.hmacd.usecase.Failure;
import io.grpc.netty.GrpcHttp2ConnectionHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.http2.Http2Connection;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Exception;
import io.netty.handler.codec.http2.Http2RemoteFlowController;
import io.netty.handler.codec.http2.Http2Stream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// Memory of the streams of one gRPC connection. The connection's event loop owns its fields.
///
/// The memory of a stream is its state, its partially received request, and its response while the
/// client does not read the response. A stream is reset if its response is unread for longer than
/// the transfer timeout.
final class StreamMemory implements ConnectionMeter.EdgeMemory {
  /// Memory of gRPC and Netty for an open stream, with the headers of request and response.
  private static final long STREAM_BYTES = 4096;

  private final GrpcHttp2ConnectionHandler handler;
  private final Http2Connection connection;
  private final long transferNanos;

  /// Property of a stream: its [IncompleteRequest].
  private final Http2Connection.PropertyKey incompleteKey;

  /// Property of a stream: the time of the first sweep with an unread response, a value of
  /// [System#nanoTime].
  private final Http2Connection.PropertyKey unreadSince;

  /// Set by [#start], before any other use.
  private @Nullable ChannelHandlerContext context;

  private @Nullable ConnectionMeter meter;
  private final Runnable measurement = this::measure;

  /// Bytes of partially received requests.
  private long requestBytes;

  /// @param transfer timeout for a response that the client does not read
  StreamMemory(GrpcHttp2ConnectionHandler handler, Duration transfer) {
    this.handler = handler;
    this.connection = handler.connection();
    this.transferNanos = transfer.toNanos();
    this.incompleteKey = connection.newKey();
    this.unreadSince = connection.newKey();
  }

  /// Starts the measurements by the meter of the connection.
  void start(ChannelHandlerContext context, ConnectionMeter meter) {
    this.context = context;
    this.meter = meter;
    meter.edge(this);
  }

  /// Assigns a partially received request to its stream.
  void add(Http2Stream stream, IncompleteRequest request) {
    var _ = stream.setProperty(incompleteKey, request);
    request.attach(this);
  }

  /// The request of a stream; null if the call was refused at its start.
  @Nullable IncompleteRequest request(Http2Stream stream) {
    return stream.getProperty(incompleteKey);
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
    IncompleteRequest incomplete = request(stream);
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
      IncompleteRequest incomplete = request(stream);
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
}
