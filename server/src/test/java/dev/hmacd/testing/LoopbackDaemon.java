package dev.hmacd.testing;

import dev.hmacd.Daemon;
import dev.hmacd.StartException;
import dev.hmacd.access.Action;
import dev.hmacd.config.Config;
import dev.hmacd.config.ConfigException;
import dev.hmacd.config.ConfigFile;
import dev.hmacd.token.PinFile;
import dev.hmacd.token.Pkcs11Modules;
import dev.hmacd.token.Pkcs11Token;
import dev.hmacd.token.Token;
import dev.hmacd.token.TokenException;
import dev.hmacd.token.TokenSelector;
import dev.hmacd.usecase.CallObserver;
import dev.hmacd.v1.CreateAccessKeyRequest;
import io.netty.pkitesting.X509Bundle;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.time.Clock;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.UnaryOperator;
import java.util.stream.Collectors;
import javax.net.ssl.SSLContext;
import org.jspecify.annotations.Nullable;

/// A daemon in this JVM, configured by a file as in production. It listens on loopback with mutual
/// TLS and on a Unix socket, and uses a real token.
public final class LoopbackDaemon implements AutoCloseable {
  /// The region and the account in the ARNs of keys.
  public static final String REGION = "eu-central-1";

  public static final String ACCOUNT = "123456789012";

  private static final String ACCESS_KEY_ADMIN = "access-key-admin";

  private final Path folder;
  private TestCa ca = new TestCa("test CA");
  private final List<String> rules = new ArrayList<>();
  private final List<String> tokenSettings = new ArrayList<>();
  private final List<String> limits = new ArrayList<>();
  private final List<String> awsLimits = new ArrayList<>();
  private String awsKms = "";
  private String logLevel = "info";
  private int memoryPercent = 60;
  private final Map<String, AccessKey> accessKeys = new HashMap<>();
  private final Map<String, SSLContext> rawContexts = new HashMap<>();
  private final List<Caller> callers = new ArrayList<>();
  private UnaryOperator<Token> wrapping = UnaryOperator.identity();

  /// Several tokens in place of the single one, if not empty.
  private final List<Several> several = new ArrayList<>();

  private record Several(Path module, SoftHsm hsm) {}

  private final List<CallObserver> observers = new ArrayList<>();
  private Clock clock = Clock.systemUTC();
  private Path module;
  private final SoftHsm hsm;
  private @Nullable Daemon daemon;

  private LoopbackDaemon(SoftHsm hsm) {
    this.hsm = hsm;
    this.module = hsm.module();
    try {
      this.folder = Files.createTempDirectory("hmacd-test");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// A daemon on a token, without rules.
  public static LoopbackDaemon on(SoftHsm hsm) {
    return new LoopbackDaemon(hsm);
  }

  /// A daemon on the token of this JVM. The principal `admin` has all permissions.
  public static LoopbackDaemon withAdmin() {
    return on(SoftHsm.shared()).allowingAll("admin");
  }

  /// Allows `spiffe://test/NAME` actions on keys: `*`, an id, or an alias pattern.
  public LoopbackDaemon allowing(String name, List<Action> actions, String... keys) {
    return rule("spiffe://test/" + name, actions.toString(), keys);
  }

  public LoopbackDaemon allowingAll(String name) {
    return rule("spiffe://test/" + name, "[\"*\"]", "*");
  }

  /// Allows all actions to the user of this process on the socket, where no certificate can expire.
  public LoopbackDaemon allowingSocket() {
    try {
      return rule("uid:" + Files.getAttribute(folder, "unix:uid"), "[\"*\"]", "*");
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Adds a rule for any principal, in the syntax of the configuration.
  public LoopbackDaemon rule(String principal, String actions, String... keys) {
    rules.add(
        "{principals: ['%s'], actions: %s, keys: [%s]}"
            .formatted(
                principal,
                actions,
                Arrays.stream(keys).map(key -> "'" + key + "'").collect(Collectors.joining(", "))));
    return this;
  }

  /// Wraps the token, for example with injected faults.
  public LoopbackDaemon wrapping(UnaryOperator<Token> wrap) {
    wrapping = wrap;
    return this;
  }

  /// Adds an observer of all calls.
  public LoopbackDaemon observing(CallObserver observer) {
    observers.add(observer);
    return this;
  }

  public LoopbackDaemon clock(Clock other) {
    clock = other;
    return this;
  }

  /// Uses another module in front of the token's module.
  public LoopbackDaemon module(Path other) {
    module = other;
    return this;
  }

  /// Uses the certificate authority of another daemon.
  public LoopbackDaemon ca(TestCa other) {
    ca = other;
    return this;
  }

  /// Adds one of several tokens.
  public LoopbackDaemon alsoOn(SoftHsm token, Path through) {
    several.add(new Several(through, token));
    return this;
  }

  private List<Token> tokens() {
    if (several.isEmpty()) {
      return List.of(wrapping.apply(hsm.token()));
    }
    var modules = new Pkcs11Modules();
    List<Token> tokens = new ArrayList<>();
    for (Several each : several) {
      try {
        tokens.add(
            modules.expect(
                each.module(),
                Optional.empty(),
                new TokenSelector.BySerial(each.hsm().serial()),
                new PinFile(each.hsm().pinFile()),
                new Pkcs11Token.Use(true, false)));
      } catch (TokenException e) {
        throw new IllegalStateException(e);
      }
    }
    return tokens;
  }

  /// The section `token`, or `tokens`.
  private String tokenSection() {
    if (several.isEmpty()) {
      return "token:\n  module: %s\n  label: '%s'\n  pin_file: %s\n  %s"
          .formatted(module, hsm.label(), hsm.pinFile(), String.join("\n  ", tokenSettings));
    }
    return "tokens:\n"
        + several.stream()
            .map(
                each ->
                    "  - module: %s\n    serial: '%s'\n    pin_file: %s\n    %s\n"
                        .formatted(
                            each.module(),
                            each.hsm().serial(),
                            each.hsm().pinFile(),
                            String.join("\n    ", tokenSettings)))
            .collect(Collectors.joining());
  }

  /// Adds a line to the section `token`, e.g. `lanes: 1`.
  public LoopbackDaemon token(String line) {
    tokenSettings.add(line);
    return this;
  }

  /// Adds a line to the section `grpc.limits`, e.g. `max_connections: 10`.
  public LoopbackDaemon limit(String line) {
    limits.add(line);
    return this;
  }

  /// Enables the AWS KMS edge without TLS.
  public LoopbackDaemon awsKms() {
    awsKms = "aws_kms: {listen: '127.0.0.1:0', limits: {%s}}";
    return allowing(ACCESS_KEY_ADMIN, List.of(Action.CREATE_ACCESS_KEY), "*");
  }

  /// Enables the AWS KMS edge with TLS.
  public LoopbackDaemon awsKmsWithTls() {
    awsKms =
        "aws_kms: {listen: '127.0.0.1:0', limits: {%s},"
            + " tls: {certificate: aws.pem, private_key: aws-key.pem}}";
    return allowing(ACCESS_KEY_ADMIN, List.of(Action.CREATE_ACCESS_KEY), "*");
  }

  /// Adds a line to the section `aws_kms.limits`.
  public LoopbackDaemon awsLimit(String line) {
    awsLimits.add(line);
    return this;
  }

  /// Sets the bound on the memory of connections, in percent of the heap.
  public LoopbackDaemon memory(int percent) {
    memoryPercent = percent;
    return this;
  }

  /// Sets the log level of a daemon in a separate process, `debug` at most.
  public LoopbackDaemon logging(String level) {
    logLevel = level;
    return this;
  }

  /// Allows the user of an access key actions on keys.
  public LoopbackDaemon allowingUser(String name, List<Action> actions, String... keys) {
    return rule(arn(name), actions.toString(), keys);
  }

  public LoopbackDaemon allowingUserAll(String name) {
    return rule(arn(name), "[\"*\"]", "*");
  }

  /// Starts the daemon, and waits for the first successful health check.
  public LoopbackDaemon start() {
    open();
    try {
      if (!daemon().awaitHealthy(Eventually.LIMIT)) {
        throw new IllegalStateException("the daemon is not healthy");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
    return this;
  }

  /// Starts the daemon, and does not wait for the token.
  public LoopbackDaemon open() {
    writeFiles();
    try {
      Config config = ConfigFile.read(config());
      var started = new Daemon(config, tokens(), clock, () -> {}, observers);
      daemon = started;
      started.start(Daemon.Provision.IF_MISSING);
    } catch (ConfigException | StartException e) {
      throw new IllegalStateException(e);
    }
    return this;
  }

  /// Stops the daemon and starts another with the same files and registry, on another port.
  public LoopbackDaemon restart() {
    daemon().close();
    return start();
  }

  /// Writes all files that a daemon reads at its start.
  void writeFiles() {
    TestCa.write(ca.server(), folder.resolve("server.pem"), folder.resolve("server-key.pem"));
    TestCa.write(ca.server(), folder.resolve("aws.pem"), folder.resolve("aws-key.pem"));
    write("ca.pem", ca.pem());
    writeConfig();
  }

  /// Limits with a long handshake timeout: the first handshake in a JVM can last longer than 10 s.
  /// With fewer connections than by default, because the daemon warns about a low limit of file
  /// descriptors, which some machines have.
  private static String withTestDefaults(List<String> limits) {
    List<String> all = new ArrayList<>(limits);
    for (String each : List.of("handshake_timeout: 10m", "max_connections: 4096")) {
      String key = each.substring(0, each.indexOf(':') + 1);
      if (limits.stream().noneMatch(line -> line.startsWith(key))) {
        all.add(each);
      }
    }
    return String.join(", ", all);
  }

  /// Writes the configuration, including rules that were added after the last write.
  public void writeConfig() {
    write(
        "hmacd.yaml",
        """
        grpc:
          listen: 127.0.0.1:0
          tls: {certificate: server.pem, private_key: server-key.pem, client_ca: ca.pem}
          unix_socket: {path: hmacd.sock}
          reflection: true
          limits: {%s}
        %s
        %s
        registry: {path: registry.db}
        arn: {region: eu-central-1, account: "123456789012"}
        metrics: {listen: "127.0.0.1:0"}
        memory: {max_connection_percent: %d}
        logging: {level: %s}
        access:
          rules: [%s]
        """
            .formatted(
                withTestDefaults(limits),
                awsKms.formatted(withTestDefaults(awsLimits)),
                tokenSection(),
                memoryPercent,
                logLevel,
                String.join(", ", rules)));
  }

  /// Removes all rules. Changes of rules take effect when the daemon reads the configuration.
  public LoopbackDaemon withoutRules() {
    rules.clear();
    return this;
  }

  /// Replaces a file in the daemon's folder atomically.
  public void write(String name, String text) {
    try {
      Path whole = Files.createTempFile(folder, name, ".new");
      Files.writeString(whole, text);
      Files.move(whole, folder.resolve(name), StandardCopyOption.ATOMIC_MOVE);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  public Path folder() {
    return folder;
  }

  public Path config() {
    return folder.resolve("hmacd.yaml");
  }

  public TestCa ca() {
    return ca;
  }

  public Daemon daemon() {
    return Objects.requireNonNull(daemon, "not started");
  }

  public int port() {
    return daemon().tcpAddress().orElseThrow().getPort();
  }

  /// The principal of a user's access keys.
  public static String arn(String user) {
    return "arn:aws:iam::" + ACCOUNT + ":user/" + user;
  }

  /// The access key of a user, for signatures of requests.
  public record AccessKey(String id, String secret) {}

  /// The access key of a user; the first call creates it.
  public AccessKey accessKey(String user) {
    return accessKeys.computeIfAbsent(
        user,
        name -> {
          var request = CreateAccessKeyRequest.newBuilder().setPrincipal(arn(name)).build();
          var made = as(ACCESS_KEY_ADMIN).accessKeys().createAccessKey(request);
          return new AccessKey(made.getAccessKey().getAccessKeyId(), made.getSecretAccessKey());
        });
  }

  /// The port of the AWS KMS edge.
  public int awsPort() {
    return daemon().awsKmsAddress().orElseThrow().getPort();
  }

  public Path socket() {
    return folder.resolve("hmacd.sock");
  }

  /// The value of a metric in a scrape; the sum over all labels.
  public double metric(String name) {
    return metric(name, "");
  }

  /// The value of a metric in a scrape; the sum over all series with a label, e.g.
  /// `fault="DEVICE"`. Fails if there is no such series.
  public double metric(String name, String label) {
    try {
      var connection =
          URI.create("http://127.0.0.1:" + daemon().metricsPort() + "/metrics")
              .toURL()
              .openConnection();
      connection.setRequestProperty("Connection", "close");
      try (var body = connection.getInputStream()) {
        return new String(body.readAllBytes(), StandardCharsets.UTF_8)
            .lines()
            .filter(line -> line.startsWith(name + " ") || line.startsWith(name + "{"))
            .filter(line -> line.contains(label))
            .mapToDouble(line -> Double.parseDouble(line.substring(line.lastIndexOf(' ') + 1)))
            .reduce(Double::sum)
            .orElseThrow(() -> new IllegalStateException("no metric " + name + " " + label));
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// A caller with a certificate for `spiffe://test/NAME`.
  public Caller as(String name) {
    return as(ca.client(name));
  }

  /// A caller with any certificate.
  public Caller as(X509Bundle certificate) {
    return kept(Caller.tls(port(), ca.pem(), certificate));
  }

  /// A caller that presents its newest certificate in each handshake.
  public Caller as(RenewableIdentity identity) {
    return kept(Caller.tls(port(), ca.pem(), identity));
  }

  /// A TCP connection to the gRPC port, without TLS.
  public Socket tcp() throws IOException {
    return new Socket(InetAddress.getLoopbackAddress(), port());
  }

  /// A client that writes raw HTTP/2 frames, with a certificate for `spiffe://test/NAME`.
  public RawHttp2 raw(String name) throws IOException {
    return raw(rawContexts.computeIfAbsent(name, each -> ca.context(ca.client(each))));
  }

  /// A client that writes raw HTTP/2 frames, with any certificate.
  public RawHttp2 raw(X509Bundle certificate) throws IOException {
    return raw(ca.context(certificate));
  }

  private RawHttp2 raw(SSLContext context) throws IOException {
    return new RawHttp2(context.getSocketFactory().createSocket("127.0.0.1", port()));
  }

  /// A caller on the Unix socket, with the user id of this process.
  public Caller onSocket() {
    return kept(Caller.unix(socket()));
  }

  private Caller kept(Caller caller) {
    callers.add(caller);
    return caller;
  }

  @Override
  public void close() {
    callers.forEach(Caller::close);
    if (daemon != null) {
      daemon.close();
    }
    try (var files = Files.walk(folder)) {
      for (Path file : files.sorted(java.util.Comparator.reverseOrder()).toList()) {
        Files.deleteIfExists(file);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
