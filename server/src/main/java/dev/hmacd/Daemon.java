package dev.hmacd;

import dev.hmacd.access.Access;
import dev.hmacd.awskms.AwsKmsServer;
import dev.hmacd.config.Config;
import dev.hmacd.key.OwnKey;
import dev.hmacd.metrics.Metrics;
import dev.hmacd.registry.AccessKeyRegistry;
import dev.hmacd.registry.KeyRegistry;
import dev.hmacd.registry.OwnKeys;
import dev.hmacd.registry.RegistryException;
import dev.hmacd.registry.RegistryStore;
import dev.hmacd.rpc.GrpcServer;
import dev.hmacd.rpc.Health;
import dev.hmacd.token.HealthCheck;
import dev.hmacd.token.Lanes;
import dev.hmacd.token.Provisioning;
import dev.hmacd.token.Token;
import dev.hmacd.token.TokenException;
import dev.hmacd.token.TokenSession;
import dev.hmacd.token.Tokens;
import dev.hmacd.transport.EventLoops;
import dev.hmacd.transport.ListenException;
import dev.hmacd.transport.MemoryBudget;
import dev.hmacd.transport.Tls;
import dev.hmacd.usecase.AccessKeyService;
import dev.hmacd.usecase.AliasService;
import dev.hmacd.usecase.Availability;
import dev.hmacd.usecase.CallObserver;
import dev.hmacd.usecase.CallPipeline;
import dev.hmacd.usecase.KeyDeletion;
import dev.hmacd.usecase.KeyMaker;
import dev.hmacd.usecase.KeyService;
import dev.hmacd.usecase.KeyStateService;
import dev.hmacd.usecase.MacService;
import dev.hmacd.usecase.RandomService;
import dev.hmacd.usecase.TagService;
import dev.hmacd.usecase.UseCases;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.CompletionException;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The daemon: builds and owns every long-lived object. Not thread-safe, except for [#reload],
/// [#reloadTls] and [#retryPin].
public final class Daemon implements AutoCloseable {
  /// Timeout of a stop for lanes that are still in a token operation after the drain: they hang.
  private static final Duration HANGING = Duration.ofSeconds(1);

  private static final Logger log = LoggerFactory.getLogger(Daemon.class);

  /// Whether a start may create the daemon's own keys.
  public enum Provision {
    /// In production an operator creates them with `hmacd init`, so that the daemon never writes to
    /// a wrong token.
    NEVER,
    /// Creates missing own keys, unless the registry was lost.
    IF_NOT_LOST,
    IF_MISSING
  }

  private final Config config;
  private Runnable onLost = () -> {};
  private final Health health = new Health();
  private final Metrics metrics = new Metrics();
  private final Access access;
  private final RegistryStore store;
  private final OwnKeys ownKeys;
  private final Tokens tokens;
  private final KeyMaker maker;
  private final KeyDeletion deletion;
  private final UseCases useCases;
  private final @Nullable Tls tls;
  private final EventLoops loops = new EventLoops();
  private final MemoryBudget budget;
  private final GrpcServer server;
  private final @Nullable Tls awsTls;
  private final @Nullable AwsKmsServer awsKms;

  /// @param tokens in the order of the configuration
  public Daemon(Config config, List<Token> tokens, Clock clock) {
    this(config, tokens, clock, List.of());
  }

  /// @param tokens in the order of the configuration
  /// @param observers of all calls, in addition to the metrics
  public Daemon(Config config, List<Token> tokens, Clock clock, List<CallObserver> observers) {
    this.config = config;
    access = new Access(config.rules());
    store = new RegistryStore(config.registry(), config.arn());
    ownKeys = new OwnKeys(store);
    var registry = new KeyRegistry(store, clock);
    var accessKeys = new AccessKeyRegistry(store);
    List<Tokens.Use> uses = new ArrayList<>();
    for (int i = 0; i < tokens.size(); i++) {
      uses.add(new Tokens.Use(tokens.get(i), settings(config.tokens().get(i))));
    }
    this.tokens = new Tokens(uses, metrics::ofToken, new TokenWatch());
    maker = new KeyMaker(registry, this.tokens);
    this.tokens.whenInService(maker::settleOn);
    deletion = new KeyDeletion(registry, this.tokens);
    var availability = new Availability();
    useCases =
        new UseCases(
            new MacService(registry, access, this.tokens, availability),
            new KeyService(registry, access, maker, this.tokens, availability, clock),
            new AliasService(registry, access),
            new KeyStateService(registry, access, clock),
            new TagService(registry, access),
            new RandomService(registry, access, this.tokens),
            new AccessKeyService(registry, accessKeys, access, this.tokens, clock));
    tls = config.grpc().tcp().map(tcp -> new Tls("grpc.tls", tcp.tls(), "h2")).orElse(null);
    budget =
        new MemoryBudget(
            Runtime.getRuntime().maxMemory() / 100 * config.memory().maxConnectionPercent());
    List<CallObserver> all = new ArrayList<>(observers);
    all.add(metrics);
    var calls = new CallPipeline(all);
    server = new GrpcServer(config.grpc(), loops, tls, useCases, health, calls, clock, budget);
    awsTls =
        config
            .awsKms()
            .flatMap(Config.AwsKms::tls)
            .map(files -> new Tls("aws_kms.tls", files, "h2", "http/1.1"))
            .orElse(null);
    awsKms =
        config
            .awsKms()
            .map(edge -> new AwsKmsServer(edge, loops, awsTls, useCases, calls, clock, budget))
            .orElse(null);
  }

  private static Tokens.Settings settings(Config.TokenSettings token) {
    Config.Probing probing = token.probing();
    return new Tokens.Settings(
        new Lanes.Settings(
            token.lanes(),
            token.queue(),
            token.hanging().timeout(),
            token.hanging().maxReplaced(),
            HANGING),
        new HealthCheck.Settings(probing.interval(), probing.timeout(), probing.lostAfter()));
  }

  /// Opens all parts and serves. The health status is SERVING after a token gave the known answer.
  ///
  /// @throws StartException with the remedy for an operator
  public void start(Provision provision) throws StartException {
    try {
      if (tls != null) {
        tls.startLoading();
      }
      if (awsTls != null) {
        awsTls.startLoading();
      }
      store.open();
      if (provision == Provision.IF_NOT_LOST) {
        requireRegistryNotLost("remove the folder of hmacd dev");
        requireKnownTokens();
      }
      if (provision != Provision.NEVER) {
        provision();
      }
      Map<String, OwnKey> probeKeys = probeKeys();
      startAccessKeys();
      tokens.start(probeKeys);
      maker.settleAll();
      deletion.start();
      loops.start();
      server.start();
      if (awsKms != null) {
        awsKms.start();
      }
      tokens.startProbes(probeKeys);
      measure();
      if (config.metrics().isPresent()) {
        serveMetrics(config.metrics().get());
      }
    } catch (TokenException e) {
      throw closed(
          new StartException(
              e.getMessage(),
              e.isPinRefused() ? StartException.CONFIG : StartException.TEMPORARY,
              e));
    } catch (RegistryException e) {
      throw closed(StartException.of(e));
    } catch (CompletionException e) {
      throw StartException.of(closed(e));
    } catch (ListenException e) {
      throw closed(
          new StartException(
              e.getMessage(),
              e.isTemporary() ? StartException.TEMPORARY : StartException.CONFIG,
              e));
    } catch (IOException e) {
      throw closed(new StartException(String.valueOf(e.getMessage()), StartException.CONFIG, e));
    } catch (StartException | RuntimeException | Error e) {
      var _ = closed(e);
      throw e;
    }
  }

  private void serveMetrics(InetSocketAddress address) throws ListenException {
    try {
      metrics.serve(address);
    } catch (IOException e) {
      throw ListenException.of("metrics.listen", address, e);
    }
  }

  /// Closes all parts that the start has opened. If the close fails, too, its exception is added to
  /// the start's failure as suppressed.
  private <E extends Throwable> E closed(E failure) {
    try {
      close();
    } catch (RuntimeException e) {
      failure.addSuppressed(e);
    }
    return failure;
  }

  /// Creates missing own keys of the daemon.
  private void provision() throws StartException, TokenException {
    try {
      for (Tokens.Member member : tokens.members()) {
        for (OwnKey.Purpose purpose : OwnKey.Purpose.values()) {
          if (ownKeys.find(member.serial(), purpose).join().isPresent()) {
            continue;
          }
          try (TokenSession session = member.token().open()) {
            OwnKey made = Provisioning.ensure(session, purpose, Optional.empty());
            var _ = ownKeys.put(member.serial(), made).join();
          }
        }
      }
    } catch (CompletionException e) {
      throw StartException.of(e);
    }
  }

  /// Searches the tokens only if the registry is new.
  private void requireRegistryNotLost(String otherwise) throws StartException, TokenException {
    if (!ownKeys.isEmpty().join()) {
      return;
    }
    for (Tokens.Member member : tokens.members()) {
      try (TokenSession session = member.token().open()) {
        TokenSession.Count keys = LostRegistry.keysKnownBefore(session);
        if (!keys.isNone()) {
          throw LostRegistry.lost(config.registry(), member.serial(), keys, otherwise);
        }
      }
    }
  }

  /// Refuses a registry with keys of other tokens, if none of these tokens is present.
  private void requireKnownTokens() throws StartException {
    List<String> known = others(OwnKey.Purpose.PROBE);
    if (!known.isEmpty() && tokens.serials().stream().noneMatch(known::contains)) {
      throw new StartException(
          "the registry "
              + config.registry()
              + " has keys of hmacd on token "
              + String.join(" and ", known)
              + ", which is not present: restore that token, or remove the folder of hmacd dev",
          StartException.CONFIG,
          null);
    }
  }

  /// The probe keys, by serial number of their token.
  private Map<String, OwnKey> probeKeys() throws StartException, TokenException {
    Map<String, OwnKey> found = new HashMap<>();
    for (String serial : tokens.serials()) {
      Optional<OwnKey> known = known(serial, OwnKey.Purpose.PROBE);
      if (known.isEmpty()) {
        requireRegistryNotLost(LostRegistry.INIT);
        throw missing(OwnKey.Purpose.PROBE, serial);
      }
      found.put(serial, known.get());
    }
    return found;
  }

  /// The key for access keys is that of the first token with one. The other tokens may have a copy
  /// of it.
  private void startAccessKeys() throws StartException {
    OwnKey master = null;
    List<String> holders = new ArrayList<>();
    for (String serial : tokens.serials()) {
      Optional<OwnKey> known = known(serial, OwnKey.Purpose.ACCESS_KEYS);
      if (master == null) {
        master = known.orElse(null);
      }
      if (known.isPresent() && known.get().equals(master)) {
        holders.add(serial);
      }
    }
    if (master == null) {
      throw missing(OwnKey.Purpose.ACCESS_KEYS, String.join(" or ", tokens.serials()));
    }
    useCases.accessKeys().start(master, holders);
  }

  private Optional<OwnKey> known(String serial, OwnKey.Purpose purpose) throws StartException {
    try {
      return ownKeys.find(serial, purpose).join();
    } catch (CompletionException e) {
      throw StartException.of(e);
    }
  }

  private StartException missing(OwnKey.Purpose purpose, String serial) throws StartException {
    List<String> others = others(purpose);
    return new StartException(
        "the registry "
            + config.registry()
            + " has no "
            + OwnKey.label(purpose)
            + " of token "
            + serial
            + (others.isEmpty()
                ? ": run hmacd init"
                : ", but of token "
                    + String.join(" and ", others)
                    + ": configure that token. If token "
                    + serial
                    + " was restored from its backup: hmacd init --restored "
                    + others.getFirst()
                    + "="
                    + serial
                    + ". If token "
                    + serial
                    + " was added: hmacd init"),
        StartException.CONFIG,
        null);
  }

  private List<String> others(OwnKey.Purpose purpose) throws StartException {
    try {
      return ownKeys.tokenSerials(purpose).join();
    } catch (CompletionException e) {
      throw StartException.of(e);
    }
  }

  /// Reports changes of the tokens' health to the health service and to the log.
  private final class TokenWatch implements HealthCheck.Listener {
    @Override
    public void healthy(boolean is) {
      health.setServing(is);
      if (is) {
        log.atInfo().log("The token gives the known answer: SERVING");
      } else {
        log.atError().log("The token does not give the known answer: NOT_SERVING");
      }
    }

    @Override
    public void lost() {
      boolean exit = config.exitsWhenLost();
      log.atError()
          .log(
              exit
                  ? "Exiting with status 75: no token is in service (exit_when_lost)"
                  : "No token is in service: a restart may help (exit_when_lost)");
      if (exit) {
        onLost.run();
      }
    }
  }

  /// Sets the action that ends the process. Call it before [#start].
  ///
  /// @param ending called when no token is in service and the configuration has `exit_when_lost`
  public void onLost(Runnable ending) {
    onLost = ending;
  }

  /// Allows one more login with each refused PIN. Thread-safe.
  public void retryPin() {
    tokens.retryPins();
  }

  private void measure() {
    tokens.members().forEach(this::measure);
    metrics.gauge(
        "hmacd_netty_direct_bytes",
        "Direct memory in bytes that Netty counts itself; 0 where the JVM counts it.",
        EventLoops::directMemory);
    metrics.gauge("hmacd_connections", "Open gRPC connections.", server::openConnections);
    metrics.counter(
        "hmacd_connections_refused_total",
        "gRPC connections closed or refused at a maximum number of connections.",
        server::refusedConnections);
    metrics.gauge(
        "hmacd_connection_memory_bytes",
        "Memory in bytes that connections of both edges hold, as memory.max_connection_percent"
            + " counts.",
        budget::held);
    metrics.counter(
        "hmacd_connections_cut_for_memory_total",
        "Connections of both edges cut because a memory bound was exceeded.",
        budget::evictions);
    if (tls != null) {
      metrics.gauge(
          "hmacd_certificate_expiry_timestamp_seconds",
          "Expiry of the certificate of the gRPC edge, in seconds since the Unix epoch.",
          () -> tls.notAfter().getEpochSecond());
    }
    if (awsKms != null) {
      measure(awsKms);
    }
  }

  private void measure(Tokens.Member member) {
    Lanes lanes = member.lanes();
    HealthCheck probe = member.probe();
    var gauges = metrics.ofToken(member.serial());
    gauges.gauge("hmacd_lanes", "Lanes: threads with one session each.", lanes::size);
    gauges.gauge("hmacd_lanes_busy", "Lanes in a token operation.", lanes::busy);
    gauges.gauge("hmacd_lanes_overdue", "Lanes in an operation past its deadline.", lanes::overdue);
    gauges.gauge(
        "hmacd_lanes_replaced",
        "Lanes that hang in a call into the token, and that another lane replaces.",
        lanes::hanging);
    gauges.gauge("hmacd_sessions_open", "Sessions with the token.", lanes::sessions);
    gauges.gauge("hmacd_token_queue", "Operations that wait for a lane.", lanes::waiting);
    gauges.gauge(
        "hmacd_token_healthy",
        "1 if the last health check gave the known answer.",
        () -> probe.isHealthy() ? 1 : 0);
    gauges.gauge(
        "hmacd_token_pin_refused",
        "1 if the token refused the PIN or the PIN file is not usable: no login until SIGHUP.",
        () -> probe.isPinRefused() ? 1 : 0);
  }

  private void measure(AwsKmsServer edge) {
    metrics.gauge(
        "hmacd_aws_kms_connections",
        "Open connections of the AWS KMS edge.",
        edge::openConnections);
    metrics.counter(
        "hmacd_aws_kms_connections_refused_total",
        "Connections of the AWS KMS edge closed or refused at a maximum number of connections.",
        edge::refusedConnections);
    metrics.gauge(
        "hmacd_aws_kms_requests", "Requests in flight of the AWS KMS edge.", edge::requests);
    metrics.gauge(
        "hmacd_aws_kms_buffered_bytes",
        "Bytes of request bodies in memory, of the AWS KMS edge.",
        edge::bufferedBytes);
    if (awsTls != null) {
      metrics.gauge(
          "hmacd_aws_kms_certificate_expiry_timestamp_seconds",
          "Expiry of the certificate of the AWS KMS edge, in seconds since the Unix epoch.",
          () -> awsTls.notAfter().getEpochSecond());
    }
  }

  /// Applies the rules of a configuration that was read again. Thread-safe.
  public void reload(Config fresh) {
    access.replace(fresh.rules());
    log.atInfo().addKeyValue("rules", fresh.rules().size()).log("Rules replaced");
    if (!fresh.withRules(config.rules()).equals(config)) {
      log.atWarn().log("The configuration has changes beside its rules; they need a restart");
    }
  }

  /// Reads the TLS files again. Thread-safe.
  ///
  /// @throws IOException if files cannot be used; the previous files stay in use
  public void reloadTls() throws IOException {
    try {
      if (tls != null) {
        reload(tls);
      }
    } finally {
      if (awsTls != null) {
        reload(awsTls);
      }
    }
  }

  private static void reload(Tls files) throws IOException {
    files.reload();
    log.atInfo().addKeyValue("not_after", files.notAfter()).log("TLS files replaced");
  }

  /// The use cases, for the command that starts the daemon.
  public UseCases useCases() {
    return useCases;
  }

  /// Address of the TCP listener of the gRPC edge.
  public Optional<InetSocketAddress> tcpAddress() {
    return server.tcpAddress();
  }

  /// Address of the AWS KMS edge's listener.
  public Optional<InetSocketAddress> awsKmsAddress() {
    return Optional.ofNullable(awsKms).flatMap(AwsKmsServer::address);
  }

  /// Waits until a token has given its first known answer.
  ///
  /// @return false if the limit was reached before
  public boolean awaitHealthy(Duration limit) throws InterruptedException {
    return tokens.awaitHealthy(limit);
  }

  public int metricsPort() {
    return metrics.port();
  }

  /// Stops in an order that loses no call. First the health status directs clients elsewhere, and
  /// calls in flight end. Then lanes and the registry close, and answer the remaining calls.
  /// Connections close last.
  @Override
  public void close() {
    health.stop();
    tokens.stopProbes();
    Duration drain = config.grpc().limits().drain();
    long end = System.nanoTime() + drain.toNanos();
    if (awsKms != null) {
      awsKms.beginDrain();
    }
    server.drain(drain);
    if (awsKms != null) {
      awsKms.awaitDrained(Duration.ofNanos(Math.max(0, end - System.nanoTime())));
    }
    deletion.close();
    tokens.close();
    store.close();
    server.close();
    if (awsKms != null) {
      awsKms.close();
    }
    loops.close();
    metrics.close();
  }
}
