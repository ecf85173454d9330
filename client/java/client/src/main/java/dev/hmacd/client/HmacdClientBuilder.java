package dev.hmacd.client;

import com.google.errorprone.annotations.CanIgnoreReturnValue;
import io.opentelemetry.api.OpenTelemetry;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.time.InstantSource;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ThreadLocalRandom;
import java.util.function.DoubleSupplier;
import org.jspecify.annotations.Nullable;

/// Builds an [HmacdClient] for chosen daemons, with their TLS files and limits.
public final class HmacdClientBuilder {
  private static final List<String> FILES = List.of("HMACD_CA", "HMACD_CERT", "HMACD_KEY");
  private static final int MAX_TARGETS = 16;
  private static final int MAX_MESSAGE_BYTES = 1 << 20;
  private static final Duration MIN_FILE_INTERVAL = Duration.ofSeconds(1);
  private static final Duration MAX_FILE_INTERVAL = Duration.ofSeconds(5);

  private List<Target> targets = List.of();
  private Duration deadlineAfter = Duration.ofSeconds(5);
  private Duration attemptTimeout = Duration.ofSeconds(1);
  private Duration fileInterval = Duration.ofSeconds(2);
  private int maxMessageBytes = 65_536;
  private @Nullable Tls tls;
  private CallObserver observer = CallObserver.NONE;

  HmacdClientBuilder() {}

  /// A builder with the settings of the environment: `HMACD_TARGET` (targets, separated by commas),
  /// `HMACD_CA`, `HMACD_CERT` and `HMACD_KEY`.
  ///
  /// @throws IllegalArgumentException if `HMACD_TARGET` is not set or not valid, or if only some of
  ///   the files are set
  public static HmacdClientBuilder fromEnv() {
    return fromEnv(System.getenv());
  }

  static HmacdClientBuilder fromEnv(Map<String, String> environment) {
    String targets = environment.getOrDefault("HMACD_TARGET", "");
    if (targets.isEmpty()) {
      throw new IllegalArgumentException("HMACD_TARGET is not set: set the address of a daemon");
    }
    HmacdClientBuilder builder = new HmacdClientBuilder().target(targets.split(",", -1));
    List<String> files = FILES.stream().map(name -> environment.getOrDefault(name, "")).toList();
    if (files.stream().anyMatch(file -> !file.isEmpty())) {
      FILES.forEach(name -> PemFile.checkPath(name, environment.getOrDefault(name, "")));
      if (files.contains("")) {
        throw new IllegalArgumentException(
            "HMACD_CA, HMACD_CERT and HMACD_KEY must be set together: " + files);
      }
      builder.tls(Path.of(files.get(0)), Path.of(files.get(1)), Path.of(files.get(2)));
    }
    return builder;
  }

  /// Sets the daemons to call: 1 to 16 `host:port` or `unix:/absolute/path`, the socket of a daemon
  /// on this machine. Calls go to all usable daemons, and to all addresses of a daemon, in turn.
  /// Required.
  ///
  /// @throws IllegalArgumentException if a target is neither `host:port` nor `unix:/absolute/path`,
  ///   or there are too many
  @CanIgnoreReturnValue
  public HmacdClientBuilder target(String... targets) {
    if (targets.length > MAX_TARGETS) {
      throw new IllegalArgumentException(
          "target must have at most " + MAX_TARGETS + " daemons: " + targets.length);
    }
    this.targets = Arrays.stream(targets).map(Target::parse).toList();
    return this;
  }

  /// Sets the PEM files for mutual TLS. Required for every `host:port`: the client makes no calls
  /// without TLS on the network. The client checks the PEM files every 2 s, and uses renewed files.
  ///
  /// @param ca certificates of the authorities that the client trusts for the daemons' certificates
  /// @param cert this client's certificate chain, which names the principal
  /// @param key this client's private key in PKCS #8, PKCS #1 or SEC 1, not encrypted
  /// @throws IllegalArgumentException if a path is the content of a file
  @CanIgnoreReturnValue
  public HmacdClientBuilder tls(Path ca, Path cert, Path key) {
    PemFile.checkPath("ca", ca.toString());
    PemFile.checkPath("cert", cert.toString());
    PemFile.checkPath("key", key.toString());
    this.tls = new Tls(ca, cert, key);
    return this;
  }

  /// Sets the time limit of a call, including its retries; 5 s by default.
  /// [HmacdClient#withDeadlineAfter] sets another limit for single calls.
  ///
  /// @throws IllegalArgumentException if the time limit is not positive
  @CanIgnoreReturnValue
  public HmacdClientBuilder deadlineAfter(Duration deadlineAfter) {
    this.deadlineAfter = positive("deadlineAfter", deadlineAfter);
    return this;
  }

  /// Sets the time limit of one attempt while another target is usable; 1 s by default. It does not
  /// apply to calls that change something.
  ///
  /// @throws IllegalArgumentException if the time limit is not positive
  @CanIgnoreReturnValue
  public HmacdClientBuilder attemptTimeout(Duration attemptTimeout) {
    this.attemptTimeout = positive("attemptTimeout", attemptTimeout);
    return this;
  }

  /// Sets the length of the longest message that is sent; 65,536 bytes by default. The daemon's own
  /// limit is the authority.
  ///
  /// @throws IllegalArgumentException if the length is not 1 to 1,048,576
  @CanIgnoreReturnValue
  public HmacdClientBuilder maxMessageBytes(int maxMessageBytes) {
    if (maxMessageBytes < 1 || maxMessageBytes > MAX_MESSAGE_BYTES) {
      throw new IllegalArgumentException(
          "maxMessageBytes must be 1 to " + MAX_MESSAGE_BYTES + ": " + maxMessageBytes);
    }
    this.maxMessageBytes = maxMessageBytes;
    return this;
  }

  /// Sets the interval of the check of the PEM files; 2 s by default.
  ///
  /// @throws IllegalArgumentException if the interval is not 1 s to 5 s
  @CanIgnoreReturnValue
  public HmacdClientBuilder fileInterval(Duration fileInterval) {
    if (fileInterval.compareTo(MIN_FILE_INTERVAL) < 0
        || fileInterval.compareTo(MAX_FILE_INTERVAL) > 0) {
      throw new IllegalArgumentException("fileInterval must be 1 s to 5 s: " + fileInterval);
    }
    this.fileInterval = fileInterval;
    return this;
  }

  /// Reports each call to OpenTelemetry: one span, and one value of the histogram
  /// `rpc.client.duration`, in milliseconds. No attribute contains a message, a MAC or a key name.
  /// Requires the optional dependency `io.opentelemetry:opentelemetry-api`. None by default.
  @CanIgnoreReturnValue
  public HmacdClientBuilder openTelemetry(OpenTelemetry telemetry) {
    this.observer = new SafeObserver(new OpenTelemetryObserver(telemetry));
    return this;
  }

  /// Builds the client and checks the PEM files. The client connects at its first call.
  ///
  /// @throws IllegalArgumentException if the settings contradict each other, if a file is not PEM,
  ///   if the private key does not belong to the certificate, or if the certificate has expired;
  ///   the message names the file and the remedy
  /// @throws UncheckedIOException if a PEM file cannot be read, or not within the time limit of a
  ///   call
  public HmacdClient build() {
    if (targets.isEmpty()) {
      throw new IllegalArgumentException("no target is set: call target(...) before build()");
    }
    DoubleSupplier random = () -> ThreadLocalRandom.current().nextDouble();
    var connections = new Connections(targets, tlsFiles());
    connections.start(fileInterval);
    var policy =
        new RetryPolicy(
            new TargetPicker(targets.size(), random), new RetryBudget(), attemptTimeout, random);
    return new HmacdClient(
        new Calls(connections, policy, deadlineAfter, observer), List.of(), maxMessageBytes);
  }

  private @Nullable TlsFiles tlsFiles() {
    boolean network = targets.stream().anyMatch(Target.HostPort.class::isInstance);
    if (network && tls == null) {
      throw new IllegalArgumentException(
          "a host:port target requires TLS: CA, certificate and key");
    }
    if (!network && tls != null) {
      throw new IllegalArgumentException("a unix: target does not use TLS: do not call tls(...)");
    }
    Tls files = tls;
    return files == null
        ? null
        : TlsFiles.open(
            () -> PemSet.read(files.ca(), files.cert(), files.key()),
            InstantSource.system(),
            deadlineAfter);
  }

  private static Duration positive(String setting, Duration value) {
    if (value.isNegative() || value.isZero()) {
      throw new IllegalArgumentException(setting + " must be above 0 s: " + value);
    }
    return value;
  }

  private record Tls(Path ca, Path cert, Path key) {}
}
