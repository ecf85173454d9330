package dev.hmacd;

import dev.hmacd.access.Access;
import dev.hmacd.access.RuleDifference;
import dev.hmacd.config.Config;
import dev.hmacd.file.FileException;
import dev.hmacd.key.DaemonKey;
import dev.hmacd.metrics.Metrics;
import dev.hmacd.metrics.MetricsServer;
import dev.hmacd.registry.Registry;
import dev.hmacd.rpc.HealthGrpcService;
import dev.hmacd.token.HealthCheck;
import dev.hmacd.token.Lanes;
import dev.hmacd.token.Token;
import dev.hmacd.token.TokenException;
import dev.hmacd.token.TokenPool;
import dev.hmacd.token.TokenRouter;
import dev.hmacd.transport.EventLoops;
import dev.hmacd.transport.FileDescriptors;
import dev.hmacd.transport.ListenException;
import dev.hmacd.usecase.AccessKeyService;
import dev.hmacd.usecase.AliasService;
import dev.hmacd.usecase.CallObserver;
import dev.hmacd.usecase.CallPipeline;
import dev.hmacd.usecase.KeyAuthorizer;
import dev.hmacd.usecase.KeyCreation;
import dev.hmacd.usecase.KeyDeletion;
import dev.hmacd.usecase.KeyRecovery;
import dev.hmacd.usecase.KeyService;
import dev.hmacd.usecase.KeyStateService;
import dev.hmacd.usecase.MacService;
import dev.hmacd.usecase.RandomService;
import dev.hmacd.usecase.TagService;
import dev.hmacd.usecase.UnavailableKeys;
import dev.hmacd.usecase.UnforeseenFailureLog;
import dev.hmacd.usecase.UseCases;
import java.net.InetSocketAddress;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The daemon, which builds and owns every long-lived object. Not thread-safe, except for
/// [#reload], [#configurationAccepted], [#configurationRefused], [#reloadTls], [#reloadOutdatedTls]
/// and [#retryPin].
public final class Daemon implements AutoCloseable {
  /// Maximum time that a stop waits for lanes in a token operation, after the drain of the calls.
  private static final Duration HANGING = Duration.ofSeconds(1);

  /// Time limit for closing each part, longer than the time limits inside the part.
  private static final Duration CLOSE_LIMIT = Duration.ofMinutes(1);

  private static final Logger log = LoggerFactory.getLogger(Daemon.class);

  /// Whether a start may create the daemon's own keys.
  public enum Provision {
    /// Creates no keys. In production, an operator creates the daemon's own keys with `hmacd init`,
    /// so that the daemon never writes to a wrong token.
    NEVER,
    /// Creates missing own keys of the daemon, unless the registry was lost.
    IF_NOT_LOST,
    IF_MISSING
  }

  private final Config config;
  private final Closer closer = new Closer();
  private final EventLoops loops = new EventLoops();
  private final Metrics metrics = new Metrics();
  private final MetricsServer metricsServer = new MetricsServer(metrics, loops);
  private final Access access;
  private final Registry registry;
  private final TokenPool tokens;
  private final KeyRecovery recovery;
  private final KeyDeletion deletion;
  private final UseCases useCases;
  private final DaemonKeySetup ownKeys;
  private final Edges edges;
  private final ReloadStatus configurationLoads;
  private final ReloadStatus tlsLoads;

  /// @param tokens in the order of the configuration
  /// @param onLost called when a token is lost and no token is in service, if the configuration has
  ///   `exit_when_lost`
  public Daemon(Config config, List<Token> tokens, Clock clock, Runnable onLost) {
    this(config, tokens, clock, onLost, List.of());
  }

  /// @param tokens in the order of the configuration
  /// @param onLost called when a token is lost and no token is in service, if the configuration has
  ///   `exit_when_lost`
  /// @param observers additional observers of all calls
  public Daemon(
      Config config,
      List<Token> tokens,
      Clock clock,
      Runnable onLost,
      List<CallObserver> observers) {
    this.config = config;
    configurationLoads = new ReloadStatus(clock);
    tlsLoads = new ReloadStatus(clock);
    access = new Access(config.rules());
    var health = new HealthGrpcService();
    registry =
        new Registry(
            config.registry().path(),
            config.arn(),
            clock,
            config.registry().maxCacheBytes(),
            loops::tasksBegun);
    this.tokens =
        new TokenPool(
            uses(config.tokens(), tokens),
            metrics::ofToken,
            new HealthReporter(health, this::inService, config.exitsWhenLost(), onLost));
    var router = new TokenRouter(this.tokens);
    recovery = new KeyRecovery(registry, router);
    var maker = new KeyCreation(registry, router, recovery);
    deletion = new KeyDeletion(registry, router);
    var unavailableKeys = new UnavailableKeys();
    var authorizer = new KeyAuthorizer(registry.keys(), access);
    useCases =
        new UseCases(
            new MacService(registry, authorizer, router, unavailableKeys),
            new KeyService(registry, authorizer, maker, router, unavailableKeys, clock),
            new AliasService(registry, authorizer),
            new KeyStateService(registry, authorizer, clock),
            new TagService(registry, authorizer),
            new RandomService(authorizer, router),
            new AccessKeyService(registry, authorizer, router, clock));
    ownKeys = new DaemonKeySetup(config.registry().path(), registry.ownKeys(), tokens);
    List<CallObserver> all = new ArrayList<>(observers);
    all.add(new UnforeseenFailureLog());
    all.add(metrics);
    edges = new Edges(config, loops, useCases, health, new CallPipeline(all), clock);
    register(health);
  }

  private void inService(String serial) {
    recovery.recoverOn(serial);
  }

  private static List<TokenPool.Use> uses(List<Config.TokenSettings> settings, List<Token> tokens) {
    List<TokenPool.Use> uses = new ArrayList<>();
    for (int i = 0; i < tokens.size(); i++) {
      uses.add(new TokenPool.Use(tokens.get(i), settings(settings.get(i))));
    }
    return uses;
  }

  private static TokenPool.Settings settings(Config.TokenSettings token) {
    Config.Probing probing = token.probing();
    return new TokenPool.Settings(
        new Lanes.Settings(
            token.lanes(),
            token.queue(),
            token.hanging().timeout(),
            token.hanging().maxReplaced(),
            HANGING),
        new HealthCheck.Settings(probing.interval(), probing.timeout(), probing.lostAfter()));
  }

  /// Registers all parts with the closer. A stop closes the parts in reverse order of registration.
  /// A stop loses no call: it first sets the health status to NOT_SERVING and drains the calls in
  /// flight. After the drain, the lanes and the registry close, and answer the remaining calls. A
  /// stop closes the connections last, and the metrics endpoint after the edges.
  private void register(HealthGrpcService health) {
    Duration drain = config.grpc().limits().drain();
    closer.register("event-loops", CLOSE_LIMIT, loops);
    closer.register("metrics", CLOSE_LIMIT, metricsServer);
    edges.register(closer, CLOSE_LIMIT);
    closer.register("registry", CLOSE_LIMIT, registry);
    closer.register("tokens", CLOSE_LIMIT, tokens);
    closer.register("key-deletion", CLOSE_LIMIT, deletion);
    closer.register("drain", drain.plus(CLOSE_LIMIT), () -> edges.drain(drain));
    closer.register("health-checks", CLOSE_LIMIT, tokens::stopProbes);
    closer.register("health-status", CLOSE_LIMIT, health::stop);
  }

  /// Opens all parts and serves calls. The health status is SERVING after the first successful
  /// health check. If the start fails, all parts are closed.
  ///
  /// @throws StartException with the remedy for an operator, of the first failure alone;
  ///   [StartCheck] finds the others
  public void start(Provision provision) throws StartException {
    FileDescriptorDemand.of(config).shortage(FileDescriptors.max()).ifPresent(Daemon::warnOf);
    HeapDemand.of(config).shortage(HeapDemand.maxMib()).ifPresent(Daemon::warnOf);
    try {
      StartException.convert(() -> open(provision));
    } catch (StartException | RuntimeException | Error e) {
      closeAfter(e);
      throw e;
    }
  }

  private void open(Provision provision)
      throws StartException, TokenException, ListenException, FileException {
    edges.startLoadingTls();
    if (provision == Provision.NEVER) {
      registry.openExisting(); // An operator has to run hmacd init, which creates the registry.
    } else {
      registry.open();
    }
    ownKeys.createMissing(provision);
    Map<String, DaemonKey> probeKeys = ownKeys.probeKeys();
    DaemonKeySetup.AccessKeyMaster master = ownKeys.accessKeyMaster();
    useCases.accessKeys().start(master.key(), master.holders());
    tokens.start(probeKeys, config.grpc().limits().messageLengthTrial());
    recovery.recoverAll();
    deletion.start();
    loops.start();
    edges.start();
    tokens.startProbes(probeKeys);
    var registration = new DaemonMetrics(metrics);
    registration.registerProcess();
    registration.registerEndpoint(metricsServer);
    registration.registerRegistry(registry);
    registration.registerLoads(configurationLoads, tlsLoads);
    tokens.members().forEach(registration::registerToken);
    edges.register(registration);
    if (config.metrics().isPresent()) {
      startMetrics(config.metrics().get());
    }
  }

  private void startMetrics(Config.Metrics settings) throws ListenException {
    if (settings.tcp().isPresent()) {
      metricsServer.start(settings.tcp().get());
    }
    if (settings.unix().isPresent()) {
      Config.UnixSocket socket = settings.unix().get();
      metricsServer.start(socket.path(), socket.mode());
    }
  }

  private static void warnOf(Shortage shortage) {
    log.atWarn()
        .addKeyValue("limit", shortage.limit())
        .addKeyValue("needed", shortage.needed())
        .addKeyValue("remedy", shortage.remedy())
        .log(shortage.problem());
  }

  /// Closes all parts after a failed start. A failure to close is a suppressed exception of the
  /// start's failure.
  private void closeAfter(Throwable failure) {
    try {
      close();
    } catch (RuntimeException | Error e) {
      failure.addSuppressed(e);
    }
  }

  /// Allows one more login with each refused PIN. Thread-safe.
  public void retryPin() {
    tokens.retryPins();
  }

  /// Applies the access rules of a new configuration. Thread-safe.
  public void reload(Config fresh) {
    RuleDifference difference = access.replace(fresh.rules());
    if (!difference.isEmpty()) {
      log.atInfo()
          .addKeyValue("rules", fresh.rules().size())
          .addKeyValue("added", difference.added())
          .addKeyValue("removed", difference.removed())
          .addKeyValue("changed", difference.changed())
          .log("Access rules reloaded");
    }
    if (!fresh.withRules(config.rules()).equals(config)) {
      log.atWarn()
          .log("Configuration changes other than access rules need a restart of the daemon");
    }
  }

  /// Records for the metrics that the configuration on the disk can be used. Thread-safe.
  public void configurationAccepted() {
    configurationLoads.succeeded();
  }

  /// Records for the metrics that the configuration on the disk cannot be used. Thread-safe.
  public void configurationRefused() {
    configurationLoads.failed();
  }

  /// Reads the TLS files of all edges again. Thread-safe.
  ///
  /// @throws FileException if new TLS files cannot be used; the previous TLS files stay in use
  public void reloadTls() throws FileException {
    try {
      edges.reloadTls();
      tlsLoads.succeeded();
    } catch (FileException e) {
      tlsLoads.failed();
      throw e;
    }
  }

  /// Reads the TLS files of each outdated edge again: its files have changed, its last reload
  /// failed, or a certificate authority of its callers has expired or has become valid.
  /// Thread-safe.
  ///
  /// @throws FileException if new TLS files cannot be used; the previous TLS files stay in use
  public void reloadOutdatedTls() throws FileException {
    try {
      if (edges.reloadOutdatedTls()) {
        tlsLoads.succeeded();
      }
    } catch (FileException e) {
      tlsLoads.failed();
      throw e;
    }
  }

  /// The use cases, for the command that starts the daemon.
  public UseCases useCases() {
    return useCases;
  }

  /// Address of the TCP listener of the gRPC edge.
  public Optional<InetSocketAddress> tcpAddress() {
    return edges.grpcAddress();
  }

  /// Address of the listener of the AWS KMS edge.
  public Optional<InetSocketAddress> awsKmsAddress() {
    return edges.awsKmsAddress();
  }

  /// Waits for the first successful health check of a token.
  ///
  /// @return false if the time limit passed before a successful health check
  public boolean awaitHealthy(Duration limit) throws InterruptedException {
    return tokens.awaitHealthy(limit);
  }

  /// The port of the metrics endpoint; 0 without it.
  public int metricsPort() {
    return metricsServer.port();
  }

  /// Stops serving and closes all parts, each once. Also closes a daemon that was not started.
  @Override
  public void close() {
    closer.close();
  }
}
