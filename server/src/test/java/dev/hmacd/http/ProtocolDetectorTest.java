package dev.hmacd.http;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.transport.Connections;
import dev.hmacd.transport.MemoryBudget;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// Timeouts that expire while received bytes are unread because the event loop is busy.
final class ProtocolDetectorTest {
  private static final Duration LIMIT = Duration.ofHours(1);
  private static final HttpLimits LIMITS =
      new HttpLimits(8192, 8192, 1 << 20, 16, 16, 1, 1, LIMIT, LIMIT, LIMIT);

  private final List<Request> taken = new ArrayList<>();
  private final ConnectionWatchdog watchdog = new ConnectionWatchdog();
  private final Connections connections =
      new Connections(new Connections.Settings(1, 1, 0, LIMIT), new MemoryBudget(Long.MAX_VALUE));
  private final EmbeddedChannel channel =
      new EmbeddedChannel(
          new ProtocolDetector(
              new ServerContext(
                  LIMITS,
                  TestHandler.PROFILE,
                  new TestHandler((request, _) -> taken.add(request)),
                  new RequestBounds(
                      LIMITS.maxRequests(), LIMITS.maxBufferedBytes(), LIMITS.maxBodyBytes()),
                  connections,
                  watchdog),
              null));

  @BeforeEach
  void accept() {
    new EmbeddedChannel(connections).writeInbound(channel);
  }

  private void write(String text) {
    channel.writeInbound(Unpooled.copiedBuffer(text, US_ASCII));
    channel.checkException();
  }

  private void checkTimeoutsAfterTheLimit() {
    watchdog.check(System.nanoTime() + LIMIT.multipliedBy(2).toNanos());
  }

  @Test
  void requestIsAcceptedIfItsTimeoutExpiresBeforeReceivedBytesAreRead() {
    write("P");
    checkTimeoutsAfterTheLimit();
    write("OST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}");
    assertThat(taken).hasSize(1);
    assertThat(channel.isOpen()).isTrue();
  }

  @Test
  void connectionWithALateRequestIsClosed() {
    write("P");
    checkTimeoutsAfterTheLimit();
    channel.runPendingTasks();
    assertThat(channel.isOpen()).isFalse();
  }
}
