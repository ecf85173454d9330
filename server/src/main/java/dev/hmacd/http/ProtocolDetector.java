package dev.hmacd.http;

import dev.hmacd.transport.TlsContext;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelPipeline;
import io.netty.handler.codec.ByteToMessageDecoder;
import io.netty.handler.codec.http.HttpResponseEncoder;
import io.netty.handler.ssl.ApplicationProtocolNames;
import io.netty.handler.ssl.ApplicationProtocolNegotiationHandler;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Protocol detection of a new connection: HTTP/2 or HTTP/1.1, by ALPN with TLS, and by the first
/// bytes without TLS.
final class ProtocolDetector extends ChannelInitializer<Channel> {
  private static final Logger log = LoggerFactory.getLogger(ProtocolDetector.class);

  private final ServerContext server;
  private final @Nullable TlsContext tls;

  ProtocolDetector(ServerContext server, @Nullable TlsContext tls) {
    this.server = server;
    this.tls = tls;
  }

  @Override
  protected void initChannel(Channel channel) {
    ChannelPipeline pipeline = channel.pipeline();
    if (tls == null) {
      pipeline.addLast(new FirstBytes(channel, server));
      return;
    }
    pipeline.addLast(tls.newHandler(channel.alloc(), server.limits().handshake()));
    pipeline.addLast(
        new ApplicationProtocolNegotiationHandler(ApplicationProtocolNames.HTTP_1_1) {
          @Override
          protected void configurePipeline(ChannelHandlerContext context, String protocol) {
            if (protocol.equals(ApplicationProtocolNames.HTTP_2)) {
              Http2Connection.configure(context.pipeline(), server);
            } else {
              http1(context.pipeline(), server);
            }
          }

          @Override
          protected void handshakeFailure(ChannelHandlerContext context, Throwable cause) {
            log.atDebug().setCause(cause).log("HTTP connection closed: TLS handshake failed");
            var _ = context.close();
          }

          @Override
          public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
            handshakeFailure(context, cause);
          }
        });
  }

  /// Adds the HTTP/1.1 handlers to a connection.
  static void http1(ChannelPipeline pipeline, ServerContext server) {
    var decoder = new Http1Decoder(server.limits().maxHeaderBytes());
    pipeline.addLast(decoder);
    pipeline.addLast(new HttpResponseEncoder());
    pipeline.addLast(new Http1Connection(pipeline.channel(), decoder, server));
  }

  /// Distinguishes the HTTP/2 preface (RFC 9113, section 3.4) from an HTTP/1.1 request line.
  private static final class FirstBytes extends ByteToMessageDecoder
      implements ConnectionWatchdog.Watched {
    /// Start of the HTTP/2 preface. No method of HTTP/1.1 starts with these bytes.
    private static final byte[] PREFACE = {'P', 'R', 'I', ' '};

    private final Channel channel;
    private final ServerContext server;

    /// Start time of the connection; later, the arrival time of its first byte ([System#nanoTime]).
    private volatile long sinceNanos = System.nanoTime();

    private volatile boolean begun;

    /// Whether the protocol of the connection is known. Used on the event loop.
    private boolean known;

    FirstBytes(Channel channel, ServerContext server) {
      this.channel = channel;
      this.server = server;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext context) {
      server.watchdog().begin(this);
    }

    @Override
    protected void handlerRemoved0(ChannelHandlerContext context) {
      known = true;
      server.watchdog().end(this);
    }

    @Override
    protected void decode(ChannelHandlerContext context, ByteBuf buffer, List<Object> out) {
      if (!begun) {
        sinceNanos = System.nanoTime();
        begun = true;
      }
      int start = buffer.readerIndex();
      for (int i = 0; i < PREFACE.length; i++) {
        if (i == buffer.readableBytes()) {
          return;
        }
        if (buffer.getByte(start + i) != PREFACE[i]) {
          http1(context.pipeline(), server);
          context.pipeline().remove(this);
          return;
        }
      }
      Http2Connection.configure(context.pipeline(), server);
      context.pipeline().remove(this);
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      log.atDebug()
          .setCause(cause)
          .log("HTTP connection closed after an error, before its protocol was detected");
      var _ = context.close();
    }

    @Override
    public void check(long nowNanos) {
      Duration limit = begun ? server.limits().request() : server.limits().idle();
      if (nowNanos - sinceNanos > limit.toNanos()) {
        // Runs on the event loop after pending reads: a client is not late if the daemon has not
        // yet read its input.
        channel.eventLoop().execute(this::tooLate);
      }
    }

    private void tooLate() {
      if (!known) {
        var _ = channel.close();
      }
    }

    @Override
    public void drain() {
      var _ = channel.close();
    }
  }
}
