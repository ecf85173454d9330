package dev.hmacd.rpc;

import dev.hmacd.authn.UnixPeer;
import io.grpc.Attributes;
import io.grpc.netty.GrpcHttp2ConnectionHandler;
import io.grpc.netty.InternalProtocolNegotiationEvent;
import io.grpc.netty.InternalProtocolNegotiator;
import io.grpc.netty.InternalProtocolNegotiators;
import io.grpc.netty.ProtocolNegotiationEvent;
import io.netty.channel.ChannelHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.util.AsciiString;
import java.io.IOException;

/// The protocol negotiator of the Unix socket. Reads the peer's uid from the kernel (SO_PEERCRED),
/// and sets a [UnixPeer] as the credentials of the connection. A Unix socket has no TLS handshake.
/// gRPC has no public API for negotiators; the ALTS and xDS code of gRPC uses the same internal
/// API.
final class UnixSocketNegotiator implements InternalProtocolNegotiator.ProtocolNegotiator {
  private static final AsciiString SCHEME = AsciiString.of("http");

  @Override
  public AsciiString scheme() {
    return SCHEME;
  }

  @Override
  public ChannelHandler newHandler(GrpcHttp2ConnectionHandler grpc) {
    return InternalProtocolNegotiators.waitUntilActiveHandler(
        new PeerCredentialsHandler(InternalProtocolNegotiators.grpcNegotiationHandler(grpc)),
        grpc.getNegotiationLogger());
  }

  @Override
  public void close() {}

  private static final class PeerCredentialsHandler extends ChannelInboundHandlerAdapter {
    private final ChannelHandler next;

    PeerCredentialsHandler(ChannelHandler next) {
      this.next = next;
    }

    @Override
    public void userEventTriggered(ChannelHandlerContext context, Object event) throws IOException {
      if (event instanceof ProtocolNegotiationEvent negotiation) {
        int uid = ((EpollDomainSocketChannel) context.channel()).peerCredentials().uid();
        Attributes attributes =
            InternalProtocolNegotiationEvent.getAttributes(negotiation).toBuilder()
                .set(TransportCredentials.KEY, new UnixPeer(uid))
                .build();
        context.pipeline().replace(context.name(), null, next);
        context.fireUserEventTriggered(
            InternalProtocolNegotiationEvent.withAttributes(negotiation, attributes));
      } else {
        context.fireUserEventTriggered(event);
      }
    }
  }
}
