package dev.hmacd.http;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.transport.Connections;
import dev.hmacd.transport.MemoryBudget;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// An unexpected exception at the release of an answer: the connection ends, and counts no request.
final class FailedReleaseTest {
  private static final Duration LIMIT = Duration.ofHours(1);
  private static final HttpLimits LIMITS =
      new HttpLimits(8192, 8192, 1 << 20, 16, 16, 1, 1, LIMIT, LIMIT, LIMIT);

  private final List<Exchange> exchanges = new ArrayList<>();
  private final RequestBounds bounds =
      new RequestBounds(LIMITS.maxRequests(), LIMITS.maxBufferedBytes(), LIMITS.maxBodyBytes());
  private final Connections connections =
      new Connections(new Connections.Settings(1, 1, 0, LIMIT), new MemoryBudget(Long.MAX_VALUE));
  private final EmbeddedChannel channel =
      new EmbeddedChannel(
          new ProtocolDetector(
              new ServerContext(
                  LIMITS,
                  TestHandler.PROFILE,
                  new TestHandler((_, exchange) -> exchanges.add(exchange)),
                  bounds,
                  connections,
                  new ConnectionWatchdog()),
              null));

  @BeforeEach
  void sendTwoRequests() {
    new EmbeddedChannel(connections).writeInbound(channel);
    String request = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}";
    channel.writeInbound(Unpooled.copiedBuffer(request + request, US_ASCII));
    channel.checkException();
    assertThat(exchanges).hasSize(2).allMatch(exchange -> exchange.admit("caller"));
  }

  private static Response broken() {
    throw new IllegalStateException("broken");
  }

  private static Response answer() {
    return new Response(200, new byte[0], "id");
  }

  private void requireEnd() {
    channel.runPendingTasks();
    assertThat(channel.isOpen()).isFalse();
    assertThat(bounds.requests()).isZero();
  }

  @Test
  void failedReleaseEndsTheConnection() {
    assertThatThrownBy(() -> exchanges.getFirst().respond(FailedReleaseTest::broken, 0))
        .hasMessage("broken");
    requireEnd();
  }

  /// The answer to the first request releases the answer to the second request, too.
  @Test
  void failedReleaseOfAPipelinedAnswerEndsTheConnection() {
    exchanges.getLast().respond(FailedReleaseTest::broken, 0);
    assertThat(channel.isOpen()).isTrue();
    assertThatThrownBy(() -> exchanges.getFirst().respond(FailedReleaseTest::answer, 0))
        .hasMessage("broken");
    requireEnd();
  }

  @Test
  void secondAnswerToARequestIsIgnored() {
    exchanges.getLast().respond(FailedReleaseTest::answer, 0);
    exchanges.getLast().respond(FailedReleaseTest::broken, 0);
    exchanges.getFirst().respond(FailedReleaseTest::answer, 0);
    assertThat(channel.isOpen()).isTrue();
    assertThat(bounds.requests()).isZero();
  }
}
