package dev.hmacd.transport;

import dev.hmacd.config.HostPort;
import dev.hmacd.log.LogRateLimiter;
import io.netty.channel.Channel;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandler.Sharable;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelPromise;
import io.netty.handler.ssl.SslHandler;
import java.io.IOException;
import java.net.SocketAddress;
import java.time.Duration;
import java.util.EnumMap;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Monitor of the TLS handshakes of an edge: counts failed handshakes by reason, and logs them at a
/// limited rate. Thread-safe.
///
/// The monitor is a handler of the listening channel, after [Connections]. The monitor observes
/// each accepted connection until the end of the handshake. Three kinds of connections are not
/// counted: connections that the peer closes before its first byte, because load balancers test a
/// port in this way; connections that the daemon closes at once because of a limit, which have
/// their own metrics; and connections in the handshake at a stop of the daemon.
@Sharable
public final class HandshakeMonitor extends ChannelInboundHandlerAdapter {
  private static final Logger log = LoggerFactory.getLogger(HandshakeMonitor.class);

  private final String edge;
  private final long timeoutNanos;
  private final @Nullable String protocol;
  private final Map<HandshakeFailure, Failures> failures = new EnumMap<>(HandshakeFailure.class);

  /// The failed handshakes of one reason.
  private static final class Failures {
    private final LongAdder count = new LongAdder();
    private final LogRateLimiter lines = new LogRateLimiter();
  }

  /// Creates a monitor of an edge that does not need ALPN.
  ///
  /// @param edge the edge's section of the configuration
  /// @param timeout timeout of a handshake
  public HandshakeMonitor(String edge, Duration timeout) {
    this(edge, timeout, null);
  }

  /// @param protocol the protocol that a client must select by ALPN; null for an edge that does not
  ///   need ALPN
  public HandshakeMonitor(String edge, Duration timeout, @Nullable String protocol) {
    this.edge = edge;
    this.timeoutNanos = timeout.toNanos();
    this.protocol = protocol;
    for (HandshakeFailure reason : HandshakeFailure.values()) {
      failures.put(reason, new Failures());
    }
  }

  /// The edge's section of the configuration.
  public String edge() {
    return edge;
  }

  private Failures failures(HandshakeFailure reason) {
    return Objects.requireNonNull(failures.get(reason)); // The constructor has put every reason.
  }

  /// Number of failed handshakes with this reason.
  public long count(HandshakeFailure reason) {
    return failures(reason).count.sum();
  }

  /// Counts a failed handshake, and logs it if the rate limit permits.
  public void failed(HandshakeFailure reason, @Nullable SocketAddress remoteAddress) {
    Failures same = failures(reason);
    same.count.increment();
    long times = same.lines.happened();
    if (times > 0) {
      log.atWarn()
          .addKeyValue("edge", edge)
          .addKeyValue("reason", reason.label())
          .addKeyValue("remote_address", HostPort.text(remoteAddress))
          .addKeyValue("times", times)
          .log("TLS handshakes failed");
    }
  }

  /// Called on the listening channel, where each message is a new connection.
  @Override
  public void channelRead(ChannelHandlerContext context, Object message) {
    // TLS comes after this handler in the pipeline of the connection.
    ((Channel) message).pipeline().addLast(new Handshake());
    context.fireChannelRead(message);
  }

  private boolean lacksProtocol(SslHandler tls) {
    return protocol != null && !protocol.equals(tls.applicationProtocol());
  }

  /// Observer of the handshake of one connection. All methods run on the connection's event loop.
  private final class Handshake extends ChannelDuplexHandler {
    private final long startNanos = System.nanoTime();

    /// Whether the peer has sent a byte.
    private boolean begun;

    /// Whether the connection has failed, for example because the peer has reset it.
    private boolean broken;

    /// Whether the daemon has closed the connection.
    private boolean closed;

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
      begun = true;
      context.fireChannelRead(message);
    }

    /// Ends the observation if the handshake has succeeded.
    @Override
    public void channelReadComplete(ChannelHandlerContext context) {
      context.fireChannelReadComplete();
      SslHandler tls = context.pipeline().get(SslHandler.class);
      if (tls != null && tls.handshakeFuture().isSuccess() && !context.isRemoved()) {
        if (lacksProtocol(tls)) {
          failed(HandshakeFailure.PROTOCOL_OR_CIPHER, context.channel().remoteAddress());
        }
        context.pipeline().remove(this);
      }
    }

    @Override
    public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
      broken |= cause instanceof IOException;
      context.fireExceptionCaught(cause);
    }

    @Override
    public void close(ChannelHandlerContext context, ChannelPromise promise) {
      closed = true;
      var _ = context.close(promise);
    }

    @Override
    public void channelInactive(ChannelHandlerContext context) {
      HandshakeFailure reason = failure(context);
      if (reason != null) {
        failed(reason, context.channel().remoteAddress());
      }
      context.fireChannelInactive();
    }

    /// The reason of the failure of a closed connection; null if the handshake has succeeded, or if
    /// the connection is not counted.
    private @Nullable HandshakeFailure failure(ChannelHandlerContext context) {
      Channel channel = context.channel();
      SslHandler tls = context.pipeline().get(SslHandler.class);
      if (tls == null) {
        return null; // Closed before the handshake.
      }
      if (tls.handshakeFuture().isSuccess()) {
        return lacksProtocol(tls) ? HandshakeFailure.PROTOCOL_OR_CIPHER : null;
      }
      if (System.nanoTime() - startNanos >= timeoutNanos || ConnectionMeter.of(channel).isLate()) {
        return HandshakeFailure.TIMEOUT;
      }
      Throwable cause = tls.handshakeFuture().cause();
      if (cause != null) {
        return HandshakeFailure.of(cause);
      }
      boolean closedByDaemon =
          (closed && !broken) // At a failure, the edge closes the connection, too.
              || Connections.isClosedByDaemon(channel)
              || channel.eventLoop().isShuttingDown();
      return begun && !closedByDaemon ? HandshakeFailure.CLOSED_BY_PEER : null;
    }
  }
}
