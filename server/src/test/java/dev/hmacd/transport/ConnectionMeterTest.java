package dev.hmacd.transport;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.util.concurrent.MockTicker;
import io.netty.util.concurrent.Ticker;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

final class ConnectionMeterTest {
  private final MockTicker ticker = Ticker.newMockTicker();
  private final EmbeddedChannel channel = EmbeddedChannel.builder().ticker(ticker).build();
  private final ConnectionMeter meter =
      new ConnectionMeter(
          channel,
          new MemoryBudget(10_000_000).open(channel, "source", 1),
          "source",
          1,
          1_000_000_000);

  @Test
  void failedSweepDoesNotEndTheSweeps() {
    var sweeps = new AtomicInteger();
    channel.pipeline().addLast(meter);
    meter.edge(
        new ConnectionMeter.EdgeMemory() {
          @Override
          public long heapBytes() {
            return 0;
          }

          @Override
          public boolean isActive() {
            return true;
          }

          @Override
          public long directBytes() {
            return 0;
          }

          @Override
          public void sweep(long nowNanos) {
            sweeps.incrementAndGet();
            throw new IllegalStateException("thrown by the test");
          }
        });
    meter.measure();
    for (int i = 0; i < 3; i++) {
      ticker.advance(ConnectionMeter.SWEEP_MILLIS, TimeUnit.MILLISECONDS);
      channel.runPendingTasks();
    }
    assertThat(sweeps).hasValue(3);
    var _ = channel.close();
  }
}
