package dev.hmacd.rpc;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.grpc.Attributes;
import io.grpc.Grpc;
import io.grpc.ServerTransportFilter;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler.Sharable;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import java.net.SocketAddress;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Bounds a listener's connections, and tells who is at their other ends.
///
/// Those that have not authenticated yet have a small bound of their own, and the oldest of them
/// makes room: whoever opens connections and says nothing can neither fill the daemon's memory nor
/// keep out callers with a certificate, who need a few milliseconds.
@Sharable
final class Connections extends ChannelInboundHandlerAdapter {
  private final int max;
  private final int maxPending;
  private final @Nullable Tls tls;

  /// Open connections, oldest first; the value says whether it is pending. The lock is held for a
  /// map operation only.
  @GuardedBy("this")
  private final Map<SocketAddress, Channel> pending = new LinkedHashMap<>();

  @GuardedBy("this")
  private int open;

  @GuardedBy("this")
  private long refused;

  /// @param max open connections
  /// @param maxPending how many of them may be in their handshake
  /// @param tls what the listener authenticates with; null on the Unix socket
  Connections(int max, int maxPending, @Nullable Tls tls) {
    this.max = max;
    this.maxPending = maxPending;
    this.tls = tls;
  }

  /// On the listening channel: each message is a new connection.
  @Override
  public void channelRead(ChannelHandlerContext context, Object message) {
    Channel connection = (Channel) message;
    SocketAddress remote = connection.remoteAddress();
    Channel evicted = null;
    boolean accepted;
    synchronized (this) {
      accepted = open < max;
      if (accepted) {
        open++;
        // On the Unix socket there is no handshake, and addresses are not unique.
        if (tls != null) {
          pending.put(remote, connection);
          if (pending.size() > maxPending) {
            var eldest = pending.entrySet().iterator();
            evicted = eldest.next().getValue();
            eldest.remove();
          }
        }
      }
      if (!accepted || evicted != null) {
        refused++;
      }
    }
    if (evicted != null) {
      var _ = evicted.close();
    }
    if (!accepted) {
      connection.unsafe().closeForcibly();
      return;
    }
    var _ = connection.closeFuture().addListener(_ -> closed(remote, connection));
    context.fireChannelRead(message);
  }

  private synchronized void closed(SocketAddress remote, Channel connection) {
    open--;
    pending.remove(remote, connection);
  }

  private synchronized void ready(@Nullable SocketAddress remote) {
    pending.remove(remote);
  }

  synchronized int open() {
    return open;
  }

  synchronized long refused() {
    return refused;
  }

  /// What the server tells of each connection that has authenticated.
  ServerTransportFilter filter() {
    return new ServerTransportFilter() {
      @Override
      public Attributes transportReady(Attributes attributes) {
        ready(attributes.get(Grpc.TRANSPORT_ATTR_REMOTE_ADDR));
        return tls == null
            ? attributes // The Unix socket's negotiator has told who it is.
            : attributes.toBuilder().set(Peer.KEY, Peer.ofCertificate(attributes, tls)).build();
      }
    };
  }
}
