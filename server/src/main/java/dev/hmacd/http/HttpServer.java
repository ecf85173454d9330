package dev.hmacd.http;

import dev.hmacd.transport.Connections;
import dev.hmacd.transport.EventLoops;
import dev.hmacd.transport.ListenException;
import dev.hmacd.transport.MemoryBudget;
import dev.hmacd.transport.Tls;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelOption;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// An HTTP/1.1 and HTTP/2 server for one [HttpHandler]. Requests run on event loops and never block
/// them.
public final class HttpServer {
  /// Memory of an idle connection.
  private static final long IDLE_BYTES = 11 << 10;

  private final EventLoops loops;
  private final @Nullable Tls tls;
  private final Intake intake;
  private @Nullable Channel listening;

  /// @param loops event loops, started before this server
  /// @param tls TLS with loaded files; null for plaintext on loopback
  public HttpServer(
      HttpLimits limits,
      HttpProfile profile,
      HttpHandler handler,
      EventLoops loops,
      @Nullable Tls tls,
      MemoryBudget budget) {
    this.loops = loops;
    this.tls = tls;
    this.intake =
        new Intake(
            limits,
            profile,
            handler,
            new Room(limits.maxRequests(), limits.maxBufferedBytes(), limits.maxBodyBytes()),
            new Connections(
                new Connections.Settings(
                    limits.maxConnections(),
                    limits.maxUnauthenticated(),
                    IDLE_BYTES,
                    limits.request()),
                budget),
            new Watch());
  }

  /// Starts to listen.
  ///
  /// @param key the configuration key of the address, for the message of an exception
  /// @throws IOException if the address is in use, or the TLS files cannot be used
  public void start(InetSocketAddress address, String key) throws IOException {
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
            .handler(intake.connections())
            .childHandler(new Protocols(intake, tls))
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
                () -> intake.watch().look(System.nanoTime()),
                Watch.INTERVAL.toMillis(),
                Watch.INTERVAL.toMillis(),
                TimeUnit.MILLISECONDS);
  }

  /// The listening address. The kernel chooses the port if the configured port is 0.
  public Optional<InetSocketAddress> address() {
    return Optional.ofNullable(listening).map(each -> (InetSocketAddress) each.localAddress());
  }

  public int openConnections() {
    return intake.connections().open();
  }

  /// Number of connections that were closed because of the bounds on connections.
  public long refusedConnections() {
    return intake.connections().refused();
  }

  /// Number of complete requests without an answer.
  public int requests() {
    return intake.room().requests();
  }

  /// Bytes of the bodies of requests in flight, including partially received ones.
  public long bufferedBytes() {
    return intake.room().bytes();
  }

  /// Stops listening, and closes each connection after its requests are answered.
  public void beginDrain() {
    Channel bound = listening;
    if (bound != null) {
      bound.close().awaitUninterruptibly();
      intake.watch().drain();
    }
  }

  /// Waits until all connections are closed after [#beginDrain].
  ///
  /// @param limit maximum wait
  /// @return false if a connection is open at the limit
  public boolean awaitDrained(Duration limit) throws InterruptedException {
    return listening == null || intake.watch().awaitNone(limit);
  }
}
