package dev.hmacd.testing;

import io.netty.bootstrap.Bootstrap;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.MultiThreadIoEventLoopGroup;
import io.netty.channel.epoll.EpollIoHandler;
import io.netty.channel.epoll.EpollSocketChannel;
import io.netty.channel.socket.SocketChannel;
import io.netty.handler.ssl.ApplicationProtocolConfig;
import io.netty.handler.ssl.ApplicationProtocolConfig.Protocol;
import io.netty.handler.ssl.ApplicationProtocolConfig.SelectedListenerFailureBehavior;
import io.netty.handler.ssl.ApplicationProtocolConfig.SelectorFailureBehavior;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslHandler;
import java.io.File;
import java.net.InetAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/// A program that opens idle connections: first connections with a certificate and HTTP/2's
/// preface, then connections that send nothing. It proceeds after each line of its input.
///
/// Arguments: port, number of connections with a certificate, number without, and the PEM files of
/// the authority, the certificate and its key.
public final class Crowd {
  /// Maximum number of concurrent handshakes.
  private static final int MAX_CONCURRENT = 64;

  /// Timeout of a handshake on a busy machine.
  private static final int LIMIT_MILLIS = 600_000;

  private static final byte[] PREFACE =
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0".getBytes(StandardCharsets.US_ASCII);

  private final int port;
  private final EventLoopGroup loop =
      new MultiThreadIoEventLoopGroup(1, EpollIoHandler.newFactory());
  private final List<Channel> open = new ArrayList<>();

  private Crowd(int port) {
    this.port = port;
  }

  public static void main(String[] arguments) throws Exception {
    Crowd crowd = new Crowd(Integer.parseInt(arguments[0]));
    SslContext tls =
        SslContextBuilder.forClient()
            .trustManager(new File(arguments[3]))
            .keyManager(new File(arguments[4]), new File(arguments[5]))
            .applicationProtocolConfig(
                new ApplicationProtocolConfig(
                    Protocol.ALPN,
                    SelectorFailureBehavior.NO_ADVERTISE,
                    SelectedListenerFailureBehavior.ACCEPT,
                    "h2"))
            .build();
    crowd.connect(Integer.parseInt(arguments[1]), tls);
    crowd.connect(Integer.parseInt(arguments[2]), null);
    System.exit(0);
  }

  /// Opens connections and prints their number. After a line of input, prints the number of open
  /// connections.
  private void connect(int count, @Nullable SslContext tls) throws Exception {
    var permits = new Semaphore(MAX_CONCURRENT);
    var made = new AtomicInteger();
    for (int i = 0; i < count; i++) {
      permits.acquire();
      ChannelFuture connecting = connecting(tls);
      open.add(connecting.channel());
      var _ =
          connecting.addListener(
              connected -> {
                if (!connected.isSuccess() || tls == null) {
                  made.addAndGet(connected.isSuccess() ? 1 : 0);
                  permits.release();
                  return;
                }
                Channel channel = connecting.channel();
                var _ =
                    channel
                        .pipeline()
                        .get(SslHandler.class)
                        .handshakeFuture()
                        .addListener(
                            shaken -> {
                              if (shaken.isSuccess()) {
                                made.incrementAndGet();
                                var _ = channel.writeAndFlush(Unpooled.wrappedBuffer(PREFACE));
                              }
                              permits.release();
                            });
              });
    }
    permits.acquire(MAX_CONCURRENT);
    System.out.println(made.get());
    if (System.in.read() < 0) {
      System.exit(0);
    }
    System.out.println(open.stream().filter(Channel::isActive).count());
  }

  private ChannelFuture connecting(@Nullable SslContext tls) {
    return new Bootstrap()
        .group(loop)
        .channel(EpollSocketChannel.class)
        .option(ChannelOption.CONNECT_TIMEOUT_MILLIS, LIMIT_MILLIS)
        .handler(
            new ChannelInitializer<SocketChannel>() {
              @Override
              protected void initChannel(SocketChannel channel) {
                if (tls == null) {
                  channel.pipeline().addLast(new ChannelInboundHandlerAdapter());
                } else {
                  SslHandler handler = tls.newHandler(channel.alloc(), "localhost", port);
                  handler.setHandshakeTimeoutMillis(LIMIT_MILLIS);
                  channel.pipeline().addLast(handler);
                }
              }
            })
        .connect(InetAddress.getLoopbackAddress(), port);
  }
}
