package dev.hmacd.awskms;

import dev.hmacd.access.Principal;
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

/// A stream of an HTTP/2 connection, with one request and its answer. Runs on the connection's
/// event loop.
final class Http2Exchange extends ChannelInboundHandlerAdapter implements Watch.Watched {
  private static final AsciiString REQUEST_ID = AsciiString.of("x-amzn-requestid");
  private static final Logger log = LoggerFactory.getLogger(Http2Exchange.class);

  private final Channel stream;
  private final Http2Connection connection;
  private final Intake intake;
  private final Way way;
  private String method = "";
  private String path = "";
  private boolean headSeen;

  /// Beyond the connection's limit on streams.
  private boolean refused;

  /// Whether the request is complete or refused: further frames are ignored.
  private boolean whole;

  /// Whether the [Watch] checks this stream: its request is incomplete, or its answer is not sent
  /// yet.
  private boolean watched;

  /// Start of the request; later, the time of its answer.
  private volatile long sinceNanos = System.nanoTime();

  private volatile boolean answered;

  Http2Exchange(Channel stream, Http2Connection connection, Intake intake) {
    this.stream = stream;
    this.connection = connection;
    this.intake = intake;
    this.way = new Way(stream, intake, connection.holdings());
  }

  private final class Way extends ChannelExchange {
    Way(Channel stream, Intake intake, Holdings holdings) {
      super(stream, intake, holdings);
    }

    @Override
    Channel connection() {
      return connection.channel();
    }

    @Override
    public boolean admit(Principal principal) {
      boolean admitted = super.admit(principal);
      connection.authenticated();
      return admitted;
    }

    @Override
    void send(Response response) {
      write(response);
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
    way.abandon();
    way.release(); // A stream counts until it is closed, after the client has read its answer.
    unwatch();
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object frame) {
    connection.decoded();
    try {
      if (whole) {
        return;
      }
      if (refused) {
        whole = true;
        reset(Http2Error.REFUSED_STREAM);
      } else if (frame instanceof Http2HeadersFrame head) {
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
    way.hold(method.length() + (long) path.length());
    for (Map.Entry<CharSequence, CharSequence> field : fields) {
      String name = field.getKey().toString();
      String value = field.getValue().toString();
      if (value.chars().anyMatch(c -> c < ' ' && c != '\t')) {
        refuse(HttpErrors.MALFORMED); // RFC 9113, section 8.2.1.
        return;
      }
      if (!name.startsWith(":")) {
        way.field(name, value);
      }
    }
    if (fields.authority() != null) {
      String authority = fields.authority().toString();
      if (!way.headers().has("host")) {
        way.field("host", authority);
      } else if (!way.headers().all("host").stream().allMatch(authority::equals)) {
        refuse(HttpErrors.BAD_HOST); // RFC 9113, section 8.3.1.
        return;
      }
    }
    if (way.headers().only("host").isEmpty()) {
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
      int before = way.body().heapBytes();
      way.body().append(part);
      way.hold(way.body().heapBytes() - before);
    }
  }

  private void end() {
    whole = true;
    unwatch();
    way.begin(Request.of(method, path, way.headers(), way.takeBody()));
  }

  private void refuse(AwsError error) {
    whole = true;
    unwatch();
    way.respond(() -> Response.of(error, true));
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
      // Stops the client from sending the rest of the request (RFC 9113, section 8.1). An earlier
      // reset would cancel the answer.
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
    log.atDebug().setCause(cause).log("Stream failed");
    if (!(cause instanceof Http2Exception)) { // Otherwise the codec resets the stream.
      var _ = context.close();
    }
  }

  @Override
  public void look(long nowNanos) {
    long age = nowNanos - sinceNanos;
    if (answered) {
      if (age > intake.limits().request().toNanos()) {
        stream.eventLoop().execute(() -> reset(Http2Error.CANCEL)); // The client does not read.
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

  /// Does nothing: the close of the connection waits for its streams.
  @Override
  public void drain() {}
}
