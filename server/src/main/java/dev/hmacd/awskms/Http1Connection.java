package dev.hmacd.awskms;

import dev.hmacd.transport.ConnectionMeter;
import dev.hmacd.transport.Reading;
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

/// An HTTP/1.1 connection with pipelining: several requests may be in flight, and are answered in
/// their order. All methods run on its event loop, except [#look] and [#drain].
final class Http1Connection extends ChannelInboundHandlerAdapter implements Watch.Watched {
  /// Duration of the lingering close ([Closing]), so that the client gets the last answer and not a
  /// reset.
  private static final long LINGER_MILLIS = 1000;

  /// Wait at a stop for requests that are already in the network, before an idle connection is
  /// closed.
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
  private final Holdings holdings;
  private final ConnectionMeter meter;
  private final ArrayDeque<Pending> waiting = new ArrayDeque<>();

  /// The partially received request.
  private @Nullable Pending incoming;

  /// Bytes of an unfinished head, counted in [#holdings].
  private long headBytes;

  private boolean draining;

  /// Whether all further input is ignored.
  private boolean deaf;

  private boolean reading;

  /// Start of the partially received request; 0 if there is none.
  private volatile long comingSinceNanos;

  /// Time of the last answer; 0 while an answer is pending.
  private volatile long idleSinceNanos;

  Http1Connection(Channel channel, Http1Decoder decoder, Intake intake) {
    this.channel = channel;
    this.decoder = decoder;
    this.intake = intake;
    this.holdings = new Holdings(channel, intake);
    this.meter = ConnectionMeter.of(channel);
    this.idleSinceNanos = now();
  }

  /// A request, from its head to its answer.
  private final class Pending extends ChannelExchange {
    private String method = "";
    private String target = "";
    private boolean last;
    private @Nullable Response response;

    Pending() {
      super(channel, intake, holdings);
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
  }

  private static long now() {
    long now = System.nanoTime();
    return now == 0 ? 1 : now;
  }

  @Override
  public void handlerAdded(ChannelHandlerContext context) {
    intake.watch().begin(this);
    meter.edge(holdings, decoder);
    var _ =
        channel
            .closeFuture()
            .addListener(
                _ -> {
                  intake.watch().end(this);
                });
  }

  @Override
  public void channelInactive(ChannelHandlerContext context) {
    deaf = true;
    if (incoming != null) {
      incoming.abandon();
      incoming.release();
      incoming = null;
    }
    abandonWaiting();
  }

  private void abandonWaiting() {
    waiting.forEach(
        pending -> {
          pending.abandon();
          pending.release();
        });
    waiting.clear();
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object message) {
    reading = true;
    meter.decoded();
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
    pending.method = request.method().name();
    if (request.decoderResult().isFailure()) {
      refuse(error(request.decoderResult().cause()));
      return;
    }
    if (!request.protocolVersion().equals(HttpVersion.HTTP_1_1)) {
      refuse(HttpErrors.VERSION);
      return;
    }
    pending.target = request.uri();
    pending.hold(pending.method.length() + (long) pending.target.length());
    // After another method than POST the connection is closed: clients of AWS KMS send only POST.
    pending.last = !HttpUtil.isKeepAlive(request) || !pending.method.equals("POST");
    for (var fields = request.headers().iteratorCharSequence(); fields.hasNext(); ) {
      Map.Entry<CharSequence, CharSequence> field = fields.next();
      pending.field(
          AsciiString.of(field.getKey()).toLowerCase().toString(), field.getValue().toString());
    }
    if (pending.headers().only("host").isEmpty()) {
      refuse(HttpErrors.BAD_HOST);
      return;
    }
    if (pending.headers().has("transfer-encoding") && !isChunked(pending.headers())) {
      refuse(HttpErrors.MALFORMED);
      return;
    }
    if (HttpUtil.getContentLength(request, 0L) > intake.limits().maxBodyBytes()) {
      refuse(HttpErrors.BODY_TOO_LONG);
      return;
    }
    if (pending.headers().has("expect")) {
      expect(pending.headers());
    }
  }

  /// Whether `chunked` is the only transfer coding. The decoder ignores other codings before it,
  /// and other parsers might not.
  private static boolean isChunked(Headers headers) {
    return headers.only("transfer-encoding").map("chunked"::equalsIgnoreCase).orElse(false);
  }

  private void expect(Headers headers) {
    if (!headers.only("expect").map("100-continue"::equalsIgnoreCase).orElse(false)) {
      refuse(HttpErrors.EXPECTATION);
    } else if (waiting.isEmpty()) {
      // Otherwise it would precede earlier answers. A client continues without it after a timeout.
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
      boolean trailer = content.decoderResult().cause() instanceof Http1Decoder.TrailerException;
      refuse(trailer ? HttpErrors.TRAILERS : HttpErrors.MALFORMED);
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
      int before = pending.body().heapBytes();
      pending.body().append(part);
      pending.hold(pending.body().heapBytes() - before);
    }
    if (content instanceof LastHttpContent) {
      whole(pending);
    }
  }

  private void whole(Pending pending) {
    incoming = null;
    comingSinceNanos = 0;
    idleSinceNanos = 0;
    waiting.add(pending);
    if (pending.last) {
      deaf = true; // The client must not send more.
    }
    pending.begin(
        Request.of(pending.method, pending.target, pending.headers(), pending.takeBody()));
  }

  private static AwsError error(Throwable cause) {
    if (cause instanceof TooLongHttpLineException) {
      return HttpErrors.TARGET_TOO_LONG;
    }
    return cause instanceof TooLongHttpHeaderException
        ? HttpErrors.HEADERS_TOO_LONG
        : HttpErrors.MALFORMED;
  }

  /// Refuses the partially received request, after the answers to all earlier ones, and ignores
  /// further input.
  private void refuse(AwsError error) {
    Pending pending = incoming == null ? new Pending() : incoming;
    incoming = null;
    comingSinceNanos = 0;
    idleSinceNanos = 0;
    deaf = true;
    waiting.add(pending);
    pending.respond(() -> Response.of(error, true));
  }

  @Override
  public void channelReadComplete(ChannelHandlerContext context) {
    reading = false;
    holdings.add(decoder.headBytes() - headBytes);
    headBytes = decoder.headBytes();
    if (!deaf && (incoming != null || decoder.isMidRequest())) {
      if (comingSinceNanos == 0) {
        comingSinceNanos = now();
      }
    }
    context.flush();
    readOnWhileThereIsRoom();
  }

  /// Pauses reading while the connection has too many requests in flight.
  private void readOnWhileThereIsRoom() {
    meter
        .reading()
        .pause(Reading.Reason.FULL, waiting.size() >= intake.limits().maxRequestsPerConnection());
  }

  /// Sends the answers that are complete, in the order of their requests.
  private void sendReady() {
    boolean sent = false;
    for (Pending next = waiting.peek(); next != null; next = waiting.peek()) {
      Response response = next.response;
      if (response == null) {
        break;
      }
      waiting.remove();
      next.release(); // From now on the answer counts as outbound bytes of the channel.
      boolean drained = draining && waiting.isEmpty() && !isMidRequest();
      // An unauthenticated connection gets one answer.
      boolean last = response.last() || next.last || drained || !holdings.isAuthenticated();
      write(response, next.method.equals("HEAD") ? NO_BODY : response.body(), last);
      sent = true;
      if (last) {
        // Later requests of the connection get no answer.
        abandonWaiting();
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
    meter.reading().pause(Reading.Reason.FULL, false);
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
    log.atDebug().setCause(cause).log("Connection failed");
    var _ = context.close();
  }

  @Override
  public void look(long nowNanos) {
    long coming = comingSinceNanos;
    long idle = idleSinceNanos;
    boolean slow = coming != 0 && nowNanos - coming > intake.limits().request().toNanos();
    long idleLimit = intake.limits().idle().toNanos();
    boolean silent = idle != 0 && nowNanos - idle > idleLimit;
    if (slow || silent) {
      channel.eventLoop().execute(() -> tooLate(coming, idle));
    }
  }

  private void tooLate(long coming, long idle) {
    if (coming != 0 && coming == comingSinceNanos && !channel.config().isAutoRead()) {
      comingSinceNanos = now(); // This daemon has paused the reading.
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
    // A request may be in the network already: the client sent it before the stop.
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
