package dev.hmacd.awskms;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http2.DefaultHttp2DataFrame;
import io.netty.handler.codec.http2.DefaultHttp2Headers;
import io.netty.handler.codec.http2.DefaultHttp2HeadersFrame;
import io.netty.handler.codec.http2.DefaultHttp2ResetFrame;
import io.netty.handler.codec.http2.Http2DataFrame;
import io.netty.handler.codec.http2.Http2Error;
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
  private final Way way = new Way();
  private String method = "";
  private String path = "";
  private boolean headSeen;

  /// The request came whole, or is refused: what comes now does not matter.
  private boolean whole;

  /// Whether [#intake]'s watch looks at this stream, because its request is slow.
  private boolean watched;

  private final long sinceNanos = System.nanoTime();

  Http2Exchange(Channel stream, Http2Connection connection, Intake intake) {
    this.stream = stream;
    this.connection = connection;
    this.intake = intake;
  }

  private final class Way extends ChannelExchange {
    Way() {
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
    method = text(fields.method());
    path = text(fields.path());
    for (Map.Entry<CharSequence, CharSequence> field : fields) {
      String name = field.getKey().toString();
      if (!name.startsWith(":")) {
        headers.add(name, field.getValue().toString());
      }
    }
    if (fields.authority() != null) {
      String authority = text(fields.authority());
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

  private static String text(CharSequence value) {
    return value == null ? "" : value.toString();
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
    if (!whole && !watched) {
      watched = true;
      intake.watch().begin(this);
    }
    context.flush();
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
    if (body.length == 0) {
      var _ = stream.write(new DefaultHttp2HeadersFrame(head, true));
    } else {
      var _ = stream.write(new DefaultHttp2HeadersFrame(head, false));
      var _ = stream.write(new DefaultHttp2DataFrame(Unpooled.wrappedBuffer(body), true));
    }
    if (response.last()) {
      // The rest of the request is not wanted (RFC 9113, section 8.1).
      var _ = stream.write(new DefaultHttp2ResetFrame(Http2Error.NO_ERROR));
    }
    stream.flush();
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
    log.atDebug().setCause(cause).log("A stream broke");
    var _ = context.close();
  }

  @Override
  public void look(long nowNanos) {
    if (nowNanos - sinceNanos > intake.limits().request().toNanos()) {
      stream
          .eventLoop()
          .execute(
              () -> {
                if (!whole) {
                  refuse(HttpErrors.TIMEOUT);
                }
              });
    }
  }

  /// The connection's end waits for it.
  @Override
  public void drain() {}
}
