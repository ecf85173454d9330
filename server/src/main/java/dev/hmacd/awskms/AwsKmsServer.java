package dev.hmacd.awskms;

import dev.hmacd.config.Config;
import dev.hmacd.key.ArnScope;
import dev.hmacd.transport.Connections;
import dev.hmacd.transport.EventLoops;
import dev.hmacd.transport.ListenException;
import dev.hmacd.transport.MemoryBudget;
import dev.hmacd.transport.Tls;
import dev.hmacd.usecase.CallPipeline;
import dev.hmacd.usecase.UseCases;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelOption;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Clock;
import java.time.Duration;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The server of the AWS KMS edge. Requests run on event loops and never block them.
public final class AwsKmsServer implements AutoCloseable {
  private static final String SERVICE = "kms";

  /// Memory of an idle connection.
  private static final long IDLE_BYTES = 11 << 10;

  /// Maximum time to send the last replies.
  private static final Duration LAST_ANSWERS = Duration.ofSeconds(1);

  private static final Logger log = LoggerFactory.getLogger(AwsKmsServer.class);

  private final Config.AwsKms config;
  private final EventLoops loops;
  private final @Nullable Tls tls;
  private final Intake intake;
  private @Nullable Channel listening;

  /// @param loops event loops, started before this server
  /// @param tls TLS with loaded files; null for plaintext on loopback
  public AwsKmsServer(
      Config.AwsKms config,
      EventLoops loops,
      @Nullable Tls tls,
      UseCases useCases,
      CallPipeline calls,
      Clock clock,
      MemoryBudget budget) {
    this.config = config;
    this.loops = loops;
    this.tls = tls;
    ArnScope scope = useCases.keys().scope();
    Config.AwsLimits limits = config.limits();
    var dispatcher =
        new Dispatcher(
            new SigV4(scope.region(), SERVICE, clock),
            useCases.accessKeys(),
            Operations.of(useCases),
            new Failures(scope),
            calls,
            limits.maxCallTime());
    this.intake =
        new Intake(
            limits,
            dispatcher::take,
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
  /// @throws IOException if the address is in use, or the TLS files cannot be used
  public void start() throws IOException {
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
            .bind(config.listen())
            .awaitUninterruptibly();
    if (!bound.isSuccess()) {
      throw ListenException.of("aws_kms.listen", config.listen(), bound.cause());
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
    log.atInfo()
        .addKeyValue("address", bound.channel().localAddress())
        .addKeyValue("tls", tls != null)
        .log("Serving AWS KMS");
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
  public void awaitDrained(Duration limit) {
    try {
      if (listening != null && !intake.watch().awaitNone(limit)) {
        log.atDebug().log("Connections are still open");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /// Drains within a time limit. The end of the event loops closes the remaining connections.
  @Override
  public void close() {
    beginDrain();
    awaitDrained(LAST_ANSWERS);
    if (openConnections() > 0) {
      log.atWarn().log("Connections were cut off: they did not end within grpc.limits.drain");
    }
  }
}
