package dev.hmacd.transport;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.util.internal.OutOfDirectMemoryError;
import org.jspecify.annotations.Nullable;

/// Channel handler for fair queueing: holds the input of one connection until the [FairQueue]
/// schedules it. While input waits, the daemon pauses reading from the connection. All methods run
/// on the connection's event loop.
final class FairQueueHandler extends ChannelDuplexHandler implements FairQueue.Waiting {
  /// Maximum size of the waiting input of a connection. If the peer closes the connection, the
  /// event loop reads all remaining input, even while reading is paused. Above the maximum, the
  /// connection is closed at once.
  private static final int MAX_WAITING_BYTES = 128 << 10;

  private final ConnectionMeter meter;
  private @Nullable ChannelHandlerContext context;
  private FairQueue.@Nullable InputOwner owner;

  /// The waiting input of the connection, on the heap.
  private ByteBuf rest = Unpooled.EMPTY_BUFFER;

  FairQueueHandler(ConnectionMeter meter) {
    this.meter = meter;
  }

  /// Size of the waiting input, in bytes of heap.
  int waitingBytes() {
    return rest.capacity();
  }

  @Override
  public boolean hasInput() {
    return rest.isReadable();
  }

  private FairQueue.InputOwner owner(ChannelHandlerContext here) {
    FairQueue.InputOwner known = owner;
    Object name = meter.owner();
    if (known == null || !known.isNamed(name)) {
      FairQueue queue = FairQueue.of(here.channel().eventLoop());
      if (known != null) {
        queue.leave(known);
      }
      known = queue.join(name);
      owner = known;
    }
    return known;
  }

  @Override
  public void channelRead(ChannelHandlerContext here, Object message) {
    if (!(message instanceof ByteBuf input)) {
      here.fireChannelRead(message);
      return;
    }
    if (rest.isReadable()) {
      append(here, input);
      return;
    }
    int bytes = input.readableBytes();
    int now = owner(here).take(bytes);
    if (now == bytes) {
      here.fireChannelRead(input);
      return;
    }
    context = here;
    rest = copy(input, now, bytes - now);
    meter.backpressure().pause(Backpressure.Reason.QUEUED_INPUT, true);
    owner(here).await(this);
    if (now == 0) {
      input.release();
    } else {
      here.fireChannelRead(input.writerIndex(input.readerIndex() + now));
    }
  }

  private static ByteBuf copy(ByteBuf input, int from, int bytes) {
    return Unpooled.wrappedBuffer(
        ByteBufUtil.getBytes(input, input.readerIndex() + from, bytes, true));
  }

  private void append(ChannelHandlerContext here, ByteBuf input) {
    try {
      if (rest.readableBytes() + input.readableBytes() > MAX_WAITING_BYTES) {
        rest = Unpooled.EMPTY_BUFFER;
        Connections.closeAtOnce(here.channel());
        return;
      }
      rest = Unpooled.copiedBuffer(rest, input);
    } finally {
      input.release();
    }
  }

  @Override
  public int decode(int maxBytes) {
    ChannelHandlerContext here = context;
    int bytes = Math.min(maxBytes, rest.readableBytes());
    if (here == null || bytes == 0) {
      return 0; // The connection was closed.
    }
    ByteBuf slice;
    try {
      slice = here.alloc().buffer(bytes).writeBytes(rest, bytes);
    } catch (OutOfDirectMemoryError e) {
      rest = Unpooled.EMPTY_BUFFER;
      here.fireExceptionCaught(e);
      Connections.closeAtOnce(here.channel());
      return 0;
    }
    if (!rest.isReadable()) {
      rest = Unpooled.EMPTY_BUFFER;
    }
    here.fireChannelRead(slice);
    here.fireChannelReadComplete();
    meter.measure();
    if (!rest.isReadable()) {
      meter.backpressure().pause(Backpressure.Reason.QUEUED_INPUT, false);
    }
    return bytes;
  }

  /// Suppresses the read requests of the TLS handler while input waits.
  @Override
  public void read(ChannelHandlerContext here) {
    if (!rest.isReadable()) {
      here.read();
    }
  }

  @Override
  public void channelInactive(ChannelHandlerContext here) {
    rest = Unpooled.EMPTY_BUFFER;
    FairQueue.InputOwner known = owner;
    if (known != null) {
      owner = null;
      FairQueue.of(here.channel().eventLoop()).leave(known);
    }
    here.fireChannelInactive();
  }
}
