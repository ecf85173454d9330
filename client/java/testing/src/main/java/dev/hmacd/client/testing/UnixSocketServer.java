package dev.hmacd.client.testing;

import static java.util.concurrent.TimeUnit.SECONDS;

import com.google.errorprone.annotations.ThreadSafe;
import io.grpc.BindableService;
import io.grpc.InsecureServerCredentials;
import io.grpc.Server;
import io.grpc.netty.NettyServerBuilder;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerDomainSocketChannel;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.UnixDomainSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.ScheduledExecutorService;
import java.util.function.Function;

/// A gRPC server on a Unix socket in a temporary folder, which only this user can enter. One daemon
/// thread does all its work.
@ThreadSafe
final class UnixSocketServer implements AutoCloseable {
  private final Path folder;
  private final EventLoopGroup eventLoop;
  private final Server server;

  private UnixSocketServer(Path folder, EventLoopGroup eventLoop, Server server) {
    this.folder = folder;
    this.eventLoop = eventLoop;
    this.server = server;
  }

  /// @param timed a service with the timer of the server, whose tasks end with the server
  /// @param other a service without a timer
  /// @throws UncheckedIOException if the server cannot listen
  static UnixSocketServer start(
      Function<ScheduledExecutorService, BindableService> timed, BindableService other) {
    Path folder = newFolder();
    var eventLoop =
        new MultiThreadIoEventLoopGroup(
            1,
            new DefaultThreadFactory("hmacd-fake", /* daemon= */ true),
            NioIoHandler.newFactory());
    Server server =
        NettyServerBuilder.forAddress(
                UnixDomainSocketAddress.of(socket(folder)), InsecureServerCredentials.create())
            .channelType(NioServerDomainSocketChannel.class)
            .bossEventLoopGroup(eventLoop)
            .workerEventLoopGroup(eventLoop)
            .withChildOption(ChannelOption.SO_KEEPALIVE, null) // which a Unix socket does not have
            .directExecutor()
            .intercept(new RequestIds())
            .addService(timed.apply(eventLoop))
            .addService(other)
            .build();
    var started = new UnixSocketServer(folder, eventLoop, server);
    try {
      server.start();
    } catch (IOException e) {
      started.close();
      throw new UncheckedIOException("the fake cannot listen on " + socket(folder), e);
    }
    return started;
  }

  String target() {
    return "unix:" + socket(folder);
  }

  @Override
  public void close() {
    server.shutdownNow();
    try {
      server.awaitTermination(10, SECONDS);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    eventLoop.shutdownGracefully(0, 10, SECONDS).awaitUninterruptibly();
    try {
      Files.deleteIfExists(socket(folder));
      Files.deleteIfExists(folder);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static Path socket(Path folder) {
    return folder.resolve("hmacd.sock");
  }

  private static Path newFolder() {
    try {
      return Files.createTempDirectory("hmacd-fake-");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
