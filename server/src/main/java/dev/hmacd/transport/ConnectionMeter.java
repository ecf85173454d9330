package dev.hmacd.transport;

import dev.hmacd.config.HostPort;
import dev.hmacd.log.LogRateLimiter;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelOutboundBuffer;
import io.netty.handler.codec.ByteToMessageDecoder;
import io.netty.handler.codec.http2.DefaultHttp2FrameReader;
import io.netty.handler.codec.http2.Http2ConnectionHandler;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Meter of one connection's memory, as the first channel handler of the connection. Publishes the
/// measured memory to the [MemoryBudget]. All methods run on the connection's event loop.
///
/// The meter measures after each burst of reads, and every [#SWEEP_MILLIS] while the connection is
/// not idle. The measured memory includes the edge's memory ([EdgeMemory]), inbound bytes in
/// decoders, and outbound bytes that wait for the socket. While the peer does not read its answers,
/// the daemon pauses reading from the connection, so that answers cannot accumulate.
///
/// The meter closes at once a connection that exceeds its [TransferTimeout].
public final class ConnectionMeter extends ChannelInboundHandlerAdapter {
  /// The interval between measurements of a connection that is not idle, in milliseconds.
  public static final int SWEEP_MILLIS = 250;

  private static final Logger log = LoggerFactory.getLogger(ConnectionMeter.class);
  private static final LogRateLimiter failedSweeps = new LogRateLimiter();

  /// Assumed memory of an unfinished header block. Netty limits only the decoded header fields.
  private static final long HEADER_BLOCK_BYTES = 16_384;

  /// Bytes of heap for each byte of an HPACK table's size. This size counts 32 bytes of overhead
  /// for an entry.
  private static final long HEADER_TABLE_WEIGHT = 4;

  private final Channel channel;
  private final MemoryBudget.Account account;
  private final long idleBytes;
  private final TransferTimeout timeout;
  private final Backpressure backpressure;
  private final FairQueueHandler input;
  private List<ByteToMessageDecoder> decoders = List.of();
  private boolean decodersKnown;
  private @Nullable DefaultHttp2FrameReader frameReader;
  private @Nullable EdgeMemory edge;
  private @Nullable Object principal;
  private Object owner;
  private long credentialsBytes;
  private boolean sweepScheduled;
  private boolean closedAsLate;

  /// Memory that an edge holds for a connection. All methods are called on the connection's event
  /// loop.
  public interface EdgeMemory {
    /// Bytes of heap for streams, headers and requests, in addition to the heap of an idle
    /// connection.
    long heapBytes();

    /// Whether the connection has an open request, response or stream. While it has one, the meter
    /// calls [#sweep].
    boolean isActive();

    /// Bytes of direct memory, such as answers that flow control holds back.
    long directBytes();

    /// Enforces the edge's time limits. Called every [#SWEEP_MILLIS] while the connection is not
    /// idle.
    void sweep(long nowNanos);
  }

  /// @param source source address, or the uid of a Unix socket's peer: the owner until the
  ///   connection has authenticated
  /// @param idleBytes memory of an idle connection
  ConnectionMeter(
      Channel channel,
      MemoryBudget.Account account,
      Object source,
      long idleBytes,
      long timeoutNanos) {
    this.channel = channel;
    this.account = account;
    this.owner = source;
    this.backpressure = new Backpressure(channel);
    this.input = new FairQueueHandler(this);
    this.idleBytes = idleBytes;
    this.timeout = new TransferTimeout(channel, timeoutNanos);
  }

  /// The meter of a connection that [Connections] has accepted.
  public static ConnectionMeter of(Channel connection) {
    ConnectionMeter meter = connection.pipeline().get(ConnectionMeter.class);
    if (meter == null) {
      throw new IllegalStateException(
          "no ConnectionMeter in the pipeline: the channel handler Connections did not accept this"
              + " connection");
    }
    return meter;
  }

  /// Sets the memory of the edge. Must be called after the last handler was added to the pipeline,
  /// because the meter does not read the list of handlers again.
  public void edge(EdgeMemory held) {
    edge = held;
    decoders = findDecoders();
    decodersKnown = true;
    for (ByteToMessageDecoder decoder : decoders) {
      if (decoder instanceof Http2ConnectionHandler http2) {
        frameReader = NettyInternals.frameReader(http2);
      }
    }
  }

  /// As [#edge(EdgeMemory)], but the transfer timeout of the meter excludes the decoder
  /// `timedByEdge`. The edge has its own timeout for this decoder, after which it sends an answer.
  /// A close by the meter would lose this answer.
  public void edge(EdgeMemory held, ByteToMessageDecoder timedByEdge) {
    edge(held);
    timeout.exclude(timedByEdge);
  }

  /// Reports that a complete frame, or the head of a request, was decoded.
  public void decoded() {
    timeout.decoded();
  }

  /// Sets the connection's principal. Called by [Connections].
  void authenticated(Object known) {
    principal = known;
    owner = known;
    account.authenticated(known);
  }

  /// Sets the heap of the connection's credentials, in bytes, in addition to the memory of an idle
  /// connection.
  void credentials(long bytes) {
    credentialsBytes = bytes;
  }

  /// The authenticated principal; null while the connection is pending.
  @Nullable Object principal() {
    return principal;
  }

  /// The authenticated principal, or the source of the connection while it is pending.
  Object owner() {
    return owner;
  }

  /// The handler for fair queueing of the connection's input, which follows the meter in the
  /// pipeline.
  FairQueueHandler input() {
    return input;
  }

  public Backpressure backpressure() {
    return backpressure;
  }

  MemoryBudget.Account account() {
    return account;
  }

  private List<ByteToMessageDecoder> findDecoders() {
    List<ByteToMessageDecoder> found = new ArrayList<>();
    for (Map.Entry<String, ChannelHandler> entry : channel.pipeline()) {
      if (entry.getValue() instanceof ByteToMessageDecoder decoder) {
        found.add(decoder);
      }
    }
    return found;
  }

  @Override
  public void channelReadComplete(ChannelHandlerContext context) {
    context.fireChannelReadComplete();
    measure();
  }

  @Override
  public void channelWritabilityChanged(ChannelHandlerContext context) {
    backpressure.pause(Backpressure.Reason.UNWRITABLE, !channel.isWritable());
    context.fireChannelWritabilityChanged();
    measure();
  }

  @Override
  public void channelInactive(ChannelHandlerContext context) {
    account.close();
    context.fireChannelInactive();
  }

  /// Measures the connection's memory, and publishes it to the [MemoryBudget]. The edge may call
  /// this method when its memory has grown without a read.
  public void measure() {
    if (!channel.isActive()) {
      return;
    }
    long undecoded = undecodedBytes();
    ChannelOutboundBuffer outbound = channel.unsafe().outboundBuffer();
    long unsentBytes = outbound == null ? 0 : outbound.totalPendingWriteBytes();
    EdgeMemory held = edge;
    long heap = held == null ? 0 : held.heapBytes();
    long direct = undecoded + unsentBytes + (held == null ? 0 : held.directBytes());
    long waiting = input.waitingBytes();
    account.set(
        idleBytes
            + credentialsBytes
            + heap
            + waiting
            + headerTableBytes()
            + MemoryBudget.DIRECT_WEIGHT * direct);
    boolean active = direct > 0 || (held != null && held.isActive());
    if (active) {
      scheduleSweep();
    }
  }

  private void scheduleSweep() {
    if (!sweepScheduled) {
      sweepScheduled = true;
      var _ = channel.eventLoop().schedule(this::sweep, SWEEP_MILLIS, TimeUnit.MILLISECONDS);
    }
  }

  /// Heap of the decoder's HPACK table; 0 without HTTP/2.
  private long headerTableBytes() {
    return frameReader == null
        ? 0
        : HEADER_TABLE_WEIGHT * NettyInternals.headerTableBytes(frameReader);
  }

  /// Memory of unfinished records, frames and header blocks in decoders.
  private long undecodedBytes() {
    long bytes = 0;
    for (ByteToMessageDecoder decoder : decodersKnown ? decoders : findDecoders()) {
      bytes += NettyInternals.undecodedBytes(decoder);
    }
    if (frameReader != null && NettyInternals.isInHeaderBlock(frameReader)) {
      bytes += HEADER_BLOCK_BYTES;
    }
    return bytes;
  }

  private void sweep() {
    sweepScheduled = false;
    if (!channel.isActive()) {
      return;
    }
    try {
      enforceTimeLimits();
    } catch (RuntimeException | Error e) {
      long times = failedSweeps.happened();
      if (times > 0) {
        log.atError()
            .addKeyValue("times", times)
            .setCause(e)
            .log("Time limits of a connection not checked: unexpected Java exception");
      }
      scheduleSweep(); // Without a further sweep, the connection would have no time limit.
    }
  }

  private void enforceTimeLimits() {
    long now = System.nanoTime();
    if (edge != null) {
      edge.sweep(now);
    }
    String late = timeout.findLate(now, undecodedBytes());
    if (late == null) {
      measure();
    } else {
      closeAsLate(late);
    }
  }

  /// Whether the meter has closed the connection because of the transfer timeout.
  boolean isLate() {
    return closedAsLate;
  }

  private void closeAsLate(String late) {
    closedAsLate = true;
    log.atDebug()
        .addKeyValue("remote_address", HostPort.text(channel.remoteAddress()))
        .addKeyValue("late", late)
        .addKeyValue("limit_ms", timeout.millis())
        .log("Connection closed: transfer timeout exceeded");
    account.close();
    Connections.closeAtOnce(channel);
  }
}
