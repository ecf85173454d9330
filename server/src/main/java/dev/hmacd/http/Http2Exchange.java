package dev.hmacd.http;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http2.DefaultHttp2DataFrame;
import io.netty.handler.codec.http2.DefaultHttp2Headers;
import io.netty.handler.codec.http2.DefaultHttp2HeadersFrame;
import io.netty.handler.codec.http2.DefaultHttp2ResetFrame;
import io.netty.handler.codec.http2.Http2DataFrame;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Exception;
import io.netty.handler.codec.http2.Http2Headers;
import io.netty.handler.codec.http2.Http2HeadersFrame;
import io.netty.util.ReferenceCountUtil;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// A stream of an HTTP/2 connection, with one request and its answer. Handles the frames of the
/// stream on the connection's event loop.
final class Http2Exchange extends ChannelInboundHandlerAdapter
    implements ConnectionWatchdog.Watched {
  private static final Logger log = LoggerFactory.getLogger(Http2Exchange.class);

  private final Channel stream;
  private final Http2Connection connection;
  private final ServerContext server;
  private final StreamExchange exchange;
  private String method = "";
  private String path = "";
  private boolean headSeen;

  /// Whether the stream exceeds the connection's limit on streams.
  private boolean refused;

  /// Whether the request is complete or refused: further frames are ignored.
  private boolean complete;

  /// Whether the request was refused before its last frame: the client must not send the rest of
  /// the request.
  private boolean refusedBeforeEnd;

  /// Whether the [ConnectionWatchdog] checks this stream: its request is incomplete, or its answer
  /// is not sent yet.
  private boolean watched;

  /// Start time of the request; after the answer was written, the time of the answer
  /// ([System#nanoTime]).
  private volatile long sinceNanos = System.nanoTime();

  private volatile boolean answered;

  Http2Exchange(Channel stream, Http2Connection connection, ServerContext server) {
    this.stream = stream;
    this.connection = connection;
    this.server = server;
    this.exchange = new StreamExchange(stream, server, connection.memory());
  }

  private final class StreamExchange extends NettyExchange {
    StreamExchange(Channel stream, ServerContext server, ConnectionMemory memory) {
      super(stream, server, memory);
    }

    @Override
    Channel connection() {
      return connection.channel();
    }

    @Override
    public boolean admit(Object principal) {
      boolean admitted = super.admit(principal);
      connection.authenticated();
      return admitted;
    }

    @Override
    void answerAvailable() {
      Response response = releaseAnswer();
      if (response != null) {
        write(response);
      }
    }
  }

  @Override
  public void channelActive(ChannelHandlerContext context) {
    refused = !connection.begun();
    context.fireChannelActive();
  }

  @Override
  public void channelInactive(ChannelHandlerContext context) {
    connection.ended();
    exchange.abandon();
    // The memory of a stream counts until the client has read the answer, and the stream is closed.
    exchange.release();
    unwatch();
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object frame) {
    connection.decoded();
    try {
      if (complete) {
        return;
      }
      if (refused) {
        complete = true;
        reset(Http2Error.REFUSED_STREAM);
      } else if (frame instanceof Http2HeadersFrame head) {
        if (headSeen) {
          refuse(HttpError.TRAILERS);
        } else {
          headSeen = true;
          head(head.headers());
        }
        if (!complete && head.isEndStream()) {
          end();
        }
      } else if (frame instanceof Http2DataFrame data) {
        content(data.content());
        if (!complete && data.isEndStream()) {
          end();
        }
      }
    } finally {
      ReferenceCountUtil.release(frame);
    }
  }

  private void head(Http2Headers fields) {
    if (fields.size() > ServerContext.MAX_HEADER_FIELDS) {
      refuse(HttpError.HEADERS_TOO_LONG);
      return;
    }
    if (fields.method() == null || fields.path() == null || fields.scheme() == null) {
      refuse(HttpError.MALFORMED); // RFC 9113, section 8.3.1.
      return;
    }
    method = fields.method().toString();
    path = fields.path().toString();
    exchange.hold(method.length() + (long) path.length());
    for (Map.Entry<CharSequence, CharSequence> field : fields) {
      String name = field.getKey().toString();
      String value = field.getValue().toString();
      if (value.chars().anyMatch(c -> c < ' ' && c != '\t')) {
        refuse(HttpError.MALFORMED); // RFC 9113, section 8.2.1.
        return;
      }
      if (!name.startsWith(":")) {
        exchange.field(name, value);
      }
    }
    if (fields.authority() != null) {
      String authority = fields.authority().toString();
      if (!exchange.headers().has("host")) {
        exchange.field("host", authority);
      } else if (!exchange.headers().all("host").stream().allMatch(authority::equals)) {
        refuse(HttpError.INVALID_HOST); // RFC 9113, section 8.3.1.
        return;
      }
    }
    if (exchange.headers().only("host").isEmpty()) {
      refuse(HttpError.INVALID_HOST);
    }
  }

  private void content(ByteBuf part) {
    HttpError error = exchange.append(part);
    if (error != null) {
      refuse(error);
    }
  }

  private void end() {
    complete = true;
    unwatch();
    exchange.begin(Request.of(method, path, exchange.headers(), exchange.takeBody()));
  }

  private void refuse(HttpError error) {
    complete = true;
    refusedBeforeEnd = true;
    unwatch();
    exchange.respond(() -> server.handler().refuse(error), 0);
  }

  @Override
  public void channelReadComplete(ChannelHandlerContext context) {
    if (!complete) {
      watch();
    }
    context.flush();
  }

  private void watch() {
    if (!watched) {
      watched = true;
      server.watchdog().begin(this);
    }
  }

  private void unwatch() {
    if (watched) {
      watched = false;
      server.watchdog().end(this);
    }
  }

  private void write(Response response) {
    byte[] body = method.equals("HEAD") ? new byte[0] : response.body();
    HttpProfile profile = server.profile();
    var head =
        new DefaultHttp2Headers(false)
            .status(Integer.toString(response.status()))
            .set(profile.lowercaseRequestIdName(), response.requestId())
            .set(HttpHeaderNames.CONTENT_TYPE, profile.contentType())
            .set(HttpHeaderNames.CONTENT_LENGTH, Integer.toString(body.length))
            .set(HttpHeaderNames.DATE, HttpDate.now());
    if (response.status() == 405) {
      head.set(HttpHeaderNames.ALLOW, profile.allow());
    }
    ChannelFuture sent;
    if (body.length == 0) {
      sent = stream.write(new DefaultHttp2HeadersFrame(head, true));
    } else {
      var _ = stream.write(new DefaultHttp2HeadersFrame(head, false));
      sent = stream.write(new DefaultHttp2DataFrame(Unpooled.wrappedBuffer(body), true));
    }
    if (refusedBeforeEnd) {
      // Stops the client from sending the rest of the request (RFC 9113, section 8.1). A reset
      // before the end of the answer would cancel the answer.
      var _ = sent.addListener(_ -> reset(Http2Error.NO_ERROR));
    }
    stream.flush();
    if (!sent.isDone()) {
      sinceNanos = System.nanoTime();
      answered = true;
      watch();
    }
    connection.answered();
  }

  private void reset(Http2Error error) {
    if (stream.isActive()) {
      var _ = stream.writeAndFlush(new DefaultHttp2ResetFrame(error));
    }
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
    log.atDebug().setCause(cause).log("HTTP/2 stream closed or reset after an error");
    if (!(cause instanceof Http2Exception)) { // For an Http2Exception, the codec resets the stream.
      var _ = context.close();
    }
  }

  @Override
  public void check(long nowNanos) {
    long age = nowNanos - sinceNanos;
    if (answered) {
      if (age > server.limits().request().toNanos()) {
        // The client does not read the answer.
        stream.eventLoop().execute(() -> reset(Http2Error.CANCEL));
      }
    } else if (age > server.limits().request().toNanos()) {
      stream.eventLoop().execute(this::tooLate);
    }
  }

  private void tooLate() {
    if (!complete) {
      refuse(HttpError.TIMEOUT);
    }
  }

  /// Does nothing: [Http2Connection#drain] closes the connection after its open streams have ended.
  @Override
  public void drain() {}
}
