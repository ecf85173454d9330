package dev.hmacd.transport;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler.Sharable;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnknownHostException;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Bounds a listener's connections.
///
/// Those that have not authenticated yet have a small bound of their own, and one makes room: the
/// oldest of the address that has most of them. So whoever opens connections and says nothing
/// cannot fill the daemon's memory, and from one address cannot keep out callers from others.
@Sharable
public final class Connections extends ChannelInboundHandlerAdapter {
  private final int max;
  private final int maxPending;
  private final boolean authenticate;

  /// Connections that have not authenticated, by where they come from, oldest first; none of the
  /// inner maps is empty. The lock is held for a look at them only.
  @GuardedBy("this")
  private final Map<InetAddress, Map<SocketAddress, Channel>> pending = new LinkedHashMap<>();

  @GuardedBy("this")
  private int pendingCount;

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
          pending
              .computeIfAbsent(source(remote), _ -> new LinkedHashMap<>())
              .put(remote, connection);
          pendingCount++;
          if (pendingCount > maxPending) {
            evicted = pollPending(connection);
          }
        }
      }
      if (!accepted || evicted != null) {
        refused++;
      }
    }
    if (evicted != null) {
      cut(evicted);
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
    settle(remote, connection);
  }

  /// The oldest of the address that has most of those that are pending; null when that is the one
  /// for which there is to be room.
  @GuardedBy("this")
  private @Nullable Channel pollPending(Channel newer) {
    if (pending.isEmpty()) {
      return null;
    }
    var most = Collections.max(pending.values(), Comparator.comparingInt(Map::size));
    var eldest = most.entrySet().iterator().next();
    if (eldest.getValue().equals(newer)) {
      return null;
    }
    settle(eldest.getKey(), eldest.getValue());
    return eldest.getValue();
  }

  /// Notes that a connection's other end is known from now on.
  public synchronized void authenticated(@Nullable SocketAddress remote) {
    if (remote != null) {
      settle(remote, null);
    }
  }

  /// It is not pending any more, if it was.
  ///
  /// @param connection which one, where a newer one may have the same address; else null
  @GuardedBy("this")
  private void settle(SocketAddress remote, @Nullable Channel connection) {
    InetAddress source = source(remote);
    Map<SocketAddress, Channel> same = pending.get(source);
    if (same == null) {
      return;
    }
    boolean was =
        connection == null ? same.remove(remote) != null : same.remove(remote, connection);
    if (was) {
      pendingCount--;
    }
    if (same.isEmpty()) {
      pending.remove(source);
    }
  }

  /// The address of whoever is there: with IPv6 it is a network of 64 bits that one party has.
  private static InetAddress source(SocketAddress remote) {
    InetAddress address =
        remote instanceof InetSocketAddress inet
            ? inet.getAddress()
            : InetAddress.getLoopbackAddress();
    byte[] bytes = address.getAddress();
    if (bytes.length == 4 || bytes[0] == 0) { // The latter is an IPv4 address in IPv6's form.
      return address;
    }
    Arrays.fill(bytes, 8, 16, (byte) 0);
    try {
      return InetAddress.getByAddress(bytes);
    } catch (UnknownHostException e) {
      throw new IllegalStateException(e); // Only of a length that is neither 4 nor 16.
    }
  }

  /// Closes a connection that has not authenticated, to make room for what is newer: the oldest of
  /// the address that has most of them.
  ///
  /// @param newer never closed
  /// @return whether there was one
  public boolean evictOldestPending(Channel newer) {
    Channel evicted;
    synchronized (this) {
      evicted = pollPending(newer);
      if (evicted == null) {
        return false;
      }
      refused++;
    }
    cut(evicted);
    return true;
  }

  /// Ends a connection at once: asked to close, the codecs of HTTP/2 would wait for streams.
  public static void cut(Channel connection) {
    var first = connection.pipeline().firstContext();
    var _ = first == null ? connection.close() : first.close();
  }

  public synchronized int open() {
    return open;
  }

  /// Connections that were closed because there were too many.
  public synchronized long refused() {
    return refused;
  }
}
