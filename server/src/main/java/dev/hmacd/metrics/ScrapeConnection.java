package dev.hmacd.metrics;

import static java.nio.charset.StandardCharsets.US_ASCII;

import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.socket.DuplexChannel;
import io.netty.handler.codec.TooLongFrameException;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.util.ReferenceCountUtil;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// A connection of a [MetricsServer]: HTTP/1.1 with `GET` and `HEAD`, without pipelining and
/// without request bodies. All methods run on the connection's event loop.
///
/// A timeout limits each phase: the wait for a complete request, and the answer, until the client
/// has taken it. An aborted scrape is no fault, so it is logged at level DEBUG only.
final class ScrapeConnection extends ChannelInboundHandlerAdapter {
  private static final String PATH = "/metrics";

  /// Duration of the lingering close (RFC 9112, section 9.6), so that the client gets the last
  /// answer and not a reset.
  private static final Duration LINGER = Duration.ofSeconds(1);

  private static final Logger log = LoggerFactory.getLogger(ScrapeConnection.class);

  private enum Phase {
    /// The connection waits for a complete request. This is the initial phase.
    REQUEST,
    /// A scrape is in progress, and its answer is not rendered yet.
    SCRAPE,
    /// The answer to a scrape waits for the client.
    ANSWER,
    /// The last answer is on its way. Further input is ignored.
    LINGER
  }

  private static final String UNIX_SOCKET = "Unix socket";

  private final Channel channel;
  private final String source;
  private final ScrapeLimits limits;
  private final ScrapeRenderer renderer;
  private Phase phase = Phase.REQUEST;

  /// The head of a partially received request; null if there is none.
  private @Nullable HttpRequest head;

  private @Nullable Future<?> timeout;

  ScrapeConnection(Channel channel, ScrapeLimits limits, ScrapeRenderer renderer) {
    this.channel = channel;
    this.source =
        channel.remoteAddress() instanceof InetSocketAddress remote
            ? remote.getAddress().getHostAddress()
            : UNIX_SOCKET;
    this.limits = limits;
    this.renderer = renderer;
  }

  /// Whether a scrape is in progress. A client that reads its answer slowly has no scrape in
  /// progress.
  boolean isScraping() {
    return phase == Phase.SCRAPE;
  }

  /// The client's address; one value for all clients of the Unix socket.
  String source() {
    return source;
  }

  void close() {
    var _ = channel.close();
  }

  @Override
  public void handlerAdded(ChannelHandlerContext context) {
    restartTimeout(limits.timeout());
  }

  private void restartTimeout(Duration limit) {
    stopTimeout();
    timeout = channel.eventLoop().schedule(this::tooLate, limit.toNanos(), TimeUnit.NANOSECONDS);
  }

  private void stopTimeout() {
    Future<?> running = timeout;
    if (running != null) {
      boolean _ = running.cancel(false);
    }
  }

  private void tooLate() {
    log.atDebug().addKeyValue("phase", phase).log("Metrics connection closed after its timeout");
    close();
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object message) {
    try {
      switch (phase) {
        case REQUEST -> receive(message);
        case SCRAPE, ANSWER -> {
          log.atDebug().log("Metrics connection closed: a request arrived before the last answer");
          close();
        }
        case LINGER -> {}
      }
    } finally {
      ReferenceCountUtil.release(message);
    }
  }

  private void receive(Object message) {
    if (message instanceof HttpRequest request) {
      if (request.decoderResult().isFailure() || hasBody(request)) {
        refuse(HttpResponseStatus.BAD_REQUEST, "the request is malformed, or has a body");
        return;
      }
      head = request;
    }
    HttpRequest complete = head;
    if (message instanceof LastHttpContent && complete != null) {
      head = null;
      serve(complete);
    }
  }

  private static boolean hasBody(HttpRequest request) {
    return HttpUtil.isTransferEncodingChunked(request)
        || HttpUtil.getContentLength(request, 0L) > 0;
  }

  private void serve(HttpRequest request) {
    if (!request.method().equals(HttpMethod.GET) && !request.method().equals(HttpMethod.HEAD)) {
      refuse(HttpResponseStatus.METHOD_NOT_ALLOWED, "the methods are GET and HEAD");
    } else if (!path(request.uri()).equals(PATH)) {
      refuse(HttpResponseStatus.NOT_FOUND, "the metrics are at " + PATH);
    } else {
      scrape(request);
    }
  }

  private static String path(String uri) {
    int query = uri.indexOf('?');
    return query < 0 ? uri : uri.substring(0, query);
  }

  private void scrape(HttpRequest request) {
    phase = Phase.SCRAPE;
    restartTimeout(limits.timeout());
    boolean keepAlive =
        request.protocolVersion().isKeepAliveDefault() && HttpUtil.isKeepAlive(request);
    var _ =
        renderer
            .render(request.headers().get(HttpHeaderNames.ACCEPT))
            .whenCompleteAsync((rendered, _) -> rendered(rendered, keepAlive), channel.eventLoop());
  }

  /// @param rendered null if the scrape failed
  private void rendered(ScrapeRenderer.@Nullable Rendered rendered, boolean keepAlive) {
    if (!channel.isActive()) {
      return;
    }
    if (rendered == null) {
      refuse(HttpResponseStatus.INTERNAL_SERVER_ERROR, "the scrape failed; see the log of hmacd");
      return;
    }
    phase = Phase.ANSWER;
    var answer = answer(HttpResponseStatus.OK, rendered.contentType(), rendered.body());
    HttpUtil.setKeepAlive(answer, keepAlive);
    var _ =
        channel.writeAndFlush(answer).addListener(sent -> answered(sent.isSuccess(), keepAlive));
  }

  private void answered(boolean sent, boolean keepAlive) {
    if (!sent) {
      close();
    } else if (keepAlive) {
      phase = Phase.REQUEST;
      restartTimeout(limits.timeout());
    } else {
      linger();
      closeOutput();
    }
  }

  /// Refuses a request, and closes the connection after the answer.
  private void refuse(HttpResponseStatus status, String text) {
    linger();
    var answer = answer(status, "text/plain; charset=utf-8", (text + "\n").getBytes(US_ASCII));
    if (status.equals(HttpResponseStatus.METHOD_NOT_ALLOWED)) {
      answer.headers().set(HttpHeaderNames.ALLOW, "GET, HEAD");
    }
    HttpUtil.setKeepAlive(answer, false);
    var _ = channel.writeAndFlush(answer).addListener(_ -> closeOutput());
  }

  private static DefaultFullHttpResponse answer(
      HttpResponseStatus status, String contentType, byte[] body) {
    var answer =
        new DefaultFullHttpResponse(HttpVersion.HTTP_1_1, status, Unpooled.wrappedBuffer(body));
    answer.headers().set(HttpHeaderNames.CONTENT_TYPE, contentType);
    HttpUtil.setContentLength(answer, body.length);
    return answer;
  }

  /// Ignores further input. The client, or the timeout, closes the connection.
  private void linger() {
    phase = Phase.LINGER;
    head = null;
    restartTimeout(LINGER);
  }

  private void closeOutput() {
    if (channel instanceof DuplexChannel duplex) {
      var _ = duplex.shutdownOutput();
    }
  }

  @Override
  public void channelInactive(ChannelHandlerContext context) {
    stopTimeout();
    phase = Phase.LINGER;
    head = null;
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
    if (cause instanceof TooLongFrameException && phase == Phase.REQUEST) {
      refuse(
          HttpResponseStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
          "the head of a request has at most " + MetricsServer.MAX_HEAD_BYTES + " bytes");
      return;
    }
    log.atDebug().setCause(cause).log("Metrics connection closed after an error");
    close();
  }
}
