package dev.hmacd.awskms;

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
import io.netty.util.AsciiString;
import io.netty.util.ReferenceCountUtil;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// A stream of an HTTP/2 connection, which is a request and its answer. On the connection's event
/// loop.
final class Http2Exchange extends ChannelInboundHandlerAdapter implements Watch.Watched {
  private static final AsciiString REQUEST_ID = AsciiString.of("x-amzn-requestid");
  private static final Logger log = LoggerFactory.getLogger(Http2Exchange.class);

  private final Channel stream;
  private final Http2Connection connection;
  private final Intake intake;
  private final Headers headers = new Headers();
  private final Way way;
  private String method = "";
  private String path = "";
  private boolean headSeen;

  /// The request came whole, or is refused: what comes now does not matter.
  private boolean whole;

  /// Whether [#intake]'s watch looks at this stream, because its request is slow, or because its
  /// answer is not read.
  private boolean watched;

  /// When the request began, and then when it was answered.
  private volatile long sinceNanos = System.nanoTime();

  private volatile boolean answered;

  Http2Exchange(Channel stream, Http2Connection connection, Intake intake) {
    this.stream = stream;
    this.connection = connection;
    this.intake = intake;
    this.way = new Way(stream, intake);
  }

  private final class Way extends ChannelExchange {
    Way(Channel stream, Intake intake) {
      super(stream, intake);
    }

    @Override
    Channel connection() {
      return connection.channel();
    }

    @Override
    public void authenticated() {
      connection.authenticated();
    }

    @Override
    void send(Response response) {
      write(response);
    }
  }

  @Override
  public void channelActive(ChannelHandlerContext context) {
    connection.begun();
    context.fireChannelActive();
  }

  @Override
  public void channelInactive(ChannelHandlerContext context) {
    connection.ended();
    way.abandon();
    unwatch();
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object frame) {
    try {
      if (whole) {
        return;
      }
      if (frame instanceof Http2HeadersFrame head) {
        if (headSeen) {
          refuse(HttpErrors.TRAILERS);
        } else {
          headSeen = true;
          head(head.headers());
        }
        if (!whole && head.isEndStream()) {
          end();
        }
      } else if (frame instanceof Http2DataFrame data) {
        content(data.content());
        if (!whole && data.isEndStream()) {
          end();
        }
      }
    } finally {
      ReferenceCountUtil.release(frame);
    }
  }

  private void head(Http2Headers fields) {
    if (fields.size() > Intake.MAX_HEADER_FIELDS) {
      refuse(HttpErrors.HEADERS_TOO_LONG);
      return;
    }
    if (fields.method() == null || fields.path() == null || fields.scheme() == null) {
      refuse(HttpErrors.MALFORMED); // RFC 9113, section 8.3.1.
      return;
    }
    method = fields.method().toString();
    path = fields.path().toString();
    for (Map.Entry<CharSequence, CharSequence> field : fields) {
      String name = field.getKey().toString();
      String value = field.getValue().toString();
      if (value.chars().anyMatch(c -> c < ' ' && c != '\t')) {
        refuse(HttpErrors.MALFORMED); // RFC 9113, section 8.2.1.
        return;
      }
      if (!name.startsWith(":")) {
        headers.add(name, value);
      }
    }
    if (fields.authority() != null) {
      String authority = fields.authority().toString();
      if (!headers.has("host")) {
        headers.add("host", authority);
      } else if (!headers.all("host").stream().allMatch(authority::equals)) {
        refuse(HttpErrors.BAD_HOST); // RFC 9113, section 8.3.1.
        return;
      }
    }
    if (headers.only("host").isEmpty()) {
      refuse(HttpErrors.BAD_HOST);
    }
  }

  private void content(ByteBuf part) {
    if (!part.isReadable()) {
      return;
    }
    if (way.body().length() + part.readableBytes() > intake.limits().maxBodyBytes()) {
      refuse(HttpErrors.BODY_TOO_LONG);
    } else if (!way.hasRoomFor(part.readableBytes())) {
      refuse(HttpErrors.NO_ROOM);
    } else {
      way.body().append(part);
    }
  }

  private void end() {
    whole = true;
    unwatch();
    way.begin(Request.of(method, path, headers, way.body().toByteArray()));
  }

  private void refuse(AwsError error) {
    whole = true;
    unwatch();
    way.respond(Response.of(error, true));
  }

  @Override
  public void channelReadComplete(ChannelHandlerContext context) {
    if (!whole) {
      watch();
    }
    context.flush();
  }

  private void watch() {
    if (!watched) {
      watched = true;
      intake.watch().begin(this);
    }
  }

  private void unwatch() {
    if (watched) {
      watched = false;
      intake.watch().end(this);
    }
  }

  private void write(Response response) {
    byte[] body = method.equals("HEAD") ? new byte[0] : response.body();
    var head =
        new DefaultHttp2Headers(false)
            .status(Integer.toString(response.status()))
            .set(REQUEST_ID, response.requestId())
            .set(HttpHeaderNames.CONTENT_TYPE, Response.CONTENT_TYPE)
            .set(HttpHeaderNames.CONTENT_LENGTH, Integer.toString(body.length))
            .set(HttpHeaderNames.DATE, HttpDate.now());
    if (response.status() == 405) {
      head.set(HttpHeaderNames.ALLOW, "POST");
    }
    ChannelFuture sent;
    if (body.length == 0) {
      sent = stream.write(new DefaultHttp2HeadersFrame(head, true));
    } else {
      var _ = stream.write(new DefaultHttp2HeadersFrame(head, false));
      sent = stream.write(new DefaultHttp2DataFrame(Unpooled.wrappedBuffer(body), true));
    }
    if (response.last()) {
      // The rest of the request is not wanted (RFC 9113, section 8.1). Before the answer has been
      // sent this would take it back.
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
    log.atDebug().setCause(cause).log("A stream broke");
    if (!(cause instanceof Http2Exception)) { // Else the codec ends it, and tells the error.
      var _ = context.close();
    }
  }

  @Override
  public void look(long nowNanos) {
    long age = nowNanos - sinceNanos;
    if (answered) {
      if (age > intake.limits().request().toNanos()) {
        stream.eventLoop().execute(() -> reset(Http2Error.CANCEL)); // There is no window for it.
      }
    } else if (age > intake.limits().request().toNanos()) {
      stream.eventLoop().execute(this::tooLate);
    }
  }

  private void tooLate() {
    if (!whole) {
      refuse(HttpErrors.TIMEOUT);
    }
  }

  /// The connection's end waits for it.
  @Override
  public void drain() {}
}
