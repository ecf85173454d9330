package dev.hmacd;

import dev.hmacd.access.Access;
import dev.hmacd.awskms.AwsKmsServer;
import dev.hmacd.config.Config;
import dev.hmacd.key.AccessKeyRegistry;
import dev.hmacd.key.KeyRegistry;
import dev.hmacd.key.OwnKey;
import dev.hmacd.key.OwnKeys;
import dev.hmacd.key.RegistryException;
import dev.hmacd.key.RegistryStore;
import dev.hmacd.mac.AccessKeyService;
import dev.hmacd.mac.AliasService;
import dev.hmacd.mac.Availability;
import dev.hmacd.mac.KeyDeletion;
import dev.hmacd.mac.KeyMaker;
import dev.hmacd.mac.KeyService;
import dev.hmacd.mac.KeyStateService;
import dev.hmacd.mac.MacService;
import dev.hmacd.mac.RandomService;
import dev.hmacd.mac.TagService;
import dev.hmacd.mac.UseCases;
import dev.hmacd.metrics.Metrics;
import dev.hmacd.rpc.GrpcServer;
import dev.hmacd.rpc.Health;
import dev.hmacd.token.Lanes;
import dev.hmacd.token.Probe;
import dev.hmacd.token.Provisioning;
import dev.hmacd.token.Token;
import dev.hmacd.token.TokenException;
import dev.hmacd.token.TokenSession;
import dev.hmacd.token.Tokens;
import dev.hmacd.transport.EventLoops;
import dev.hmacd.transport.Tls;
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

/// Builds and owns every long-lived object. Not thread-safe but for [#reload] and [#reloadTls].
public final class Daemon implements AutoCloseable {
  /// How long a stop waits for lanes that are still in the token after the drain: they hang.
  private static final Duration HANGING = Duration.ofSeconds(1);

  private static final Logger log = LoggerFactory.getLogger(Daemon.class);

  /// Whether a start may make the daemon's own keys.
  public enum Provision {
    /// In production an operator does, with `hmacd init`: a wrong token is not written to.
    NEVER,
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
  private final GrpcServer server;
  private final @Nullable Tls awsTls;
  private final @Nullable AwsKmsServer awsKms;

  /// @param tokens in the order of the configuration
  public Daemon(Config config, List<Token> tokens, Clock clock) {
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
    tls = config.grpc().tcp().map(tcp -> new Tls(tcp.tls(), "h2")).orElse(null);
    server = new GrpcServer(config.grpc(), loops, tls, useCases, health, metrics, clock);
    awsTls =
        config
            .awsKms()
            .flatMap(Config.AwsKms::tls)
            .map(files -> new Tls(files, "h2", "http/1.1"))
            .orElse(null);
    awsKms =
        config
            .awsKms()
            .map(edge -> new AwsKmsServer(edge, loops, awsTls, useCases, metrics, clock))
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
        new Probe.Settings(probing.interval(), probing.timeout(), probing.lostAfter()));
  }

  /// Opens everything and serves. Health says SERVING when the token has given the known answer.
  ///
  /// @throws StartException with what an operator can do
  public void start(Provision provision) throws StartException {
    try {
      if (tls != null) {
        tls.startLoading();
      }
      if (awsTls != null) {
        awsTls.startLoading();
      }
      store.open();
      if (provision == Provision.IF_MISSING) {
        provision();
      }
      Map<String, OwnKey> probeKeys = probeKeys();
      startAccessKeys();
      tokens.start();
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
        metrics.serve(config.metrics().get());
      }
    } catch (TokenException e) {
      close();
      throw new StartException(
          e.getMessage(), e.isPinRefused() ? StartException.CONFIG : StartException.TEMPORARY, e);
    } catch (RegistryException e) {
      close();
      throw StartException.of(e);
    } catch (IOException | RuntimeException e) {
      close();
      throw new StartException(String.valueOf(e.getMessage()), StartException.CONFIG, e);
    } catch (StartException e) {
      close();
      throw e;
    }
  }

  /// Makes the daemon's own keys where they are missing.
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
      throw new StartException("the registry cannot be used", StartException.TEMPORARY, e);
    }
  }

  /// By serial number.
  private Map<String, OwnKey> probeKeys() throws StartException {
    Map<String, OwnKey> found = new HashMap<>();
    for (String serial : tokens.serials()) {
      OwnKey known =
          known(serial, OwnKey.Purpose.PROBE)
              .orElseThrow(() -> missing(OwnKey.Purpose.PROBE, "token " + serial));
      found.put(serial, known);
    }
    return found;
  }

  /// The first token's key for access keys is that of all; the others may have a copy of it.
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
      throw missing(OwnKey.Purpose.ACCESS_KEYS, "registry");
    }
    useCases.accessKeys().start(master, holders);
  }

  private Optional<OwnKey> known(String serial, OwnKey.Purpose purpose) throws StartException {
    try {
      return ownKeys.find(serial, purpose).join();
    } catch (CompletionException e) {
      throw new StartException("the registry cannot be used", StartException.TEMPORARY, e);
    }
  }

  private static StartException missing(OwnKey.Purpose purpose, String what) {
    return new StartException(
        "the " + what + " lacks " + OwnKey.label(purpose) + ": run hmacd init",
        StartException.CONFIG,
        null);
  }

  /// What becomes of the token, for health and for who runs the daemon.
  private final class TokenWatch implements Probe.Listener {
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
                  ? "The token does not come back in this process: it ends"
                  : "The token does not come back; a restart may help (exit_when_lost)");
      if (exit) {
        onLost.run();
      }
    }
  }

  /// To be called before the start.
  ///
  /// @param ending ends the process; called when the token is lost and the configuration says so
  public void onLost(Runnable ending) {
    onLost = ending;
  }

  /// Lets PINs that were refused be tried once more. Thread-safe.
  public void retryPin() {
    tokens.retryPins();
  }

  private void measure() {
    tokens.members().forEach(this::measure);
    metrics.gauge("hmacd_connections", "Open connections.", server::openConnections);
    metrics.gauge(
        "hmacd_connections_refused",
        "Connections closed since the start because there were too many.",
        server::refusedConnections);
    if (tls != null) {
      metrics.gauge(
          "hmacd_certificate_expiry_seconds",
          "When the daemon's certificate ends, in Unix time.",
          () -> tls.notAfter().getEpochSecond());
    }
    if (awsKms != null) {
      measure(awsKms);
    }
  }

  private void measure(Tokens.Member member) {
    Lanes lanes = member.lanes();
    Probe probe = member.probe();
    var gauges = metrics.ofToken(member.serial());
    gauges.gauge("hmacd_lanes", "Threads with a session each.", lanes::size);
    gauges.gauge("hmacd_lanes_busy", "Lanes in a token operation.", lanes::busy);
    gauges.gauge("hmacd_lanes_overdue", "Lanes in an operation past its deadline.", lanes::overdue);
    gauges.gauge(
        "hmacd_lanes_replaced",
        "Lanes that hang in the token and have been replaced.",
        lanes::hanging);
    gauges.gauge("hmacd_sessions_open", "Sessions with the token.", lanes::sessions);
    gauges.gauge("hmacd_token_queue", "Operations that wait for a lane.", lanes::waiting);
    gauges.gauge(
        "hmacd_token_healthy",
        "1 while the probe gives the known answer.",
        () -> probe.isHealthy() ? 1 : 0);
    gauges.gauge(
        "hmacd_token_pin_refused",
        "1 when the token refused its PIN: nothing is tried until an operator acts.",
        () -> probe.isPinRefused() ? 1 : 0);
  }

  private void measure(AwsKmsServer edge) {
    metrics.gauge(
        "hmacd_aws_kms_connections",
        "Open connections of the AWS KMS edge.",
        edge::openConnections);
    metrics.gauge(
        "hmacd_aws_kms_connections_refused",
        "Its connections closed since the start because there were too many.",
        edge::refusedConnections);
    metrics.gauge(
        "hmacd_aws_kms_requests", "Its requests that are not answered yet.", edge::requests);
    metrics.gauge(
        "hmacd_aws_kms_buffered_bytes",
        "Bytes of its requests' bodies in memory.",
        edge::bufferedBytes);
    if (awsTls != null) {
      metrics.gauge(
          "hmacd_aws_kms_certificate_expiry_seconds",
          "When its certificate ends, in Unix time.",
          () -> awsTls.notAfter().getEpochSecond());
    }
  }

  /// Takes the rules of a configuration that was read anew. Thread-safe.
  public void reload(Config fresh) {
    access.replace(fresh.rules());
    log.atInfo().addKeyValue("rules", fresh.rules().size()).log("Rules replaced");
    if (!fresh.withRules(config.rules()).equals(config)) {
      log.atWarn().log("The configuration has changes beside its rules; they need a restart");
    }
  }

  /// Reads certificates and trust anew. Thread-safe.
  ///
  /// @throws IOException for bad ones; what was used before stays
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

  /// What is served, for who starts the daemon.
  public UseCases useCases() {
    return useCases;
  }

  /// Where TCP is listened on.
  public Optional<InetSocketAddress> tcpAddress() {
    return server.tcpAddress();
  }

  /// Where the AWS KMS edge listens.
  public Optional<InetSocketAddress> awsKmsAddress() {
    return Optional.ofNullable(awsKms).flatMap(AwsKmsServer::address);
  }

  /// Waits until the probe has given its first answer.
  public boolean awaitHealthy(Duration limit) throws InterruptedException {
    return tokens.awaitHealthy(limit);
  }

  public int metricsPort() {
    return metrics.port();
  }

  /// Ends in the order that loses nothing: callers are told to go elsewhere, calls under way end,
  /// then lanes and the registry, which answer what is left, and then connections.
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
