package dev.hmacd.command;

import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollDomainDatagramChannel;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.unix.DomainDatagramPacket;
import io.netty.channel.unix.DomainSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Tells systemd what the daemon is up to (sd_notify(3)); does nothing where systemd did not start
/// it.
final class SystemdNotify {
  private static final long LIMIT_SECONDS = 2;
  private static final Logger log = LoggerFactory.getLogger(SystemdNotify.class);

  private SystemdNotify() {}

  static void send(String state) {
    String path = System.getenv("NOTIFY_SOCKET");
    if (path == null || path.isEmpty()) {
      return;
    }
    // An abstract socket's name is written with @ for its first byte, which is 0.
    String address = path.startsWith("@") ? "\0" + path.substring(1) : path;
    try (var group = new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory())) {
      Channel channel =
          new Bootstrap()
              .group(group)
              .channel(EpollDomainDatagramChannel.class)
              .handler(new ChannelInboundHandlerAdapter())
              .register()
              .sync()
              .channel();
      var packet =
          new DomainDatagramPacket(
              Unpooled.copiedBuffer(state, StandardCharsets.UTF_8),
              new DomainSocketAddress(address));
      boolean sent = channel.writeAndFlush(packet).await(LIMIT_SECONDS, TimeUnit.SECONDS);
      channel.close().await(LIMIT_SECONDS, TimeUnit.SECONDS);
      if (!sent) {
        log.atWarn().log("systemd was not told in time");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (LinkageError | RuntimeException e) {
      log.atWarn().setCause(e).log("systemd cannot be told");
    }
  }
}
