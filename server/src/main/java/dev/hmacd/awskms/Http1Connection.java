package dev.hmacd.awskms;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.DefaultHttpHeadersFactory;
import io.netty.handler.codec.http.HttpContent;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaderValues;
import io.netty.handler.codec.http.HttpHeadersFactory;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.handler.codec.http.TooLongHttpHeaderException;
import io.netty.handler.codec.http.TooLongHttpLineException;
import io.netty.util.AsciiString;
import io.netty.util.ReferenceCountUtil;
import java.util.ArrayDeque;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// An HTTP/1.1 connection: requests come one after the other, may be under way at once, and are
/// answered in their order. All on its event loop.
final class Http1Connection extends ChannelInboundHandlerAdapter implements Watch.Watched {
  /// How long a connection that is to be closed is read on, so that its other end sees the last
  /// answer and not a reset.
  private static final long LINGER_MILLIS = 1000;

  /// How long a stop looks whether a request is already on its way on an idle connection.
  private static final long LAST_LOOK_MILLIS = 100;

  private static final HttpHeadersFactory HEADERS =
      DefaultHttpHeadersFactory.headersFactory().withValidation(false);
  private static final AsciiString CONTENT_TYPE = AsciiString.of(Response.CONTENT_TYPE);
  private static final AsciiString REQUEST_ID = AsciiString.of("x-amzn-RequestId");
  private static final AsciiString POST = AsciiString.of("POST");

  private static final byte[] NO_BODY = {};

  private static final Logger log = LoggerFactory.getLogger(Http1Connection.class);

  private final Channel channel;
  private final Http1Decoder decoder;
  private final Intake intake;
  private final ArrayDeque<Pending> waiting = new ArrayDeque<>();

  /// The request that is coming in.
  private @Nullable Pending incoming;

  private boolean authenticated;
  private boolean draining;

  /// Nothing that comes in matters any more.
  private boolean deaf;

  private boolean reading;

  /// When the request that is coming in began; 0 while there is none.
  private volatile long comingSinceNanos;

  /// When the last request ended; 0 while there are some.
  private volatile long idleSinceNanos;

  /// Since when the other end has not read what it was sent; 0 while it does.
  private volatile long unreadSinceNanos;

  Http1Connection(Channel channel, Http1Decoder decoder, Intake intake) {
    this.channel = channel;
    this.decoder = decoder;
    this.intake = intake;
    this.idleSinceNanos = now();
  }

  /// A request, from its head to its answer.
  private final class Pending extends ChannelExchange {
    private final Headers headers = new Headers();
    private String method = "";
    private String target = "";
    private boolean last;
    private @Nullable Response response;

    Pending() {
      super(channel, intake);
    }

    @Override
    void send(Response answer) {
      response = answer;
      sendReady();
    }

    @Override
    Channel connection() {
      return channel;
    }

    @Override
    public void authenticated() {
      if (!authenticated) {
        authenticated = true;
        intake.connections().authenticated(channel.remoteAddress());
      }
    }
  }

  private static long now() {
    long now = System.nanoTime();
    return now == 0 ? 1 : now;
  }

  @Override
  public void handlerAdded(ChannelHandlerContext context) {
    intake.watch().begin(this);
    var _ = channel.closeFuture().addListener(_ -> intake.watch().end(this));
  }

  @Override
  public void channelInactive(ChannelHandlerContext context) {
    deaf = true;
    if (incoming != null) {
      incoming.abandon();
      incoming = null;
    }
    waiting.forEach(ChannelExchange::abandon);
    waiting.clear();
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object message) {
    reading = true;
    try {
      if (!deaf && channel.isActive() && message instanceof HttpRequest request) {
        head(request);
      }
      if (!deaf && channel.isActive() && message instanceof HttpContent content) {
        content(content);
      }
    } finally {
      ReferenceCountUtil.release(message);
    }
  }

  private void head(HttpRequest request) {
    var pending = new Pending();
    incoming = pending;
    if (request.decoderResult().isFailure()) {
      refuse(error(request.decoderResult().cause()));
      return;
    }
    if (!request.protocolVersion().equals(HttpVersion.HTTP_1_1)) {
      refuse(HttpErrors.VERSION);
      return;
    }
    pending.method = request.method().name();
    pending.target = request.uri();
    // A refusal of HEAD has no body, and who asks for it is no client of ours.
    pending.last = !HttpUtil.isKeepAlive(request) || !pending.method.equals("POST");
    if (request.headers().size() > Intake.MAX_HEADER_FIELDS) {
      refuse(HttpErrors.HEADERS_TOO_LONG);
      return;
    }
    for (var fields = request.headers().iteratorCharSequence(); fields.hasNext(); ) {
      Map.Entry<CharSequence, CharSequence> field = fields.next();
      pending.headers.add(
          AsciiString.of(field.getKey()).toLowerCase().toString(), field.getValue().toString());
    }
    if (pending.headers.only("host").isEmpty()) {
      refuse(HttpErrors.BAD_HOST);
      return;
    }
    if (pending.headers.has("transfer-encoding") && !isChunked(pending.headers)) {
      refuse(HttpErrors.MALFORMED);
      return;
    }
    if (HttpUtil.getContentLength(request, 0L) > intake.limits().maxBodyBytes()) {
      refuse(HttpErrors.BODY_TOO_LONG);
      return;
    }
    if (pending.headers.has("expect")) {
      expect(pending.headers);
    }
  }

  /// The decoder passes over what comes before `chunked`, and others might not.
  private static boolean isChunked(Headers headers) {
    return headers.only("transfer-encoding").map("chunked"::equalsIgnoreCase).orElse(false);
  }

  private void expect(Headers headers) {
    if (!headers.only("expect").map("100-continue"::equalsIgnoreCase).orElse(false)) {
      refuse(HttpErrors.EXPECTATION);
    } else if (waiting.isEmpty()) {
      // Else it would come before earlier answers; a client goes on by itself after a while.
      var _ =
          channel.writeAndFlush(
              new DefaultFullHttpResponse(
                  HttpVersion.HTTP_1_1, HttpResponseStatus.CONTINUE, Unpooled.EMPTY_BUFFER));
    }
  }

  private void content(HttpContent content) {
    Pending pending = incoming;
    if (pending == null) {
      return;
    }
    if (content.decoderResult().isFailure()) {
      refuse(HttpErrors.MALFORMED);
      return;
    }
    ByteBuf part = content.content();
    if (part.isReadable()) {
      if (pending.body().length() + part.readableBytes() > intake.limits().maxBodyBytes()) {
        refuse(HttpErrors.BODY_TOO_LONG);
        return;
      }
      if (!pending.hasRoomFor(part.readableBytes())) {
        refuse(HttpErrors.NO_ROOM);
        return;
      }
      pending.body().append(part);
    }
    if (content instanceof LastHttpContent end) {
      if (hasTrailers(pending, end)) {
        refuse(HttpErrors.TRAILERS);
        return;
      }
      whole(pending);
    }
  }

  /// The decoder drops some fields after chunks, but tells by its object that there were any.
  @SuppressWarnings("ReferenceEquality") // It is the object that tells.
  private static boolean hasTrailers(Pending pending, LastHttpContent end) {
    return !end.trailingHeaders().isEmpty()
        || (pending.headers.has("transfer-encoding") && end != LastHttpContent.EMPTY_LAST_CONTENT);
  }

  private void whole(Pending pending) {
    incoming = null;
    comingSinceNanos = 0;
    idleSinceNanos = 0;
    waiting.add(pending);
    if (pending.last) {
      deaf = true; // What comes after it was not to be sent.
    }
    pending.begin(
        Request.of(pending.method, pending.target, pending.headers, pending.body().toByteArray()));
  }

  private static AwsError error(Throwable cause) {
    if (cause instanceof TooLongHttpLineException) {
      return HttpErrors.TARGET_TOO_LONG;
    }
    return cause instanceof TooLongHttpHeaderException
        ? HttpErrors.HEADERS_TOO_LONG
        : HttpErrors.MALFORMED;
  }

  /// Answers what is coming in, after all that came before, and listens no more.
  private void refuse(AwsError error) {
    Pending pending = incoming == null ? new Pending() : incoming;
    incoming = null;
    comingSinceNanos = 0;
    idleSinceNanos = 0;
    deaf = true;
    waiting.add(pending);
    pending.respond(Response.of(error, true));
  }

  @Override
  public void channelReadComplete(ChannelHandlerContext context) {
    reading = false;
    if (!deaf && (incoming != null || decoder.isMidRequest())) {
      if (comingSinceNanos == 0) {
        comingSinceNanos = now();
      }
    }
    context.flush();
    readOnWhileThereIsRoom();
  }

  @Override
  public void channelWritabilityChanged(ChannelHandlerContext context) {
    unreadSinceNanos = channel.isWritable() ? 0 : now();
    readOnWhileThereIsRoom();
    context.fireChannelWritabilityChanged();
  }

  /// A client that sends faster than it reads, or than is answered, has to wait.
  private void readOnWhileThereIsRoom() {
    boolean room =
        waiting.size() < intake.limits().maxRequestsPerConnection() && channel.isWritable();
    if (channel.config().isAutoRead() != room) {
      channel.config().setAutoRead(room);
    }
  }

  /// Sends the answers that are next.
  private void sendReady() {
    boolean sent = false;
    for (Pending next = waiting.peek(); next != null; next = waiting.peek()) {
      Response response = next.response;
      if (response == null) {
        break;
      }
      waiting.remove();
      boolean drained = draining && waiting.isEmpty() && !isMidRequest();
      // Who has not shown who they are gets one answer.
      boolean last = response.last() || next.last || drained || !authenticated;
      write(response, next.method.equals("HEAD") ? NO_BODY : response.body(), last);
      sent = true;
      if (last) {
        // What was taken after it is not answered any more.
        waiting.forEach(ChannelExchange::abandon);
        waiting.clear();
        return;
      }
    }
    if (sent) {
      if (waiting.isEmpty()) {
        idleSinceNanos = now();
      }
      if (!reading) {
        channel.flush();
        readOnWhileThereIsRoom();
      }
    }
  }

  private void write(Response response, byte[] body, boolean last) {
    var answer =
        new DefaultFullHttpResponse(
            HttpVersion.HTTP_1_1,
            HttpResponseStatus.valueOf(response.status()),
            Unpooled.wrappedBuffer(body),
            HEADERS,
            HEADERS);
    answer
        .headers()
        .set(REQUEST_ID, response.requestId())
        .set(HttpHeaderNames.CONTENT_TYPE, CONTENT_TYPE)
        .set(HttpHeaderNames.CONTENT_LENGTH, Integer.toString(body.length))
        .set(HttpHeaderNames.DATE, HttpDate.now());
    if (response.status() == HttpResponseStatus.METHOD_NOT_ALLOWED.code()) {
      answer.headers().set(HttpHeaderNames.ALLOW, POST);
    }
    if (!last) {
      var _ = channel.write(answer);
      return;
    }
    answer.headers().set(HttpHeaderNames.CONNECTION, HttpHeaderValues.CLOSE);
    deaf = true;
    comingSinceNanos = 0;
    idleSinceNanos = 0;
    var _ =
        channel.writeAndFlush(answer).addListener(_ -> Closing.lingering(channel, LINGER_MILLIS));
    channel.config().setAutoRead(true);
  }

  private boolean isMidRequest() {
    return !deaf && (incoming != null || decoder.isMidRequest());
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
    if (cause.getCause() instanceof Http1Decoder.MalformedException) {
      if (!deaf) {
        refuse(HttpErrors.MALFORMED);
        context.flush();
      }
      return;
    }
    log.atDebug().setCause(cause).log("A connection broke");
    var _ = context.close();
  }

  @Override
  public void look(long nowNanos) {
    long coming = comingSinceNanos;
    long idle = idleSinceNanos;
    boolean slow = coming != 0 && nowNanos - coming > intake.limits().request().toNanos();
    long idleLimit = intake.limits().idle().toNanos();
    boolean silent = idle != 0 && nowNanos - idle > idleLimit;
    long unread = unreadSinceNanos;
    if (unread != 0 && nowNanos - unread > idleLimit) {
      var _ = channel.close();
    } else if (slow || silent) {
      channel.eventLoop().execute(() -> tooLate(coming, idle));
    }
  }

  private void tooLate(long coming, long idle) {
    if (coming != 0 && coming == comingSinceNanos && !channel.config().isAutoRead()) {
      comingSinceNanos = now(); // It is here that the rest of it waits.
    } else if (coming != 0 && coming == comingSinceNanos) {
      refuse(HttpErrors.TIMEOUT);
      channel.flush();
    } else if (coming == 0 && idle != 0 && idle == idleSinceNanos && comingSinceNanos == 0) {
      var _ = channel.close();
    }
  }

  @Override
  public void drain() {
    channel.eventLoop().execute(this::beginDrain);
  }

  private void beginDrain() {
    draining = true;
    // A request may be on its way already; it was sent to a daemon that served.
    var _ =
        channel
            .eventLoop()
            .schedule(
                () -> {
                  if (waiting.isEmpty() && !isMidRequest()) {
                    var _ = channel.close();
                  }
                },
                LAST_LOOK_MILLIS,
                TimeUnit.MILLISECONDS);
  }
}
