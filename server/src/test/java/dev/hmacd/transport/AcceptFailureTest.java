package dev.hmacd.transport;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.LogWatch;
import dev.hmacd.testing.RawHttp1;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// A listener whose accepts fail, as without a free file descriptor.
final class AcceptFailureTest {
  private static final String MESSAGE = "Connections not accepted";
  private static final long LIMIT_SECONDS = 120;

  private final Connections connections =
      new Connections(
          new Connections.Settings(4, 4, 0, Duration.ofHours(1)), new MemoryBudget(Long.MAX_VALUE));

  private Channel listen(EventLoopGroup loop, boolean epoll) {
    return new ServerBootstrap()
        .group(loop)
        .channelFactory(epoll ? EventLoops.tcp() : NioServerSocketChannel::new)
        .handler(connections)
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

  /// Fails an accept, as Netty reports it.
  ///
  /// @return whether the listener still accepts afterwards
  private static boolean fail(Channel listening) throws Exception {
    return listening
        .eventLoop()
        .submit(
            () -> {
              listening
                  .pipeline()
                  .fireExceptionCaught(new IOException("accept(..) failed: Too many open files"));
              return listening.config().isAutoRead();
            })
        .get(LIMIT_SECONDS, TimeUnit.SECONDS);
  }

  @ParameterizedTest(name = "epoll: {0}")
  @ValueSource(booleans = {true, false})
  void listenerPausesAndLogsAtALimitedRate(boolean epoll) throws Exception {
    EventLoopGroup loop =
        new MultiThreadIoEventLoopGroup(
            1, epoll ? EpollIoHandler.newFactory() : NioIoHandler.newFactory());
    try (LogWatch log = LogWatch.start()) {
      Channel listening = listen(loop, epoll);
      long start = System.nanoTime();
      for (int i = 0; i < 1000; i++) {
        assertThat(fail(listening)).isFalse();
      }
      long seconds = Duration.ofNanos(System.nanoTime() - start).toSeconds();
      assertThat(log.count(MESSAGE, "Too many open files", "open_fds", "max_fds", "] null"))
          .isBetween(1L, 1 + seconds / 10);
      assertThat(log.count("exceptionCaught")).isZero(); // Netty's own line.

      try (RawHttp1 _ = RawHttp1.to(((InetSocketAddress) listening.localAddress()).getPort())) {
        Eventually.holds("the listener accepts again", () -> connections.open() == 1);
      }
    } finally {
      var _ = loop.shutdownGracefully(0, LIMIT_SECONDS, TimeUnit.SECONDS).syncUninterruptibly();
    }
  }

  /// A fault of the program itself has a stack trace.
  @Test
  void unexpectedFailureIsLoggedWithItsCause() {
    EventLoopGroup loop = new MultiThreadIoEventLoopGroup(1, NioIoHandler.newFactory());
    try (LogWatch log = LogWatch.start()) {
      Channel listening = listen(loop, false);
      listening
          .eventLoop()
          .submit(
              () -> {
                listening.pipeline().fireExceptionCaught(new IllegalStateException("injected"));
              })
          .syncUninterruptibly();
      assertThat(log.count(MESSAGE, "injected")).isEqualTo(1);
      assertThat(log.count(MESSAGE, "] null")).isZero();
    } finally {
      var _ = loop.shutdownGracefully(0, LIMIT_SECONDS, TimeUnit.SECONDS).syncUninterruptibly();
    }
  }
}
