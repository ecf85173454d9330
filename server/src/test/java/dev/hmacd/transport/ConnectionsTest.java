package dev.hmacd.transport;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.RawHttp1;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.IoHandlerFactory;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Bounds on connections for any order of the event loops: one event loop accepts connections,
/// another closes evicted connections.
final class ConnectionsTest {
  private static final int MAX = 4;
  private static final int MAX_PENDING = 2;
  private static final long LIMIT_SECONDS = 120;

  private final Connections connections =
      new Connections(
          new Connections.Settings(MAX, MAX_PENDING, 0, Duration.ofHours(1)),
          new MemoryBudget(Long.MAX_VALUE));
  private final List<RawHttp1> callers = new ArrayList<>();
  private final List<EventLoopGroup> loops = new ArrayList<>();

  @AfterEach
  void close() throws IOException {
    for (RawHttp1 caller : callers) {
      caller.close();
    }
    for (EventLoopGroup loop : loops) {
      var _ = loop.shutdownGracefully(0, LIMIT_SECONDS, TimeUnit.SECONDS).syncUninterruptibly();
    }
  }

  private EventLoopGroup loop(boolean epoll) {
    IoHandlerFactory io = epoll ? EpollIoHandler.newFactory() : NioIoHandler.newFactory();
    EventLoopGroup loop = new MultiThreadIoEventLoopGroup(1, io);
    loops.add(loop);
    return loop;
  }

  /// Listens with one event loop that accepts connections and another that owns them.
  ///
  /// @param after handler of the listening channel after [Connections], before the connection is
  ///   registered with its event loop
  private Channel listen(
      EventLoopGroup working, boolean epoll, ChannelInboundHandlerAdapter after) {
    return new ServerBootstrap()
        .group(loop(epoll), working)
        .channelFactory(epoll ? EventLoops.tcp() : NioServerSocketChannel::new)
        .handler(
            new ChannelInitializer<>() {
              @Override
              protected void initChannel(Channel listening) {
                listening.pipeline().addLast(connections, after);
              }
            })
        .childHandler(
            new ChannelInitializer<>() {
              @Override
              protected void initChannel(Channel connection) {
                connection.pipeline().addLast(new ChannelInboundHandlerAdapter());
              }
            })
        .bind(InetAddress.getLoopbackAddress(), 0)
        .syncUninterruptibly()
        .channel();
  }

  private void connect(Channel listening) throws IOException {
    callers.add(RawHttp1.to(((InetSocketAddress) listening.localAddress()).getPort()));
  }

  /// Accepts a connection without a socket. All such connections have the same two addresses.
  private Channel accept() {
    var connection = new EmbeddedChannel();
    boolean _ = new EmbeddedChannel(connections).writeInbound(connection);
    return connection;
  }

  /// A client can use a port again before the daemon knows that the earlier connection was reset.
  @Test
  void pendingConnectionsWithTheSameAddressesLeaveTheirPlaces() {
    for (int round = 0; round <= MAX_PENDING; round++) {
      Channel earlier = accept();
      Channel later = accept();
      boolean isEarlierFirst = round % 2 == 0;
      var _ = (isEarlierFirst ? earlier : later).close();
      var _ = (isEarlierFirst ? later : earlier).close();
    }
    for (int i = 0; i < MAX_PENDING; i++) {
      var _ = accept();
    }
    assertThat(connections.refused()).isZero();
    assertThat(connections.open()).isEqualTo(MAX_PENDING);
    var _ = accept();
    assertThat(connections.refused()).isEqualTo(1);
    assertThat(connections.open()).isEqualTo(MAX_PENDING);
  }

  @Test
  void authenticationConcernsItsOwnConnectionOnly() {
    Channel earlier = accept();
    Channel later = accept();
    assertThat(connections.authenticated(earlier, "principal", 0)).isTrue();
    assertThat(ConnectionMeter.of(earlier).principal()).isEqualTo("principal");
    assertThat(ConnectionMeter.of(later).principal()).isNull();
    assertThat(connections.evictOldestPending(earlier)).isTrue();
    assertThat(earlier.isOpen()).isTrue();
    assertThat(later.isOpen()).isFalse();
    assertThat(connections.authenticated(later, "principal", 0)).isFalse();
  }

  /// A busy event loop closes evicted connections late. On a busy machine each event loop is busy.
  @ParameterizedTest(name = "epoll: {0}")
  @ValueSource(booleans = {true, false})
  void newConnectionIsNotRefusedWhileEvictedConnectionsAreOpen(boolean epoll) throws Exception {
    EventLoopGroup working = loop(epoll);
    Channel listening = listen(working, epoll, new ChannelInboundHandlerAdapter());
    var free = new CountDownLatch(1);
    working.execute(
        () -> {
          try {
            boolean _ = free.await(LIMIT_SECONDS, TimeUnit.SECONDS);
          } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
          }
        });
    int newcomers = 10 * MAX;
    for (int i = 0; i < newcomers; i++) {
      connect(listening);
    }
    Eventually.holds("all places are taken", () -> connections.open() >= MAX + MAX_PENDING);
    if (epoll) { // NIO accepts up to 16 at a time.
      assertThat(connections.open()).isEqualTo(MAX + MAX_PENDING);
    }
    free.countDown();
    for (RawHttp1 evicted : callers.subList(0, newcomers - MAX_PENDING)) {
      assertThat(evicted.isClosedByPeer()).isTrue();
    }
    Eventually.holds("only the last connections are open", () -> connections.open() == MAX_PENDING);
    assertThat(connections.refused()).isEqualTo(newcomers - MAX_PENDING);
  }

  /// Any event loop can evict a connection, also between its acceptance and its registration with
  /// an event loop.
  @ParameterizedTest(name = "epoll: {0}")
  @ValueSource(booleans = {true, false})
  void connectionWithoutAnEventLoopCanBeEvicted(boolean epoll) throws Exception {
    var accepting = new CountDownLatch(1);
    var evicted = new CountDownLatch(1);
    Channel listening =
        listen(
            loop(epoll),
            epoll,
            new ChannelInboundHandlerAdapter() {
              @Override
              public void channelRead(ChannelHandlerContext context, Object connection) {
                accepting.countDown();
                try {
                  boolean _ = evicted.await(LIMIT_SECONDS, TimeUnit.SECONDS);
                } catch (InterruptedException e) {
                  Thread.currentThread().interrupt();
                }
                context.fireChannelRead(connection);
              }
            });
    connect(listening);
    assertThat(accepting.await(LIMIT_SECONDS, TimeUnit.SECONDS)).isTrue();
    try {
      assertThat(connections.evictOldestPending(listening)).isTrue();
    } finally {
      evicted.countDown();
    }
    assertThat(callers.getFirst().isClosedByPeer()).isTrue();
    Eventually.holds("the connection is no longer counted", () -> connections.open() == 0);
  }
}
