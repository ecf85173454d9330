package dev.hmacd.http;

import dev.hmacd.file.FileException;
import dev.hmacd.log.ScheduledTask;
import dev.hmacd.transport.Connections;
import dev.hmacd.transport.EventLoops;
import dev.hmacd.transport.HandshakeMonitor;
import dev.hmacd.transport.ListenException;
import dev.hmacd.transport.MemoryBudget;
import dev.hmacd.transport.TlsContext;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// An HTTP/1.1 and HTTP/2 server for one [HttpHandler]. Handles requests on event loops, and never
/// blocks an event loop.
public final class HttpServer {
  /// Memory of an idle connection, in bytes.
  private static final long IDLE_BYTES = 11 << 10;

  private final EventLoops loops;
  private final @Nullable TlsContext tls;
  private final @Nullable HandshakeMonitor handshakes;
  private final ServerContext server;
  private @Nullable Channel listening;

  /// @param loops event loops, started before this server
  /// @param tls TLS context, which may still load its files; null for plaintext on loopback
  /// @param handshakes monitor of the TLS handshakes; null without TLS
  public HttpServer(
      HttpLimits limits,
      HttpProfile profile,
      HttpHandler handler,
      EventLoops loops,
      @Nullable TlsContext tls,
      @Nullable HandshakeMonitor handshakes,
      MemoryBudget budget) {
    this.loops = loops;
    this.tls = tls;
    this.handshakes = handshakes;
    this.server =
        new ServerContext(
            limits,
            profile,
            handler,
            new RequestBounds(
                limits.maxRequests(), limits.maxBufferedBytes(), limits.maxBodyBytes()),
            new Connections(
                new Connections.Settings(
                    limits.maxConnections(),
                    limits.maxUnauthenticated(),
                    IDLE_BYTES,
                    limits.request()),
                budget),
            new ConnectionWatchdog());
  }

  /// Starts to listen, after the TLS files are loaded.
  ///
  /// @param key configuration key of the address, for error messages
  /// @throws ListenException if the server cannot listen on the address
  /// @throws FileException if the TLS files cannot be used
  public void start(InetSocketAddress address, String key) throws ListenException, FileException {
    if (tls != null) {
      tls.awaitLoaded();
    }
    ChannelFuture bound =
        new ServerBootstrap()
            .group(loops.group())
            .channelFactory(EventLoops.tcp())
            .option(ChannelOption.SO_BACKLOG, 4096)
            .option(ChannelOption.SO_REUSEADDR, true)
            .childOption(ChannelOption.TCP_NODELAY, true)
            .handler(acceptor())
            .childHandler(new ProtocolDetector(server, tls))
            .bind(address)
            .awaitUninterruptibly();
    if (!bound.isSuccess()) {
      throw ListenException.of(key, address, bound.cause());
    }
    listening = bound.channel();
    var _ =
        loops
            .group()
            .scheduleAtFixedRate(
                new ScheduledTask(
                    "time limits of HTTP connections",
                    () -> server.watchdog().check(System.nanoTime())),
                ConnectionWatchdog.INTERVAL.toMillis(),
                ConnectionWatchdog.INTERVAL.toMillis(),
                TimeUnit.MILLISECONDS);
  }

  /// The handlers of the listening channel.
  private ChannelInitializer<Channel> acceptor() {
    return new ChannelInitializer<>() {
      @Override
      protected void initChannel(Channel channel) {
        channel.pipeline().addLast(server.connections());
        if (handshakes != null) {
          channel.pipeline().addLast(handshakes);
        }
      }
    };
  }

  /// The listening address; empty before [#start]. The kernel chooses the port if the configured
  /// port is 0.
  public Optional<InetSocketAddress> address() {
    return Optional.ofNullable(listening).map(each -> (InetSocketAddress) each.localAddress());
  }

  public int openConnections() {
    return server.connections().open();
  }

  /// Number of connections that were closed because of the connection limits.
  public long refusedConnections() {
    return server.connections().refused();
  }

  /// Number of completely received requests that are not answered yet.
  public int requests() {
    return server.bounds().requests();
  }

  /// Total size of the bodies of requests in flight, in bytes, including partially received bodies.
  public long bufferedBytes() {
    return server.bounds().bytes();
  }

  /// Stops listening, and closes each connection after its requests are answered.
  public void beginDrain() {
    Channel bound = listening;
    if (bound != null) {
      bound.close().awaitUninterruptibly();
      server.watchdog().drain();
    }
  }

  /// Waits until all connections are closed after [#beginDrain].
  ///
  /// @param limit maximum wait
  /// @return false if a connection is still open when the time limit has passed
  public boolean awaitDrained(Duration limit) throws InterruptedException {
    return listening == null || server.watchdog().awaitNone(limit);
  }
}
