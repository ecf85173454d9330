package dev.hmacd.http;

import dev.hmacd.transport.Backpressure;
import dev.hmacd.transport.ConnectionMeter;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.HttpContent;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.util.ReferenceCountUtil;
import java.util.ArrayDeque;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// An HTTP/1.1 connection with pipelining: several requests may be in flight. Answers are sent in
/// the order of the requests. All methods run on the connection's event loop, except [#check] and
/// [#drain].
final class Http1Connection extends ChannelInboundHandlerAdapter
    implements ConnectionWatchdog.Watched {
  /// Duration of the lingering close ([LingeringClose]), so that the client gets the last answer
  /// and not a reset.
  private static final long LINGER_MILLIS = 1000;

  /// Time between the start of a drain and the close of an idle connection. A request may still be
  /// in the network.
  private static final long LAST_REQUEST_MILLIS = 100;

  private static final Logger log = LoggerFactory.getLogger(Http1Connection.class);

  private final Channel channel;
  private final Http1Decoder decoder;
  private final ServerContext server;
  private final ConnectionMemory memory;
  private final ConnectionMeter meter;
  private final ArrayDeque<Http1Exchange> waiting = new ArrayDeque<>();

  /// The partially received request; null if there is none.
  private @Nullable Http1Exchange incoming;

  /// Heap of a partially received request head, in bytes, as counted in [#memory].
  private long headBytes;

  private boolean draining;

  /// Whether all further input is ignored.
  private boolean ignoresInput;

  private boolean reading;

  /// Start time of the partially received request ([System#nanoTime]); 0 if there is none.
  private volatile long comingSinceNanos;

  /// Time of the last answer, or of the connection's start ([System#nanoTime]); 0 while an answer
  /// is pending.
  private volatile long idleSinceNanos;

  Http1Connection(Channel channel, Http1Decoder decoder, ServerContext server) {
    this.channel = channel;
    this.decoder = decoder;
    this.server = server;
    this.memory = new ConnectionMemory(channel, server);
    this.meter = ConnectionMeter.of(channel);
    this.idleSinceNanos = now();
  }

  Channel channel() {
    return channel;
  }

  private static long now() {
    long now = System.nanoTime();
    return now == 0 ? 1 : now;
  }

  @Override
  public void handlerAdded(ChannelHandlerContext context) {
    server.watchdog().begin(this);
    meter.edge(memory, decoder);
    var _ =
        channel
            .closeFuture()
            .addListener(
                _ -> {
                  server.watchdog().end(this);
                });
  }

  @Override
  public void channelInactive(ChannelHandlerContext context) {
    ignoresInput = true;
    if (incoming != null) {
      incoming.abandon();
      incoming.release();
      incoming = null;
    }
    abandonWaiting();
  }

  private void abandonWaiting() {
    waiting.forEach(
        exchange -> {
          exchange.abandon();
          exchange.release();
        });
    waiting.clear();
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object message) {
    reading = true;
    meter.decoded();
    try {
      if (!ignoresInput && channel.isActive() && message instanceof HttpRequest request) {
        head(request);
      }
      if (!ignoresInput && channel.isActive() && message instanceof HttpContent content) {
        content(content);
      }
    } finally {
      ReferenceCountUtil.release(message);
    }
  }

  private void head(HttpRequest request) {
    var exchange = new Http1Exchange(this, server, memory);
    incoming = exchange;
    HttpError error = exchange.readHead(request);
    if (error != null) {
      refuse(error);
    } else if (exchange.expectsContinue() && waiting.isEmpty()) {
      // Only if no request waits: `100 Continue` must not precede answers to earlier requests. A
      // client sends the body without `100 Continue` after a timeout.
      var _ =
          channel.writeAndFlush(
              new DefaultFullHttpResponse(
                  HttpVersion.HTTP_1_1, HttpResponseStatus.CONTINUE, Unpooled.EMPTY_BUFFER));
    }
  }

  private void content(HttpContent content) {
    Http1Exchange exchange = incoming;
    if (exchange == null) {
      return;
    }
    HttpError error = exchange.readContent(content);
    if (error != null) {
      refuse(error);
    } else if (content instanceof LastHttpContent) {
      complete(exchange);
    }
  }

  private void complete(Http1Exchange exchange) {
    enqueue(exchange);
    if (exchange.isLast()) {
      ignoresInput = true; // The connection is closed after this answer.
    }
    exchange.begin();
  }

  /// Refuses the partially received request, after the answers to all earlier requests, and ignores
  /// further input.
  private void refuse(HttpError error) {
    Http1Exchange exchange = incoming == null ? new Http1Exchange(this, server, memory) : incoming;
    ignoresInput = true;
    enqueue(exchange);
    exchange.refuse(error);
  }

  /// Adds a complete or refused request to the requests that wait for their answers.
  private void enqueue(Http1Exchange exchange) {
    incoming = null;
    comingSinceNanos = 0;
    idleSinceNanos = 0;
    waiting.add(exchange);
  }

  @Override
  public void channelReadComplete(ChannelHandlerContext context) {
    reading = false;
    memory.add(decoder.headBytes() - headBytes);
    headBytes = decoder.headBytes();
    if (!ignoresInput && (incoming != null || decoder.isMidRequest())) {
      if (comingSinceNanos == 0) {
        comingSinceNanos = now();
      }
    }
    context.flush();
    pauseReadingIfFull();
  }

  /// Pauses reading while the connection has too many requests in flight.
  private void pauseReadingIfFull() {
    meter
        .backpressure()
        .pause(
            Backpressure.Reason.MAX_IN_FLIGHT,
            waiting.size() >= server.limits().maxRequestsPerConnection());
  }

  /// Releases and sends the available answers, in the order of their requests. An answer that waits
  /// for an earlier answer is not released yet.
  void sendReady() {
    boolean sent = false;
    for (Http1Exchange next = waiting.peek(); next != null; next = waiting.peek()) {
      Response response = next.releaseAnswer();
      if (response == null) {
        break;
      }
      waiting.remove();
      next.release(); // From now on, the answer counts as outbound bytes.
      boolean drained = draining && waiting.isEmpty() && !isMidRequest();
      // An unauthenticated connection gets one answer.
      boolean last = next.isLast() || drained || !memory.isAuthenticated();
      write(next.encode(response, last), last);
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
        pauseReadingIfFull();
      }
    }
  }

  private void write(DefaultFullHttpResponse answer, boolean last) {
    if (!last) {
      var _ = channel.write(answer);
      return;
    }
    ignoresInput = true;
    comingSinceNanos = 0;
    idleSinceNanos = 0;
    var _ =
        channel
            .writeAndFlush(answer)
            .addListener(_ -> LingeringClose.lingering(channel, LINGER_MILLIS));
    meter.backpressure().pause(Backpressure.Reason.MAX_IN_FLIGHT, false);
  }

  private boolean isMidRequest() {
    return !ignoresInput && (incoming != null || decoder.isMidRequest());
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
    if (cause.getCause() instanceof Http1Decoder.MalformedException) {
      if (!ignoresInput) {
        refuse(HttpError.MALFORMED);
        context.flush();
      }
      return;
    }
    log.atDebug().setCause(cause).log("HTTP/1.1 connection closed after an error");
    var _ = context.close();
  }

  @Override
  public void check(long nowNanos) {
    long coming = comingSinceNanos;
    long idle = idleSinceNanos;
    boolean slow = coming != 0 && nowNanos - coming > server.limits().request().toNanos();
    long idleLimit = server.limits().idle().toNanos();
    boolean silent = idle != 0 && nowNanos - idle > idleLimit;
    if (slow || silent) {
      channel.eventLoop().execute(() -> tooLate(coming, idle));
    }
  }

  private void tooLate(long coming, long idle) {
    if (coming != 0 && coming == comingSinceNanos && !channel.config().isAutoRead()) {
      comingSinceNanos = now(); // The client is not late: reading is paused.
    } else if (coming != 0 && coming == comingSinceNanos) {
      refuse(HttpError.TIMEOUT);
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
    // The network may still have a request that the client sent before the stop.
    var _ =
        channel
            .eventLoop()
            .schedule(
                () -> {
                  if (waiting.isEmpty() && !isMidRequest()) {
                    var _ = channel.close();
                  }
                },
                LAST_REQUEST_MILLIS,
                TimeUnit.MILLISECONDS);
  }
}
