package dev.hmacd.transport;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.embedded.EmbeddedChannel;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class FairQueueHandlerTest {
  private static final int QUANTUM = FairQueue.QUANTUM_BYTES;

  private final EmbeddedChannel channel = new EmbeddedChannel();
  private final MemoryBudget budget = new MemoryBudget(10_000_000);
  private final ConnectionMeter meter =
      new ConnectionMeter(channel, budget.open(channel, "source", 1), "source", 1, 1_000_000_000);
  private final ByteArrayOutputStream decoded = new ByteArrayOutputStream();

  FairQueueHandlerTest() {
    channel.pipeline().addLast(meter, meter.input());
    channel
        .pipeline()
        .addLast(
            new ChannelInboundHandlerAdapter() {
              @Override
              public void channelRead(ChannelHandlerContext context, Object message) {
                ByteBuf bytes = (ByteBuf) message;
                try {
                  bytes.readBytes(decoded, bytes.readableBytes());
                } catch (IOException e) {
                  throw new UncheckedIOException(e);
                } finally {
                  bytes.release();
                }
              }
            });
  }

  @AfterEach
  void close() {
    var _ = channel.close();
  }

  private static byte[] bytes(int count) {
    byte[] bytes = new byte[count];
    new Random(1).nextBytes(bytes);
    return bytes;
  }

  @Test
  void inputWithinTheQuantumPassesAtOnce() {
    channel.pipeline().fireChannelRead(Unpooled.wrappedBuffer(bytes(QUANTUM)));
    assertThat(decoded.toByteArray()).isEqualTo(bytes(QUANTUM));
    assertThat(channel.config().isAutoRead()).isTrue();
    assertThat(meter.input().waitingBytes()).isZero();
  }

  @Test
  void inputAboveTheQuantumWaitsAndPausesReading() {
    byte[] all = bytes(5 * QUANTUM + 1);
    channel.pipeline().fireChannelRead(Unpooled.wrappedBuffer(all));
    assertThat(decoded.size()).isEqualTo(QUANTUM);
    assertThat(channel.config().isAutoRead()).isFalse();
    assertThat(meter.input().waitingBytes()).isEqualTo(4 * QUANTUM + 1);
    channel.pipeline().fireChannelReadComplete();
    assertThat(budget.held()).isGreaterThanOrEqualTo(4 * QUANTUM + 1);
    decodeAll();
    assertThat(decoded.toByteArray()).isEqualTo(all);
    assertThat(channel.config().isAutoRead()).isTrue();
    assertThat(meter.input().waitingBytes()).isZero();
  }

  @Test
  void inputStaysInOrderWhileOtherInputWaits() {
    byte[] all = bytes(4 * QUANTUM);
    channel.pipeline().fireChannelRead(Unpooled.copiedBuffer(all, 0, 2 * QUANTUM));
    channel.pipeline().fireChannelRead(Unpooled.copiedBuffer(all, 2 * QUANTUM, 2 * QUANTUM));
    decodeAll();
    assertThat(decoded.toByteArray()).isEqualTo(all);
  }

  @Test
  void tooMuchWaitingInputClosesTheConnection() {
    channel.pipeline().fireChannelRead(Unpooled.wrappedBuffer(bytes(2 * QUANTUM)));
    channel.pipeline().fireChannelRead(Unpooled.wrappedBuffer(bytes(128 << 10)));
    decodeAll();
    assertThat(decoded.size()).isEqualTo(QUANTUM);
    assertThat(channel.isOpen()).isFalse();
  }

  @Test
  void waitingInputIsDroppedWithTheConnection() {
    channel.pipeline().fireChannelRead(Unpooled.wrappedBuffer(bytes(3 * QUANTUM)));
    channel.pipeline().fireChannelInactive();
    decodeAll();
    assertThat(decoded.size()).isEqualTo(QUANTUM);
    assertThat(meter.input().waitingBytes()).isZero();
  }

  @Test
  void readingStaysPausedForAnotherReason() {
    meter.backpressure().pause(Backpressure.Reason.MAX_IN_FLIGHT, true);
    channel.pipeline().fireChannelRead(Unpooled.wrappedBuffer(bytes(2 * QUANTUM)));
    decodeAll();
    assertThat(decoded.size()).isEqualTo(2 * QUANTUM);
    assertThat(channel.config().isAutoRead()).isFalse();
    meter.backpressure().pause(Backpressure.Reason.MAX_IN_FLIGHT, false);
    assertThat(channel.config().isAutoRead()).isTrue();
  }

  /// Runs the event loop until no input waits.
  private void decodeAll() {
    int rounds = 0;
    do {
      channel.runPendingTasks();
      rounds++;
    } while (meter.input().hasInput() && rounds < 1000);
    assertThat(meter.input().hasInput()).isFalse();
  }
}
