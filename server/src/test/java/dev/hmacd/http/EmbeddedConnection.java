package dev.hmacd.http;

import static java.nio.charset.StandardCharsets.US_ASCII;

import dev.hmacd.transport.Connections;
import dev.hmacd.transport.MemoryBudget;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import java.time.Duration;
import java.util.function.BiConsumer;

/// A connection of the HTTP server without a socket. The test thread is its event loop.
final class EmbeddedConnection {
  /// The timeout of each wait.
  static final Duration TIMEOUT = Duration.ofHours(1);

  private static final HttpLimits LIMITS =
      new HttpLimits(8192, 8192, 1 << 20, 16, 16, 1, 1, TIMEOUT, TIMEOUT, TIMEOUT);

  final ConnectionWatchdog watchdog = new ConnectionWatchdog();
  final RequestBounds bounds =
      new RequestBounds(LIMITS.maxRequests(), LIMITS.maxBufferedBytes(), LIMITS.maxBodyBytes());
  final EmbeddedChannel channel;

  /// Accepts a connection.
  ///
  /// @param handler receives the requests
  EmbeddedConnection(BiConsumer<Request, Exchange> handler) {
    var connections =
        new Connections(
            new Connections.Settings(1, 1, 0, TIMEOUT), new MemoryBudget(Long.MAX_VALUE));
    channel =
        new EmbeddedChannel(
            new ProtocolDetector(
                new ServerContext(
                    LIMITS,
                    TestHandler.PROFILE,
                    new TestHandler(handler),
                    bounds,
                    connections,
                    watchdog),
                null));
    boolean _ = new EmbeddedChannel(connections).writeInbound(channel);
  }

  /// Sends text to the server.
  void write(String text) {
    boolean _ = channel.writeInbound(Unpooled.copiedBuffer(text, US_ASCII));
    channel.checkException();
  }
}
