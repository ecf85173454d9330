package dev.hmacd.http;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.testing.RawHttp2;
import dev.hmacd.transport.ConnectionMeter;
import dev.hmacd.transport.Connections;
import dev.hmacd.transport.MemoryBudget;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ServerChannel;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.handler.codec.http2.DefaultHttp2FrameReader;
import io.netty.handler.codec.http2.Http2Exception;
import io.netty.handler.codec.http2.Http2FrameAdapter;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.util.concurrent.MockTicker;
import io.netty.util.concurrent.Ticker;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Two deadlines end a late request: the edge answers 408, and the connection meter closes a
/// connection with an unfinished frame. In these tests the meter's deadline passes first. In this
/// order an answer could be lost.
final class LateRequestTest {
  private static final Duration LIMIT = Duration.ofHours(1);
  private static final HttpLimits LIMITS =
      new HttpLimits(8192, 8192, 1 << 20, 16, 16, 1, 1, LIMIT, LIMIT, LIMIT);

  /// The first sweep starts a time limit, the second finds the limit exceeded. Further sweeps have
  /// no effect.
  private static final int SWEEPS = 8;

  private static final byte[] PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".getBytes(US_ASCII);

  private final List<Request> taken = new ArrayList<>();
  private final ConnectionWatchdog watchdog = new ConnectionWatchdog();
  private final Connections connections =
      new Connections(
          new Connections.Settings(1, 1, 0, Duration.ofNanos(1)), new MemoryBudget(Long.MAX_VALUE));
  private final Listening listening = new Listening(connections);
  private final MockTicker ticker = Ticker.newMockTicker();
  private final EmbeddedChannel channel =
      EmbeddedChannel.builder()
          .parent(listening)
          .ticker(ticker)
          .handlers(
              new ProtocolDetector(
                  new ServerContext(
                      LIMITS,
                      TestHandler.PROFILE,
                      new TestHandler((request, _) -> taken.add(request)),
                      new RequestBounds(
                          LIMITS.maxRequests(), LIMITS.maxBufferedBytes(), LIMITS.maxBodyBytes()),
                      connections,
                      watchdog),
                  null))
          .build();

  /// A parent of this type makes the channel a connection of a server to Netty.
  private static final class Listening extends EmbeddedChannel implements ServerChannel {
    Listening(Connections connections) {
      super(connections);
    }
  }

  @BeforeEach
  void accept() {
    listening.writeInbound(channel);
  }

  @AfterEach
  void close() {
    var _ = channel.finishAndReleaseAll();
    assertThat(taken).isEmpty();
  }

  private void write(byte[] bytes) {
    channel.writeInbound(Unpooled.copiedBuffer(bytes));
    channel.checkException();
  }

  private void sweep() {
    for (int i = 0; i < SWEEPS; i++) {
      ticker.advance(ConnectionMeter.SWEEP_MILLIS, TimeUnit.MILLISECONDS);
      channel.runPendingTasks();
    }
  }

  /// Lets the edge's deadline pass.
  private void passTheDeadline() {
    watchdog.check(System.nanoTime() + LIMIT.multipliedBy(2).toNanos());
    channel.runPendingTasks();
  }

  private ByteBuf sent() {
    ByteBuf all = Unpooled.buffer();
    for (ByteBuf part = channel.readOutbound(); part != null; part = channel.readOutbound()) {
      all.writeBytes(part);
      part.release();
    }
    return all;
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "PO",
        "POST / HT",
        "POST / HTTP/1.1\r\nHost: a\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nX-A: a",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc"
      })
  void unfinishedHttp1RequestIsAnswered(String part) {
    write(part.getBytes(US_ASCII));
    sweep();
    assertThat(channel.isOpen()).isTrue();
    assertThat(sent().toString(US_ASCII)).isEmpty();
    passTheDeadline();
    assertThat(sent().toString(US_ASCII)).startsWith("HTTP/1.1 408 ").contains("TIMEOUT");
  }

  /// The streams with the answer 408.
  private List<Integer> timedOut() throws Http2Exception {
    List<Integer> streams = new ArrayList<>();
    ByteBuf frames = sent();
    try (var reader = new DefaultHttp2FrameReader()) {
      while (frames.isReadable()) {
        reader.readFrame(
            listening.pipeline().firstContext(),
            frames,
            new Http2FrameAdapter() {
              @Override
              public void onHeadersRead(
                  ChannelHandlerContext context,
                  int stream,
                  Http2Headers headers,
                  int padding,
                  boolean last) {
                assertThat(headers.status()).hasToString("408");
                streams.add(stream);
              }
            });
      }
    }
    return streams;
  }

  private void openStream() {
    write(PREFACE);
    write(RawHttp2.frameBytes(RawHttp2.SETTINGS, 0, 0, new byte[0]));
    write(
        RawHttp2.frameBytes(
            RawHttp2.HEADERS,
            RawHttp2.END_HEADERS,
            1,
            RawHttp2.headers(
                ":method", "POST", ":scheme", "http", ":path", "/", ":authority", "a")));
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1, 100})
  void unfinishedHttp2RequestWithCompleteFramesIsAnswered(int bodyBytes) throws Http2Exception {
    openStream();
    if (bodyBytes > 0) {
      write(RawHttp2.frameBytes(RawHttp2.DATA, 0, 1, new byte[bodyBytes]));
    }
    sweep();
    assertThat(channel.isOpen()).isTrue();
    assertThat(timedOut()).isEmpty();
    passTheDeadline();
    assertThat(timedOut()).containsExactly(1);
  }

  /// After an unfinished frame the daemon cannot read other frames of the connection. The test also
  /// proves that the meter's deadline passes in these tests.
  @Test
  void http2ConnectionWithAnUnfinishedFrameIsClosed() {
    openStream();
    byte[] data = RawHttp2.frameBytes(RawHttp2.DATA, 0, 1, new byte[100]);
    write(Arrays.copyOf(data, 50));
    sweep();
    assertThat(channel.isOpen()).isFalse();
  }
}
