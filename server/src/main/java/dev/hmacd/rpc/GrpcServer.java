package dev.hmacd.rpc;

import dev.hmacd.config.Config;
import dev.hmacd.mac.CallObserver;
import dev.hmacd.mac.UseCases;
import dev.hmacd.transport.Connections;
import dev.hmacd.transport.EventLoops;
import dev.hmacd.transport.Tls;
import io.grpc.Attributes;
import io.grpc.Grpc;
import io.grpc.Server;
import io.grpc.ServerServiceDefinition;
import io.grpc.ServerTransportFilter;
import io.grpc.netty.InternalProtocolNegotiator.ProtocolNegotiator;
import io.grpc.netty.InternalProtocolNegotiators;
import io.grpc.netty.NettyServerBuilder;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFactory;
import io.netty.channel.ChannelOption;
import io.netty.channel.ServerChannel;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The gRPC edge: what listens, and what is served there. Calls are taken on event loops and never
/// wait there.
public final class GrpcServer implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(GrpcServer.class);

  /// What one connection may have unread before it is told to wait (RFC 9113, section 5.2).
  private static final int FLOW_CONTROL_WINDOW = 1 << 18;

  /// How late a call can be told that its request came too late.
  private static final long ARRIVALS_LOOK_MILLIS = 250;

  /// How long what was answered at the last moment may take to be sent.
  private static final Duration LAST_ANSWERS = Duration.ofSeconds(1);

  private static final int MAX_RESETS_PER_WINDOW = 400;
  private static final int RESET_WINDOW_SECONDS = 10;

  private final Config.Grpc config;
  private final @Nullable Tls tls;
  private final List<ServerServiceDefinition> services;
  private final UnknownMethods unknownMethods;
  private final Arrivals arrivals;
  private final Health health;
  private final @Nullable Reflection reflection;
  private final List<Server> servers = new ArrayList<>();
  private final List<Connections> connections = new ArrayList<>();
  private final EventLoops loops;

  /// The socket that this server listens on, and has to remove.
  private @Nullable Path socket;

  /// @param loops started before this is
  /// @param tls with its files read; null when only the Unix socket is served
  public GrpcServer(
      Config.Grpc config,
      EventLoops loops,
      @Nullable Tls tls,
      UseCases useCases,
      Health health,
      CallObserver observer,
      Clock clock) {
    this.config = config;
    this.loops = loops;
    this.tls = tls;
    this.health = health;
    Config.Limits limits = config.limits();
    this.arrivals = new Arrivals(limits.maxRequestBytes(), limits.maxIncompleteBytes());
    var setting = new UnaryMethod.Setting(clock, limits.maxWait(), arrivals, observer, loops);
    this.unknownMethods = new UnknownMethods(setting);
    this.reflection = config.reflection() ? new Reflection(setting) : null;
    this.services =
        List.of(
            new MacGrpcService(useCases.macs()).definition(setting),
            new KeyGrpcService(useCases).definition(setting),
            new AccessKeyGrpcService(useCases.accessKeys()).definition(setting),
            health.definition(setting));
  }

  /// Listens.
  ///
  /// @throws IOException when an address is taken, or a Unix socket is asked for where there is no
  ///   epoll
  public void start() throws IOException {
    var _ =
        loops
            .group()
            .scheduleAtFixedRate(
                () -> arrivals.expire(System.nanoTime()),
                ARRIVALS_LOOK_MILLIS,
                ARRIVALS_LOOK_MILLIS,
                TimeUnit.MILLISECONDS);
    if (config.unix().isPresent()) {
      if (!EventLoops.isEpoll()) {
        throw new IOException("a Unix socket needs Linux's epoll", Epoll.unavailabilityCause());
      }
      Config.UnixSocket unix = config.unix().get();
      removeStale(unix.path());
      listen(
          new DomainSocketAddress(unix.path().toFile()), EpollServerDomainSocketChannel::new, null);
      socket = unix.path();
      Files.setPosixFilePermissions(unix.path(), unix.mode());
      log.atInfo().addKeyValue("path", unix.path()).log("Serving gRPC on a Unix socket");
    }
    if (config.tcp().isPresent() && tls != null) {
      tls.awaitLoaded();
      Server server = listen(config.tcp().get().listen(), EventLoops.tcp(), tls);
      log.atInfo().addKeyValue("address", address(server)).log("Serving gRPC with mutual TLS");
    }
  }

  private static SocketAddress address(Server server) {
    return server.getListenSockets().getFirst();
  }

  private Server listen(
      SocketAddress address, ChannelFactory<ServerChannel> channels, @Nullable Tls tlsHere)
      throws IOException {
    Config.Limits limits = config.limits();
    var bound = new Connections(limits.maxConnections(), limits.maxHandshakes(), tlsHere != null);
    NettyServerBuilder builder =
        NettyServerBuilder.forAddress(address)
            .channelFactory(() -> bounded(channels.newChannel(), bound))
            .bossEventLoopGroup(loops.group())
            .workerEventLoopGroup(loops.group())
            .directExecutor()
            .fallbackHandlerRegistry(unknownMethods)
            .decompressorRegistry(Gzip.REGISTRY)
            .addTransportFilter(new Authenticated(bound, tlsHere))
            .withOption(ChannelOption.SO_BACKLOG, 4096)
            .handshakeTimeout(limits.handshake().toMillis(), TimeUnit.MILLISECONDS)
            .initialFlowControlWindow(FLOW_CONTROL_WINDOW)
            .maxInboundMessageSize(limits.maxRequestBytes())
            .maxInboundMetadataSize(limits.maxMetadataBytes())
            .maxConcurrentCallsPerConnection(limits.maxStreams())
            .maxRstFramesPerWindow(MAX_RESETS_PER_WINDOW, RESET_WINDOW_SECONDS)
            .maxConnectionIdle(limits.idle().toMillis(), TimeUnit.MILLISECONDS)
            .maxConnectionAge(limits.age().toMillis(), TimeUnit.MILLISECONDS)
            .maxConnectionAgeGrace(limits.maxWait().toMillis(), TimeUnit.MILLISECONDS)
            .keepAliveTime(limits.keepAlive().toMillis(), TimeUnit.MILLISECONDS)
            .keepAliveTimeout(limits.keepAliveTimeout().toMillis(), TimeUnit.MILLISECONDS)
            .permitKeepAliveTime(limits.minClientKeepAlive().toMillis(), TimeUnit.MILLISECONDS)
            .permitKeepAliveWithoutCalls(true);
    ProtocolNegotiator negotiator;
    if (tlsHere != null) {
      negotiator = InternalProtocolNegotiators.serverTls(tlsHere.context());
    } else {
      negotiator = new UnixNegotiator();
      // gRPC sets it on every connection, and Netty warns that a Unix socket does not know it.
      builder.withChildOption(ChannelOption.SO_KEEPALIVE, null);
    }
    builder.protocolNegotiator(Inflow.bounding(negotiator, arrivals));
    services.forEach(builder::addService);
    if (reflection != null) {
      builder.addService(reflection.definition());
    }
    Server server = builder.build().start();
    servers.add(server);
    connections.add(bound);
    return server;
  }

  /// Tells who is at the other end of each connection that has authenticated.
  private static final class Authenticated extends ServerTransportFilter {
    private final Connections bound;
    private final @Nullable Tls tls;

    Authenticated(Connections bound, @Nullable Tls tls) {
      this.bound = bound;
      this.tls = tls;
    }

    @Override
    public Attributes transportReady(Attributes attributes) {
      bound.authenticated(attributes.get(Grpc.TRANSPORT_ATTR_REMOTE_ADDR));
      return tls == null
          ? attributes // The Unix socket's negotiator has told who it is.
          : attributes.toBuilder().set(Peer.KEY, Peer.ofCertificate(attributes, tls)).build();
    }
  }

  private static <C extends Channel> C bounded(C channel, Connections bound) {
    channel.pipeline().addLast(bound);
    return channel;
  }

  /// Removes a socket that a crash left behind; one that somebody listens on stays, and so does
  /// whatever is no socket.
  private static void removeStale(Path path) throws IOException {
    if (!Files.exists(path)) {
      return;
    }
    try (SocketChannel probe = SocketChannel.open(StandardProtocolFamily.UNIX)) {
      if (probe.connect(UnixDomainSocketAddress.of(path))) {
        throw new IOException("somebody listens on " + path);
      }
    } catch (java.net.SocketException e) {
      // Refused: nobody listens. Only a socket can refuse.
      if (Files.getAttribute(path, "unix:mode") instanceof Integer mode
          && (mode & 0xf000) == 0xc000) {
        Files.delete(path);
      }
    }
  }

  /// Where TCP is listened on; the port is the kernel's choice if the configuration says 0.
  public Optional<InetSocketAddress> tcpAddress() {
    return servers.stream()
        .map(GrpcServer::address)
        .filter(InetSocketAddress.class::isInstance)
        .map(InetSocketAddress.class::cast)
        .findFirst();
  }

  public int openConnections() {
    return connections.stream().mapToInt(Connections::open).sum();
  }

  /// Connections that were closed because there were too many.
  public long refusedConnections() {
    return connections.stream().mapToLong(Connections::refused).sum();
  }

  /// Takes no new calls, and waits for those under way to end.
  ///
  /// @param limit for all of it
  public void drain(Duration limit) {
    servers.forEach(Server::shutdown);
    health.endWatches();
    if (reflection != null) {
      reflection.stop();
    }
    var _ = isOver(limit);
  }

  private boolean isOver(Duration limit) {
    long end = System.nanoTime() + limit.toNanos();
    try {
      for (Server server : servers) {
        if (!server.awaitTermination(Math.max(1, end - System.nanoTime()), TimeUnit.NANOSECONDS)) {
          return false;
        }
      }
      return true;
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  /// Ends whatever is left.
  @Override
  public void close() {
    drain(LAST_ANSWERS);
    for (Server server : servers) {
      if (!server.isTerminated()) {
        log.atWarn().log("Connections were cut off: they did not end within grpc.limits.drain");
        server.shutdownNow();
      }
    }
    if (socket != null) {
      var _ = socket.toFile().delete();
    }
  }
}
