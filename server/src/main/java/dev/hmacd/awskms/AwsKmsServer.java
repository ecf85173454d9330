package dev.hmacd.awskms;

import dev.hmacd.config.Config;
import dev.hmacd.key.ArnScope;
import dev.hmacd.mac.CallObserver;
import dev.hmacd.mac.UseCases;
import dev.hmacd.transport.Connections;
import dev.hmacd.transport.EventLoops;
import dev.hmacd.transport.Tls;
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

/// The AWS KMS edge: what listens, and what is served there. Requests are taken on event loops and
/// never wait there.
public final class AwsKmsServer implements AutoCloseable {
  private static final String SERVICE = "kms";

  /// How long what was answered at the last moment may take to be sent.
  private static final Duration LAST_ANSWERS = Duration.ofSeconds(1);

  private static final Logger log = LoggerFactory.getLogger(AwsKmsServer.class);

  private final Config.AwsKms config;
  private final EventLoops loops;
  private final @Nullable Tls tls;
  private final Intake intake;
  private @Nullable Channel listening;

  /// @param loops started before this is
  /// @param tls with its files read; null to serve without, on loopback
  public AwsKmsServer(
      Config.AwsKms config,
      EventLoops loops,
      @Nullable Tls tls,
      UseCases useCases,
      CallObserver observer,
      Clock clock) {
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
            observer,
            limits.maxCallTime());
    this.intake =
        new Intake(
            limits,
            dispatcher::take,
            new Room(limits.maxRequests(), limits.maxBufferedBytes()),
            new Connections(limits.maxConnections(), limits.maxUnauthenticated(), true),
            new Watch());
  }

  /// Listens.
  ///
  /// @throws IOException when the address is taken, or the TLS files cannot be used
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
      throw new IOException("cannot listen on " + config.listen(), bound.cause());
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

  /// Where it listens; the port is the kernel's choice if the configuration says 0.
  public Optional<InetSocketAddress> address() {
    return Optional.ofNullable(listening).map(each -> (InetSocketAddress) each.localAddress());
  }

  public int openConnections() {
    return intake.connections().open();
  }

  /// Connections that were closed because there were too many.
  public long refusedConnections() {
    return intake.connections().refused();
  }

  /// Requests that came whole and are not answered yet.
  public int requests() {
    return intake.room().requests();
  }

  /// Bytes of requests that are coming in or are not answered yet.
  public long bufferedBytes() {
    return intake.room().bytes();
  }

  /// Takes no new connections, and has those there are end once what they sent has been answered.
  public void beginDrain() {
    Channel bound = listening;
    if (bound != null) {
      bound.close().awaitUninterruptibly();
      intake.watch().drain();
    }
  }

  /// Waits for the end that [#beginDrain] began.
  ///
  /// @param limit for all of it
  public void awaitDrained(Duration limit) {
    try {
      if (listening != null && !intake.watch().awaitNone(limit)) {
        log.atDebug().log("Connections are still open");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /// Ends whatever is left; the event loops' end closes it.
  @Override
  public void close() {
    beginDrain();
    awaitDrained(LAST_ANSWERS);
    if (openConnections() > 0) {
      log.atWarn().log("Connections were cut off: they did not end within grpc.limits.drain");
    }
  }
}
