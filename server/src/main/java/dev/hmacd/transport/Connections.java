package dev.hmacd.transport;

import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.hmacd.config.HostPort;
import dev.hmacd.log.LogRateLimiter;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandler.Sharable;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ServerChannelRecvByteBufAllocator;
import io.netty.util.AttributeKey;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.time.Duration;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.SequencedSet;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.spi.LoggingEventBuilder;

/// Connection limits of a listener. Each accepted connection gets a [ConnectionMeter].
///
/// A connection is pending until it has authenticated. Pending connections have a separate limit.
/// Above this limit, the oldest connection of the address with the most pending connections is
/// evicted. The limit on pending connections protects the memory from silent connections, and each
/// address from the connections of other addresses. The permits of authenticated connections are
/// shared between principals ([FairLimit]).
///
/// The event loop of an evicted connection closes the connection, with a delay if that event loop
/// is busy. Before its close, an evicted connection uses a file descriptor, but does not count
/// against the limits. If evicted connections are still open, and all open connections reach the
/// sum of both limits, the listener stops accepting until a connection is closed.
@Sharable
public final class Connections extends ChannelInboundHandlerAdapter {
  /// Maximum number of connections that a listener accepts in one pass of its event loop.
  private static final int MAX_ACCEPTS = 64;

  /// Set on a connection that the daemon closed at once.
  private static final AttributeKey<Boolean> CLOSED_BY_DAEMON =
      AttributeKey.valueOf(Connections.class, "closedByDaemon");

  private static final Logger log = LoggerFactory.getLogger(Connections.class);

  private final Settings settings;
  private final MemoryBudget budget;
  private final Function<Channel, @Nullable Object> identify;
  private final FairLimit<Channel> shares;
  private final AtomicLong refused = new AtomicLong();
  private final LogRateLimiter refusals = new LogRateLimiter();
  private final LogRateLimiter pendingRefusals = new LogRateLimiter();

  /// Unauthenticated connections by source address, oldest first. An address without connections
  /// has no entry. No connection is closed under the lock of this map.
  @GuardedBy("this")
  private final Map<InetAddress, SequencedSet<Channel>> pending = new LinkedHashMap<>();

  @GuardedBy("this")
  private int pendingCount;

  /// Number of connections that are not closed yet, including evicted connections.
  @GuardedBy("this")
  private int open;

  /// The listening channel while it accepts no connections; null while it accepts.
  @GuardedBy("this")
  private @Nullable Channel paused;

  /// Limits of a listener's connections.
  ///
  /// @param max maximum number of authenticated connections
  /// @param maxPending maximum number of unauthenticated connections, in addition to `max`
  /// @param idleBytes memory of an idle connection
  /// @param timeout transfer timeout for unfinished frames and unread answers
  public record Settings(int max, int maxPending, long idleBytes, Duration timeout) {}

  /// Creates the limits of a listener whose connections are pending until they authenticate.
  public Connections(Settings settings, MemoryBudget budget) {
    this(settings, budget, _ -> null);
  }

  /// @param identify returns the principal of a new connection if the kernel knows it, as on a Unix
  ///   socket; null if the connection has to authenticate
  public Connections(
      Settings settings, MemoryBudget budget, Function<Channel, @Nullable Object> identify) {
    this.settings = settings;
    this.budget = budget;
    this.identify = identify;
    this.shares =
        new FairLimit<>(
            settings.max(),
            (owner, connection) -> {
              countRefused(connection, owner);
              closeAtOnce(connection);
            });
  }

  /// Counts and logs a connection that is closed because all permits are taken.
  private void countRefused(Channel connection, Object principal) {
    refused.incrementAndGet();
    long times = refusals.happened();
    if (times > 0) {
      logRefused(connection, principal, times).log("Connections closed: max_connections reached");
    }
  }

  /// Evicts a pending connection, because too many connections are pending.
  private void evictPending(Channel connection) {
    refused.incrementAndGet();
    long times = pendingRefusals.happened();
    if (times > 0) {
      logRefused(connection, source(connection), times)
          .log("Connections closed: maximum of unauthenticated connections reached");
    }
    closeAtOnce(connection);
  }

  private static LoggingEventBuilder logRefused(Channel connection, Object owner, long times) {
    return log.atWarn()
        .addKeyValue("local_address", HostPort.text(connection.localAddress()))
        .addKeyValue("owner", HostPort.source(owner))
        .addKeyValue("times", times);
  }

  /// Called on the listening channel: raises the number of connections that it accepts in one pass
  /// of its event loop. By default, Netty accepts only one connection in each pass, and callers
  /// would wait behind a flood of connections.
  @Override
  public void handlerAdded(ChannelHandlerContext context) {
    context
        .channel()
        .config()
        .setRecvByteBufAllocator(
            new ServerChannelRecvByteBufAllocator()
                .respectMaybeMoreData(false)
                .maxMessagesPerRead(MAX_ACCEPTS));
  }

  /// Called when the listening channel is bound. From now on it accepts connections.
  @Override
  public void channelActive(ChannelHandlerContext context) {
    AcceptFailureLog.addTo(context.pipeline());
    context.fireChannelActive();
  }

  /// Called on the listening channel, where each message is a new connection.
  @Override
  public void channelRead(ChannelHandlerContext context, Object message) {
    Channel connection = (Channel) message;
    Object principal = identify.apply(connection);
    if (principal != null && !shares.enter(principal, connection)) {
      countRefused(connection, principal);
      connection.unsafe().closeForcibly();
      return;
    }
    Object owner = principal == null ? source(connection) : principal;
    var account = budget.open(connection, owner, settings.idleBytes());
    var meter =
        new ConnectionMeter(
            connection, account, owner, settings.idleBytes(), settings.timeout().toNanos());
    connection.pipeline().addFirst(meter, meter.input());
    if (principal == null) {
      addPending(connection);
    } else {
      meter.authenticated(principal);
    }
    opened(context.channel());
    var _ = connection.closeFuture().addListener(_ -> closed(connection, meter));
    context.fireChannelRead(message);
  }

  private synchronized void opened(Channel listening) {
    open++;
    if (open >= settings.max() + settings.maxPending() && open > shares.taken() + pendingCount) {
      paused = listening;
      // Called under the lock, so that a resume follows the pause. `setAutoRead` runs no callback.
      listening.config().setAutoRead(false);
    }
  }

  private void addPending(Channel connection) {
    Channel evicted = null;
    synchronized (this) {
      if (pending.computeIfAbsent(source(connection), _ -> new LinkedHashSet<>()).add(connection)) {
        pendingCount++;
      }
      if (pendingCount > settings.maxPending()) {
        evicted = pollPending(connection);
      }
    }
    if (evicted != null) {
      evictPending(evicted);
    }
  }

  private void closed(Channel connection, ConnectionMeter meter) {
    meter.account().close(); // Also for a connection that was never registered.
    Object principal = meter.principal();
    if (principal != null) {
      boolean _ = shares.leave(principal, connection);
    }
    Channel listening;
    synchronized (this) {
      open--;
      removePending(connection);
      listening = paused;
      paused = null;
    }
    if (listening != null && listening.isOpen()) {
      listening.config().setAutoRead(true);
    }
  }

  /// Records the principal of a pending connection. Must be called on the connection's event loop.
  ///
  /// @param credentialsBytes heap of the connection's credentials, in bytes, in addition to the
  ///   memory of an idle connection
  /// @return false if the connection is no longer pending, or was closed at once because it got no
  ///   permit
  public boolean authenticated(Channel connection, Object principal, long credentialsBytes) {
    synchronized (this) {
      Set<Channel> same = pending.get(source(connection));
      if (same == null || !same.contains(connection)) {
        return false;
      }
    }
    ConnectionMeter.of(connection).credentials(credentialsBytes);
    return authenticated(connection, principal);
  }

  /// Records a connection's principal, which may differ from the previous one. Must be called on
  /// the connection's event loop.
  ///
  /// @return false if the connection is closed, or was closed at once because it got no permit
  public boolean authenticated(Channel connection, Object principal) {
    if (!connection.isOpen()) {
      return false;
    }
    ConnectionMeter meter = ConnectionMeter.of(connection);
    Object before = meter.principal();
    if (principal.equals(before)) {
      return true;
    }
    if (before == null) {
      synchronized (this) {
        removePending(connection);
      }
    } else {
      boolean _ = shares.leave(before, connection);
    }
    if (!shares.enter(principal, connection)) {
      countRefused(connection, principal);
      closeAtOnce(connection);
      return false;
    }
    meter.authenticated(principal);
    return true;
  }

  /// Removes and returns the oldest pending connection of the address with the most pending
  /// connections. Returns null if this connection is `newer`, or if no connection is pending.
  @GuardedBy("this")
  private @Nullable Channel pollPending(Channel newer) {
    if (pending.isEmpty()) {
      return null;
    }
    Channel eldest =
        Collections.max(pending.values(), Comparator.comparingInt(Set::size)).getFirst();
    if (eldest.equals(newer)) {
      return null;
    }
    removePending(eldest);
    return eldest;
  }

  /// Removes a connection from the pending connections, if the connection is pending.
  @GuardedBy("this")
  private void removePending(Channel connection) {
    InetAddress source = source(connection);
    Set<Channel> same = pending.get(source);
    if (same == null) {
      return;
    }
    if (same.remove(connection)) {
      pendingCount--;
    }
    if (same.isEmpty()) {
      pending.remove(source);
    }
  }

  /// The peer's IPv4 address, or the 64-bit prefix of its IPv6 address. Usually, one party has a
  /// whole IPv6 prefix.
  private static InetAddress source(Channel connection) {
    InetAddress address =
        connection.remoteAddress() instanceof InetSocketAddress inet
            ? inet.getAddress()
            : InetAddress.getLoopbackAddress();
    byte[] bytes = address.getAddress();
    if (bytes.length == 4 || bytes[0] == 0) { // First byte 0: an IPv4-mapped IPv6 address.
      return address;
    }
    Arrays.fill(bytes, 8, 16, (byte) 0);
    try {
      return InetAddress.getByAddress(bytes);
    } catch (UnknownHostException e) {
      throw new IllegalStateException(e); // Thrown only for a length other than 4 and 16.
    }
  }

  /// Evicts the oldest pending connection of the address with the most pending connections, in
  /// favour of another connection.
  ///
  /// @param newer the other connection, which is never evicted
  /// @return whether a connection was evicted
  public boolean evictOldestPending(Channel newer) {
    Channel evicted;
    synchronized (this) {
      evicted = pollPending(newer);
    }
    if (evicted == null) {
      return false;
    }
    refused.incrementAndGet();
    closeAtOnce(evicted);
    return true;
  }

  /// Closes a connection at once. A normal close would let the HTTP/2 codec wait for the end of
  /// open streams. Any thread may call this method.
  public static void closeAtOnce(Channel connection) {
    connection.attr(CLOSED_BY_DAEMON).set(true);
    Channel listening = connection.parent();
    if (connection.isRegistered() || listening == null) {
      close(connection);
    } else {
      // The connection has no event loop yet. The event loop of the listener is about to register
      // the connection.
      listening.eventLoop().execute(() -> close(connection));
    }
  }

  /// Whether the daemon has closed a connection with [#closeAtOnce].
  static boolean isClosedByDaemon(Channel connection) {
    return connection.hasAttr(CLOSED_BY_DAEMON);
  }

  private static void close(Channel connection) {
    var first = connection.pipeline().firstContext();
    var _ = first == null ? connection.close() : first.close();
  }

  /// Number of connections that are not closed yet, including evicted connections.
  public synchronized int open() {
    return open;
  }

  /// Number of connections that were closed at once because a connection limit was exceeded.
  public long refused() {
    return refused.get();
  }
}
