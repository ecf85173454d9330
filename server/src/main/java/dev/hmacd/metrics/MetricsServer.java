package dev.hmacd.metrics;

import static java.nio.charset.StandardCharsets.US_ASCII;

import dev.hmacd.transport.AcceptFailureLog;
import dev.hmacd.transport.EventLoops;
import dev.hmacd.transport.ListenException;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.FixedRecvByteBufAllocator;
import io.netty.channel.ServerChannelRecvByteBufAllocator;
import io.netty.handler.codec.DelimiterBasedFrameDecoder;
import io.netty.handler.codec.http.HttpDecoderConfig;
import io.netty.handler.codec.http.HttpServerCodec;
import java.net.InetSocketAddress;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/// Serves the metrics over HTTP, without authentication. Connections are on one event loop of the
/// daemon, and a thread of its own renders the scrapes ([ScrapeRenderer]).
public final class MetricsServer implements AutoCloseable {
  /// Maximum number of connections. Above it, a new connection takes the place of a connection of
  /// the address with most connections ([ScrapeLimits]).
  public static final int MAX_CONNECTIONS = 64;

  /// Maximum number of connections that the listener accepts in one pass of its event loop: clients
  /// do not wait long behind a flood of connections, and a request is read before a flood can evict
  /// its connection.
  private static final int MAX_ACCEPTS = MAX_CONNECTIONS / 4;

  /// Maximum size of a request line and all header fields together.
  static final int MAX_HEAD_BYTES = 8192;

  /// Size of one read of a connection.
  private static final int READ_BYTES = 2048;

  private static final ScrapeLimits.Settings LIMITS =
      new ScrapeLimits.Settings(MAX_CONNECTIONS, Duration.ofSeconds(10));

  private final EventLoops loops;
  private final ScrapeLimits limits;
  private final ScrapeRenderer renderer;
  private @Nullable Channel listening;

  /// @param loops event loops, started before this server
  public MetricsServer(Metrics metrics, EventLoops loops) {
    this(metrics, loops, LIMITS);
  }

  MetricsServer(Metrics metrics, EventLoops loops, ScrapeLimits.Settings settings) {
    this.loops = loops;
    this.limits = new ScrapeLimits(settings);
    this.renderer = new ScrapeRenderer(metrics.registry());
  }

  /// Starts to listen.
  ///
  /// @param address a loopback address: every process that reaches it can read the metrics
  public void start(InetSocketAddress address) throws ListenException {
    ChannelFuture bound =
        new ServerBootstrap()
            .group(loops.group().next()) // One event loop: the limits have no locks.
            .channelFactory(EventLoops.tcp())
            .option(ChannelOption.SO_REUSEADDR, true)
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
                })
            .bind(address)
            .awaitUninterruptibly();
    if (!bound.isSuccess()) {
      throw ListenException.of("metrics.listen", address, bound.cause());
    }
    listening = bound.channel();
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

  /// The port on which this server listens; 0 before [#start].
  public int port() {
    Channel bound = listening;
    return bound == null ? 0 : ((InetSocketAddress) bound.localAddress()).getPort();
  }

  public int openConnections() {
    return limits.openConnections();
  }

  /// Stops listening. The shutdown of the event loops closes the connections.
  @Override
  public void close() {
    Channel bound = listening;
    if (bound != null) {
      bound.close().awaitUninterruptibly();
    }
    renderer.close();
  }
}
