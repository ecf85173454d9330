package dev.hmacd.transport;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler.Sharable;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import java.net.SocketAddress;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SequencedMap;
import org.jspecify.annotations.Nullable;

/// Bounds a listener's connections.
///
/// Those that have not authenticated yet have a small bound of their own, and the oldest of them
/// makes room: whoever opens connections and says nothing can neither fill the daemon's memory nor
/// keep out callers who can authenticate, which takes a few milliseconds.
@Sharable
public final class Connections extends ChannelInboundHandlerAdapter {
  private final int max;
  private final int maxPending;
  private final boolean authenticate;

  /// Connections that have not authenticated, oldest first. The lock is held for a map operation
  /// only.
  @GuardedBy("this")
  private final SequencedMap<SocketAddress, Channel> pending = new LinkedHashMap<>();

  @GuardedBy("this")
  private int open;

  @GuardedBy("this")
  private long refused;

  /// @param max open connections
  /// @param maxPending how many of them may not have authenticated yet
  /// @param authenticate whether they have to: on the Unix socket there is no handshake, and
  ///   addresses are not unique
  public Connections(int max, int maxPending, boolean authenticate) {
    this.max = max;
    this.maxPending = maxPending;
    this.authenticate = authenticate;
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
        if (authenticate) {
          pending.put(remote, connection);
          if (pending.size() > maxPending) {
            evicted = pollOldestPending();
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

  @GuardedBy("this")
  private @Nullable Channel pollOldestPending() {
    Map.Entry<SocketAddress, Channel> eldest = pending.pollFirstEntry();
    return eldest == null ? null : eldest.getValue();
  }

  /// Notes that a connection's other end is known from now on.
  public synchronized void authenticated(@Nullable SocketAddress remote) {
    pending.remove(remote);
  }

  /// Closes the oldest connection that has not authenticated, to make room for what is newer.
  ///
  /// @param newer nothing is closed when this is the oldest itself
  /// @return whether there was one
  public boolean evictOldestPending(Channel newer) {
    Channel evicted;
    synchronized (this) {
      Map.Entry<SocketAddress, Channel> eldest = pending.firstEntry();
      if (eldest == null || eldest.getValue().equals(newer)) {
        return false;
      }
      evicted = eldest.getValue();
      pending.remove(eldest.getKey());
      refused++;
    }
    var _ = evicted.close();
    return true;
  }

  public synchronized int open() {
    return open;
  }

  /// Connections that were closed because there were too many.
  public synchronized long refused() {
    return refused;
  }
}
