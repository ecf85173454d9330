package dev.hmacd.client;

import com.google.errorprone.annotations.CanIgnoreReturnValue;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Builds an [HmacdClient] for chosen daemons, with their TLS files and a deadline.
public final class HmacdClientBuilder {
  private static final Duration DEFAULT_DEADLINE_AFTER = Duration.ofSeconds(5);
  private static final Duration TLS_FILES_PERIOD = Duration.ofMinutes(1);

  private List<Target> targets = List.of();
  private Duration deadlineAfter = DEFAULT_DEADLINE_AFTER;
  private @Nullable Tls tls;

  HmacdClientBuilder() {}

  /// Sets the daemons to call: one or more `host:port`, or one `unix:/path`, the socket of a daemon
  /// on this machine. Calls go to all addresses of all daemons in turn (round robin). Required.
  ///
  /// @throws IllegalArgumentException if a target is neither `host:port` nor `unix:/path`
  @CanIgnoreReturnValue
  public HmacdClientBuilder target(String... targets) {
    this.targets = Arrays.stream(targets).map(Target::parse).toList();
    return this;
  }

  /// Sets the PEM files for mutual TLS. Required for every `host:port`: the client makes no calls
  /// without TLS on the network. The client checks the PEM files every minute, and new connections
  /// use their current content.
  ///
  /// @param ca certificates of the authorities that the client trusts for the daemons' certificates
  /// @param cert this client's certificate chain, which names the principal
  /// @param key this client's private key in PKCS #8, PKCS #1 or SEC 1, not encrypted
  @CanIgnoreReturnValue
  public HmacdClientBuilder tls(Path ca, Path cert, Path key) {
    this.tls = new Tls(ca, cert, key);
    return this;
  }

  /// Sets the time limit of a call, including its retries; 5 s by default.
  /// [HmacdClient#withDeadlineAfter] sets another limit for single calls.
  ///
  /// @throws IllegalArgumentException if the time limit is not positive
  @CanIgnoreReturnValue
  public HmacdClientBuilder deadlineAfter(Duration deadlineAfter) {
    this.deadlineAfter = deadlineAfter;
    return this;
  }

  /// Builds the client and reads the PEM files. The client connects at its first call.
  ///
  /// @throws IllegalArgumentException if the settings contradict each other, if a file is not PEM,
  ///   or if the private key does not belong to the certificate; the message names the file and the
  ///   remedy
  /// @throws UncheckedIOException if a PEM file cannot be read
  public HmacdClient build() {
    return HmacdClient.over(connection(), deadlineAfter);
  }

  private Connection connection() {
    if (targets.isEmpty()) {
      throw new IllegalArgumentException("no target is set: call target(...) before build()");
    }
    if (targets.size() == 1 && targets.get(0) instanceof Target.UnixSocket target) {
      if (tls != null) {
        throw new IllegalArgumentException("a unix: target does not use TLS: do not call tls(...)");
      }
      return Connection.overUnixSocket(target);
    }
    if (tls == null) {
      throw new IllegalArgumentException(
          "a host:port target requires TLS: CA, certificate and key");
    }
    return Connection.overTls(
        targets.stream().map(HmacdClientBuilder::hostPort).toList(),
        new TlsFiles(tls.ca(), tls.cert(), tls.key(), TLS_FILES_PERIOD));
  }

  private static Target.HostPort hostPort(Target target) {
    if (target instanceof Target.HostPort hostPort) {
      return hostPort;
    }
    throw new IllegalArgumentException("a unix: target must be the only target");
  }

  private record Tls(Path ca, Path cert, Path key) {}
}
