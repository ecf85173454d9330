package dev.hmacd.command;

import static dev.hmacd.testing.Reasons.failsWith;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.access.Action;
import dev.hmacd.testing.Caller;
import dev.hmacd.testing.DaemonProcess;
import dev.hmacd.testing.Eventually;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.v1.KeySpec;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import io.netty.bootstrap.Bootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.SimpleChannelInboundHandler;
import io.netty.channel.epoll.EpollDomainDatagramChannel;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.unix.DomainDatagramPacket;
import io.netty.channel.unix.DomainSocketAddress;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// `hmacd serve` under systemd: signals to the daemon, and notifications by datagram
/// (sd_notify(3)).
@Tag("slow")
final class ServeTest {
  @TempDir Path folder;

  /// Receives the notifications at NOTIFY_SOCKET.
  private static final class Systemd implements AutoCloseable {
    private final BlockingQueue<String> notifications = new LinkedBlockingQueue<>();
    private final EventLoopGroup loop =
        new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
    private final Channel channel;

    Systemd(String address) throws InterruptedException {
      channel =
          new Bootstrap()
              .group(loop)
              .channel(EpollDomainDatagramChannel.class)
              .handler(
                  new SimpleChannelInboundHandler<DomainDatagramPacket>() {
                    @Override
                    protected void channelRead0(
                        ChannelHandlerContext context, DomainDatagramPacket packet) {
                      notifications.add(packet.content().toString(UTF_8));
                    }
                  })
              .bind(new DomainSocketAddress(address))
              .sync()
              .channel();
    }

    String next() throws InterruptedException {
      return String.valueOf(notifications.poll(2, TimeUnit.MINUTES));
    }

    @Override
    public void close() {
      var _ = channel.close();
      var _ = loop.shutdownGracefully(0, 1, TimeUnit.SECONDS);
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void daemonNotifiesSystemdAndHandlesSignals(boolean abstractName) throws Exception {
    SoftHsm hsm = SoftHsm.create(folder.resolve("softhsm2.conf"));
    String name = folder.resolve("notify").toString();
    LoopbackDaemon files = LoopbackDaemon.on(hsm).allowingAll("admin");
    try (var systemd = new Systemd(abstractName ? "\0" + name : name)) {
      try (var daemon =
          DaemonProcess.start(
              files, hsm, Map.of("NOTIFY_SOCKET", abstractName ? "@" + name : name))) {
        assertThat(systemd.next()).isEqualTo("READY=1");
        Caller admin = daemon.as("admin");
        String key = admin.createKey(KeySpec.KEY_SPEC_HMAC_256);
        Caller billing = daemon.as("billing");
        assertThatThrownBy(() -> billing.generateMac(key, "hello"))
            .satisfies(failsWith(Code.PERMISSION_DENIED, "ACCESS_DENIED"));

        files.allowing("billing", List.of(Action.GENERATE_MAC), "*").writeConfig();
        daemon.signal("HUP");
        Eventually.holds("the new rule is effective", () -> isAllowed(billing, key));

        assertThat(daemon.stop()).isZero();
        assertThat(systemd.next()).isEqualTo("STOPPING=1");
        assertThat(systemd.notifications).isEmpty();
      }
    }
  }

  private static boolean isAllowed(Caller caller, String key) {
    try {
      return caller.generateMac(key, "hello").length == 32;
    } catch (StatusRuntimeException e) {
      return false;
    }
  }
}
