package dev.hmacd.rpc;

import dev.hmacd.access.Principal;
import dev.hmacd.authn.Authenticator;
import dev.hmacd.config.Config;
import dev.hmacd.config.HostPort;
import dev.hmacd.file.FileException;
import dev.hmacd.log.ScheduledTask;
import dev.hmacd.transport.Connections;
import dev.hmacd.transport.EventLoops;
import dev.hmacd.transport.HandshakeMonitor;
import dev.hmacd.transport.ListenException;
import dev.hmacd.transport.MemoryBudget;
import dev.hmacd.transport.TlsContext;
import dev.hmacd.transport.UnixSocketFile;
import dev.hmacd.usecase.CallPipeline;
import dev.hmacd.usecase.UseCases;
import io.grpc.Server;
import io.grpc.ServerServiceDefinition;
import io.grpc.netty.InternalProtocolNegotiator.ProtocolNegotiator;
import io.grpc.netty.NettyServerBuilder;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFactory;
import io.netty.channel.ChannelOption;
import io.netty.channel.ServerChannel;
import io.netty.channel.epoll.EpollDomainSocketChannel;
import io.netty.channel.epoll.EpollServerDomainSocketChannel;
import io.netty.channel.unix.DomainSocketAddress;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The server of the gRPC edge: its listeners and services. Calls run on event loops and never
/// block them.
public final class GrpcServer implements AutoCloseable {
  /// The configuration key of the TCP listener.
  public static final String LISTEN_KEY = "grpc.listen";

  /// The configuration key of the Unix socket.
  public static final String UNIX_SOCKET_KEY = "grpc.unix_socket.path";

  private static final Logger log = LoggerFactory.getLogger(GrpcServer.class);

  /// HTTP/2 flow-control window: maximum number of unread request bytes on a connection (RFC 9113,
  /// section 5.2).
  private static final int FLOW_CONTROL_WINDOW = 1 << 18;

  /// Interval between checks of the deadlines of partially received requests.
  private static final long EXPIRY_CHECK_MILLIS = 250;

  /// Memory of an idle connection, in bytes of heap.
  private static final long IDLE_BYTES = 11 << 10;

  /// Maximum time that [#close] waits for the responses of calls that outlasted the drain.
  private static final Duration LAST_ANSWERS = Duration.ofSeconds(1);

  private static final int MAX_RESETS_PER_WINDOW = 400;
  private static final int RESET_WINDOW_SECONDS = 10;

  private final Config.Grpc config;
  private final @Nullable TlsContext tls;

  /// Null without a TCP listener.
  private final @Nullable HandshakeMonitor handshakes;

  private final List<ServerServiceDefinition> services;
  private final UnknownMethods unknownMethods;
  private final IncompleteRequests incompleteRequests;
  private final Authenticator authenticator;
  private final HealthGrpcService health;
  private final @Nullable ReflectionGrpcService reflection;
  private final List<Server> servers = new ArrayList<>();
  private final List<Connections> connections = new ArrayList<>();
  private final EventLoops loops;
  private final MemoryBudget budget;

  /// The file of the Unix socket, which [#close] removes; null if the server has no Unix socket.
  private @Nullable UnixSocketFile socket;

  /// @param loops must be started before this server
  /// @param tls [TlsContext#startLoading] must precede [#start]; null without a TCP listener
  public GrpcServer(
      Config.Grpc config,
      EventLoops loops,
      @Nullable TlsContext tls,
      UseCases useCases,
      HealthGrpcService health,
      CallPipeline calls,
      Authenticator authenticator,
      MemoryBudget budget) {
    this.config = config;
    this.loops = loops;
    this.tls = tls;
    this.authenticator = authenticator;
    this.health = health;
    this.budget = budget;
    Config.Limits limits = config.limits();
    this.handshakes = tls == null ? null : new HandshakeMonitor("grpc", limits.handshake(), "h2");
    this.incompleteRequests =
        new IncompleteRequests(limits.maxRequestBytes(), limits.maxIncompleteBytes());
    var starter =
        new CallStarter(
            authenticator,
            limits.maxWait(),
            incompleteRequests,
            calls,
            ResponseEncodeQueue.ofLoops(loops));
    this.unknownMethods = new UnknownMethods(starter);
    this.services =
        List.of(
            new MacGrpcService(useCases.macs(), limits.maxMessageBytes()).definition(starter),
            new KeyGrpcService(useCases).definition(starter),
            new AccessKeyGrpcService(useCases.accessKeys()).definition(starter),
            new RandomGrpcService(useCases.random()).definition(starter),
            health.definition(starter));
    this.reflection = config.reflection() ? new ReflectionGrpcService(services, starter) : null;
  }

  /// Opens the listeners.
  ///
  /// @throws ListenException if the daemon cannot listen on an address
  /// @throws FileException if the TLS files cannot be used
  public void start() throws ListenException, FileException {
    var _ =
        loops
            .group()
            .scheduleAtFixedRate(
                new ScheduledTask(
                    "deadlines of incomplete gRPC requests",
                    () -> incompleteRequests.expire(System.nanoTime())),
                EXPIRY_CHECK_MILLIS,
                EXPIRY_CHECK_MILLIS,
                TimeUnit.MILLISECONDS);
    if (config.unix().isPresent()) {
      Config.UnixSocket unix = config.unix().get();
      var file = new UnixSocketFile(UNIX_SOCKET_KEY, unix.path());
      file.prepare();
      listen(
          UNIX_SOCKET_KEY,
          unix.path(),
          new DomainSocketAddress(file.toBind().toFile()),
          EpollServerDomainSocketChannel::new,
          null);
      socket = file;
      file.publish(unix.mode());
      log.atInfo().addKeyValue("path", unix.path()).log("Serving gRPC on a Unix socket");
    }
    if (config.tcp().isPresent() && tls != null) {
      tls.awaitLoaded();
      InetSocketAddress configured = config.tcp().get().listen();
      Server server = listen(LISTEN_KEY, configured, configured, EventLoops.tcp(), tls);
      log.atInfo()
          .addKeyValue("address", HostPort.text(address(server)))
          .log("Serving gRPC with mutual TLS");
    }
  }

  private static SocketAddress address(Server server) {
    return server.getListenSockets().getFirst();
  }

  /// @param key the configuration key of the address
  /// @param configured the configured address, for error messages
  private Server listen(
      String key,
      Object configured,
      SocketAddress address,
      ChannelFactory<ServerChannel> channels,
      @Nullable TlsContext listenerTls)
      throws ListenException {
    Config.Limits limits = config.limits();
    var bounds =
        new Connections.Settings(
            limits.maxConnections(), limits.maxHandshakes(), IDLE_BYTES, limits.transfer());
    var bound =
        listenerTls != null
            ? new Connections(bounds, budget)
            : new Connections(bounds, budget, GrpcServer::user);
    HandshakeMonitor monitor = listenerTls == null ? null : handshakes;
    NettyServerBuilder builder =
        NettyServerBuilder.forAddress(address)
            .channelFactory(() -> bounded(channels.newChannel(), bound, monitor))
            .bossEventLoopGroup(loops.group())
            .workerEventLoopGroup(loops.group())
            .directExecutor()
            .fallbackHandlerRegistry(unknownMethods)
            .decompressorRegistry(GzipDecompressor.REGISTRY)
            .addTransportFilter(
                new CredentialsFilter(bound, listenerTls, monitor, authenticator, limits.maxWait()))
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
    if (listenerTls != null) {
      negotiator = new TlsNegotiator(listenerTls, limits.handshake());
    } else {
      negotiator = new UnixSocketNegotiator();
      // gRPC sets SO_KEEPALIVE on every connection. A Unix socket does not have this option, so
      // Netty would log a warning.
      builder.withChildOption(ChannelOption.SO_KEEPALIVE, null);
    }
    builder.protocolNegotiator(
        InboundFrameFilter.bounding(
            negotiator, incompleteRequests, limits.transfer(), limits.maxMetadataBytes()));
    services.forEach(builder::addService);
    if (reflection != null) {
      reflection.definitions().forEach(builder::addService);
    }
    Server server = builder.build();
    try {
      server.start();
    } catch (IOException e) {
      throw ListenException.of(key, configured, e);
    }
    servers.add(server);
    connections.add(bound);
    return server;
  }

  /// The principal of the process at the other end of a Unix socket.
  private static Object user(Channel connection) {
    try {
      return Principal.uid(((EpollDomainSocketChannel) connection).peerCredentials().uid());
    } catch (IOException | IllegalArgumentException e) {
      return CredentialsFilter
          .UNKNOWN_OWNER; // The connection is already closed, or the kernel reports no user.
    }
  }

  /// Adds the handlers of a listening channel.
  ///
  /// @param monitor null without TLS
  private static <C extends Channel> C bounded(
      C channel, Connections bound, @Nullable HandshakeMonitor monitor) {
    channel.pipeline().addLast(bound);
    if (monitor != null) {
      channel.pipeline().addLast(monitor);
    }
    return channel;
  }

  /// The monitor of the TLS handshakes; empty without a TCP listener.
  public Optional<HandshakeMonitor> handshakes() {
    return Optional.ofNullable(handshakes);
  }

  /// Address of the TCP listener; empty without a TCP listener. The kernel chooses the port if the
  /// configured port is 0.
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

  /// Number of connections that were closed because a bound on connections was exceeded.
  public long refusedConnections() {
    return connections.stream().mapToLong(Connections::refused).sum();
  }

  /// Accepts no new calls, and waits until the calls in flight have ended, or the limit has passed.
  ///
  /// @param limit maximum time of the whole wait
  public void drain(Duration limit) {
    servers.forEach(Server::shutdown);
    health.endWatches();
    if (reflection != null) {
      reflection.stop();
    }
    var _ = awaitTermination(limit);
  }

  private boolean awaitTermination(Duration limit) {
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

  /// Waits at most [#LAST_ANSWERS] for the last responses, then closes the remaining connections.
  @Override
  public void close() {
    drain(LAST_ANSWERS);
    for (Server server : servers) {
      if (!server.isTerminated()) {
        log.atWarn()
            .log("gRPC connections closed with calls in flight: grpc.limits.drain has elapsed");
        server.shutdownNow();
      }
    }
    if (socket != null) {
      socket.remove();
    }
  }
}
