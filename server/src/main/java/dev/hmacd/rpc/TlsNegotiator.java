package dev.hmacd.rpc;

import dev.hmacd.transport.TlsContext;
import io.grpc.Attributes;
import io.grpc.Grpc;
import io.grpc.netty.GrpcHttp2ConnectionHandler;
import io.grpc.netty.InternalProtocolNegotiationEvent;
import io.grpc.netty.InternalProtocolNegotiator;
import io.grpc.netty.InternalProtocolNegotiators;
import io.grpc.netty.ProtocolNegotiationEvent;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.ssl.ApplicationProtocolNames;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SslHandshakeCompletionEvent;
import io.netty.util.AsciiString;
import java.time.Duration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The protocol negotiator of the TCP listener: a TLS handshake, in which client and daemon must
/// agree on HTTP/2 by ALPN. gRPC's own negotiator ends each handshake after 10 seconds, even if
/// `handshake_timeout` is longer. gRPC has no public API for negotiators; [UnixSocketNegotiator]
/// uses the same internal API.
final class TlsNegotiator implements InternalProtocolNegotiator.ProtocolNegotiator {
  private static final Logger log = LoggerFactory.getLogger(TlsNegotiator.class);

  /// The transport attribute with the connection. The addresses do not identify a connection: a
  /// client can use a port again before the daemon knows that its earlier connection was reset.
  static final Attributes.Key<Channel> CONNECTION = Attributes.Key.create("hmacd-connection");

  private static final AsciiString SCHEME = AsciiString.of("https");

  private final TlsContext tls;
  private final Duration timeout;

  /// @param timeout timeout of the TLS handshake
  TlsNegotiator(TlsContext tls, Duration timeout) {
    this.tls = tls;
    this.timeout = timeout;
  }

  @Override
  public AsciiString scheme() {
    return SCHEME;
  }

  @Override
  public ChannelHandler newHandler(GrpcHttp2ConnectionHandler grpc) {
    return InternalProtocolNegotiators.waitUntilActiveHandler(
        new HandshakeHandler(InternalProtocolNegotiators.grpcNegotiationHandler(grpc)),
        grpc.getNegotiationLogger());
  }

  @Override
  public void close() {}

  /// Delays gRPC's negotiation event until the TLS handshake has succeeded, and adds the TLS
  /// session and the connection to the event. Without the event, gRPC reads no request.
  private final class HandshakeHandler extends ChannelInboundHandlerAdapter {
    private final ChannelHandler next;

    /// The event that gRPC has sent before the handshake.
    private ProtocolNegotiationEvent negotiation = InternalProtocolNegotiationEvent.getDefault();

    HandshakeHandler(ChannelHandler next) {
      this.next = next;
    }

    @Override
    public void handlerAdded(ChannelHandlerContext context) {
      SslHandler handler = tls.newHandler(context.alloc(), timeout);
      context.pipeline().addBefore(context.name(), null, handler);
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext context, Object event) {
      if (event instanceof ProtocolNegotiationEvent started) {
        negotiation = started;
      } else if (event instanceof SslHandshakeCompletionEvent handshake) {
        handshakeCompleted(context, handshake);
      } else {
        context.fireUserEventTriggered(event);
      }
    }

    private void handshakeCompleted(
        ChannelHandlerContext context, SslHandshakeCompletionEvent handshake) {
      if (!handshake.isSuccess()) {
        log.atDebug()
            .setCause(handshake.cause())
            .log("gRPC connection closed: TLS handshake failed");
        var _ = context.close();
        return;
      }
      SslHandler handler = context.pipeline().get(SslHandler.class);
      if (!ApplicationProtocolNames.HTTP_2.equals(handler.applicationProtocol())) {
        log.atDebug().log("gRPC connection closed: the client did not offer h2 by ALPN");
        var _ = context.close();
        return;
      }
      Attributes attributes =
          InternalProtocolNegotiationEvent.getAttributes(negotiation).toBuilder()
              .set(Grpc.TRANSPORT_ATTR_SSL_SESSION, handler.engine().getSession())
              .set(CONNECTION, context.channel())
              .build();
      context.pipeline().replace(context.name(), null, next);
      context.fireUserEventTriggered(
          InternalProtocolNegotiationEvent.withAttributes(negotiation, attributes));
    }
  }
}
