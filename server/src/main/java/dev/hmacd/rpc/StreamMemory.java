package dev.hmacd.rpc;

import dev.hmacd.transport.ConnectionMeter;
import dev.hmacd.transport.NettyInternals;
import dev.hmacd.usecase.Failure;
import io.grpc.netty.GrpcHttp2ConnectionHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.http2.Http2Connection;
import io.netty.handler.codec.http2.Http2ConnectionAdapter;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Exception;
import io.netty.handler.codec.http2.Http2RemoteFlowController;
import io.netty.handler.codec.http2.Http2Stream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// Memory of the streams of one gRPC connection. Only the connection's event loop uses the fields
/// of this class.
///
/// The memory of a stream is its state, the headers that gRPC keeps, its partially received
/// request, and its response while the client does not read the response. A stream is reset if its
/// response is unread for longer than the transfer timeout.
final class StreamMemory implements ConnectionMeter.EdgeMemory {
  /// Memory of gRPC and Netty for an open stream, with short headers of request and response.
  private static final long STREAM_BYTES = 4096;

  /// Bytes of the buffer of an error text for each character.
  private static final int ERROR_WEIGHT = 3;

  private final GrpcHttp2ConnectionHandler handler;
  private final Http2Connection connection;
  private final long transferNanos;

  /// Maximum buffer of a response that gRPC itself sends, for example to a call whose path has no
  /// slash: the text quotes a header.
  private final int maxErrorBytes;

  /// Key of a stream's property that holds its [IncompleteRequest].
  private final Http2Connection.PropertyKey incompleteKey;

  /// Key of a stream's property that holds the time of the first sweep with an unread response, a
  /// value of [System#nanoTime].
  private final Http2Connection.PropertyKey unreadSince;

  /// Key of the stream property for the size of the headers that gRPC keeps, in bytes. Each stream
  /// has this property after the headers of its request, even if the call was refused.
  private final Http2Connection.PropertyKey headersKey;

  /// The context of the gRPC handler; null until [#start].
  private @Nullable ChannelHandlerContext context;

  private @Nullable ConnectionMeter meter;

  /// The check of the memory for responses; null until [#start].
  private @Nullable ResponseMemory responses;

  private final Runnable measurement = this::measure;

  /// Total bytes of the partially received requests of the connection.
  private long requestBytes;

  /// Total bytes of the headers that gRPC keeps for the streams of the connection.
  private long headerBytes;

  /// @param transfer timeout for a response that the client does not read
  /// @param maxMetadataBytes maximum size of all headers of a call together
  StreamMemory(GrpcHttp2ConnectionHandler handler, Duration transfer, int maxMetadataBytes) {
    this.handler = handler;
    this.connection = handler.connection();
    this.transferNanos = transfer.toNanos();
    this.maxErrorBytes = ERROR_WEIGHT * maxMetadataBytes;
    this.incompleteKey = connection.newKey();
    this.unreadSince = connection.newKey();
    this.headersKey = connection.newKey();
    connection.addListener(
        new Http2ConnectionAdapter() {
          @Override
          public void onStreamClosed(Http2Stream stream) {
            releaseHeaders(stream);
          }
        });
  }

  /// Registers this memory with the meter of the connection, which then measures it.
  void start(ChannelHandlerContext context, ConnectionMeter meter) {
    this.context = context;
    this.meter = meter;
    this.responses = new ResponseMemory(context.alloc());
    meter.edge(this);
  }

  /// Assigns a partially received request to its stream.
  void add(Http2Stream stream, IncompleteRequest request) {
    var _ = stream.setProperty(incompleteKey, request);
    request.attach(this);
  }

  /// Counts headers of a stream that gRPC keeps until the end of the stream. Called once for each
  /// stream.
  ///
  /// @param bytes size of these headers in bytes
  void addHeaders(Http2Stream stream, long bytes) {
    var _ = stream.setProperty(headersKey, bytes);
    headerBytes += bytes;
  }

  /// Whether the headers of a stream's request were counted with [#addHeaders].
  boolean hasHeaders(Http2Stream stream) {
    @Nullable Long bytes = stream.getProperty(headersKey);
    return bytes != null;
  }

  private void releaseHeaders(Http2Stream stream) {
    @Nullable Long bytes = stream.removeProperty(headersKey);
    if (bytes != null) {
      headerBytes -= bytes;
    }
  }

  /// The [IncompleteRequest] of a stream; null if the call was refused at its start.
  @Nullable IncompleteRequest request(Http2Stream stream) {
    return stream.getProperty(incompleteKey);
  }

  /// The check of the memory for responses; null until [#start].
  @Nullable ResponseMemory responses() {
    return responses;
  }

  /// An action that measures the memory of the connection if responses wait for the client's
  /// flow-control windows. Without this action, such responses could exhaust the memory before the
  /// next sweep.
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
  /// @param bytes number of bytes to add; negative to subtract
  void hold(long bytes) {
    requestBytes += bytes;
  }

  @Override
  public long heapBytes() {
    return connection.numActiveStreams() * STREAM_BYTES + headerBytes + requestBytes;
  }

  @Override
  public boolean isActive() {
    return connection.numActiveStreams() > 0 || requestBytes > 0;
  }

  /// Bytes of responses that wait for the client's flow-control windows. Visits the streams only if
  /// such bytes exist.
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

  /// Bytes of a stream's whole response, because sent and unsent bytes are in the same buffer. Only
  /// a response of gRPC itself has no [IncompleteRequest]: a response without a message does not
  /// wait for a flow-control window.
  private long responseBytes(Http2Stream stream) {
    IncompleteRequest incomplete = request(stream);
    return ResponseEncodeQueue.bufferBytes(
        incomplete == null ? maxErrorBytes : incomplete.reply().unreadBytes());
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

  /// Resets a stream if the client has not read its response in time. Also resets a stream if the
  /// client has not ended its request in time after the response.
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
        incomplete.reply().fail(new Failure.DeadlineExceeded()); // The reset does not end a Watch.
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
