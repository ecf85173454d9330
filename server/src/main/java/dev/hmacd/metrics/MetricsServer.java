package dev.hmacd.metrics;

import static java.nio.charset.StandardCharsets.US_ASCII;

import dev.hmacd.transport.AcceptFailureLog;
import dev.hmacd.transport.EventLoops;
import dev.hmacd.transport.ListenException;
import dev.hmacd.transport.UnixSocketFile;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFactory;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoop;
import io.netty.channel.FixedRecvByteBufAllocator;
import io.netty.channel.ServerChannel;
import io.netty.channel.ServerChannelRecvByteBufAllocator;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import io.netty.handler.codec.DelimiterBasedFrameDecoder;
import io.netty.handler.codec.http.HttpDecoderConfig;
import io.netty.handler.codec.http.HttpServerCodec;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.time.Duration;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Serves the metrics over HTTP, on TCP and on a Unix socket, without authentication. One event
/// loop of the daemon serves all connections. A separate thread renders the scrapes
/// ([ScrapeRenderer]). The bounds hold for both listeners together.
public final class MetricsServer implements AutoCloseable {
  /// Maximum number of connections. At the maximum, a new connection evicts a connection of the
  /// address with the most connections ([ScrapeLimits]).
  public static final int MAX_CONNECTIONS = 64;

  /// Maximum number of connections that the listener accepts in one pass of its event loop: clients
  /// do not wait long behind a flood of connections, and a request is read before a flood can evict
  /// its connection.
  private static final int MAX_ACCEPTS = MAX_CONNECTIONS / 4;

  /// The configuration key of the TCP listener.
  public static final String LISTEN_KEY = "metrics.listen";

  /// The configuration key of the Unix socket.
  public static final String UNIX_SOCKET_KEY = "metrics.unix_socket.path";

  /// Maximum size of a request line and all header fields together.
  static final int MAX_HEAD_BYTES = 8192;

  /// Size of one read of a connection.
  private static final int READ_BYTES = 2048;

  private static final Logger log = LoggerFactory.getLogger(MetricsServer.class);

  private static final ScrapeLimits.Settings LIMITS =
      new ScrapeLimits.Settings(MAX_CONNECTIONS, Duration.ofSeconds(10));

  private final EventLoops loops;
  private final ScrapeLimits limits;
  private final ScrapeRenderer renderer;
  private @Nullable EventLoop loop;
  private @Nullable Channel tcp;
  private @Nullable Channel unix;

  /// The file of the Unix socket, which [#close] removes; null if the server has no Unix socket.
  private @Nullable UnixSocketFile socket;

  /// @param loops event loops, started before this server
  public MetricsServer(Metrics metrics, EventLoops loops) {
    this(metrics, loops, LIMITS);
  }

  MetricsServer(Metrics metrics, EventLoops loops, ScrapeLimits.Settings settings) {
    this.loops = loops;
    this.limits = new ScrapeLimits(settings);
    this.renderer = new ScrapeRenderer(metrics.registry());
  }

  /// Starts to listen on a TCP address.
  ///
  /// @param address a loopback address: every process that reaches it can read the metrics
  public void start(InetSocketAddress address) throws ListenException {
    tcp = bind(EventLoops.tcp(), address, LISTEN_KEY, address);
  }

  /// Starts to listen on a Unix socket.
  ///
  /// @param mode file mode, which determines the users that may read the metrics
  public void start(Path path, Set<PosixFilePermission> mode) throws ListenException {
    var file = new UnixSocketFile(UNIX_SOCKET_KEY, path);
    file.prepare();
    unix =
        bind(
            EpollServerDomainSocketChannel::new,
            new DomainSocketAddress(file.toBind().toFile()),
            UNIX_SOCKET_KEY,
            path);
    socket = file;
    file.publish(mode);
    log.atInfo().addKeyValue("path", path).log("Serving metrics on a Unix socket");
  }

  /// @param key the configuration key of the address
  /// @param configured the configured address, for error messages
  private Channel bind(
      ChannelFactory<ServerChannel> channels, SocketAddress address, String key, Object configured)
      throws ListenException {
    ServerBootstrap bootstrap =
        new ServerBootstrap()
            .group(loop())
            .channelFactory(channels)
            .handler(
                new ChannelInboundHandlerAdapter() {
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

                  @Override
                  public void channelActive(ChannelHandlerContext context) {
                    AcceptFailureLog.addTo(context.pipeline());
                    context.fireChannelActive();
                  }
                })
            .childHandler(
                new ChannelInitializer<>() {
                  @Override
                  protected void initChannel(Channel connection) {
                    accept(connection);
                  }
                });
    if (address instanceof InetSocketAddress) {
      bootstrap.option(ChannelOption.SO_REUSEADDR, true);
    }
    ChannelFuture bound = bootstrap.bind(address).awaitUninterruptibly();
    if (!bound.isSuccess()) {
      throw ListenException.of(key, configured, bound.cause());
    }
    return bound.channel();
  }

  /// The event loop of all listeners and connections, so that the limits need no locks.
  private EventLoop loop() {
    EventLoop known = loop;
    if (known == null) {
      known = loops.group().next();
      loop = known;
    }
    return known;
  }

  private void accept(Channel channel) {
    var connection = new ScrapeConnection(channel, limits, renderer);
    limits.admit(connection);
    var _ = channel.closeFuture().addListener(_ -> limits.closed(connection));
    channel.config().setRecvByteBufAllocator(new FixedRecvByteBufAllocator(READ_BYTES));
    // Netty's HTTP decoder keeps several times the size of an unfinished head, so it gets complete
    // heads only.
    channel
        .pipeline()
        .addLast(
            new DelimiterBasedFrameDecoder(
                MAX_HEAD_BYTES, false, Unpooled.copiedBuffer("\r\n\r\n", US_ASCII)),
            new HttpServerCodec(
                new HttpDecoderConfig()
                    .setMaxInitialLineLength(MAX_HEAD_BYTES)
                    .setMaxHeaderSize(MAX_HEAD_BYTES)),
            connection);
  }

  /// The TCP port on which this server listens; 0 without a TCP listener.
  public int port() {
    Channel bound = tcp;
    return bound == null ? 0 : ((InetSocketAddress) bound.localAddress()).getPort();
  }

  public int openConnections() {
    return limits.openConnections();
  }

  /// Stops listening. The shutdown of the event loops closes the connections.
  @Override
  public void close() {
    close(tcp);
    close(unix);
    if (socket != null) {
      socket.remove();
    }
    renderer.close();
  }

  private static void close(@Nullable Channel listening) {
    if (listening != null) {
      listening.close().awaitUninterruptibly();
    }
  }
}
