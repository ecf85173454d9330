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

  /// The daemons to call: one or more `host:port`, or one `unix:/path`, the socket of a daemon on
  /// this machine. Calls go to all addresses of all daemons in turn (round robin). Required.
  ///
  /// @throws IllegalArgumentException if a target has none of these forms
  @CanIgnoreReturnValue
  public HmacdClientBuilder target(String... targets) {
    this.targets = Arrays.stream(targets).map(Target::parse).toList();
    return this;
  }

  /// Mutual TLS, with PEM files. Required for every `host:port`: the client makes no calls without
  /// TLS on the network. The files are checked every minute, and new connections use their current
  /// content.
  ///
  /// @param ca the authorities of the daemons' certificates
  /// @param cert this client's certificate chain, which names the principal
  /// @param key its private key, PKCS #8, not encrypted
  @CanIgnoreReturnValue
  public HmacdClientBuilder tls(Path ca, Path cert, Path key) {
    this.tls = new Tls(ca, cert, key);
    return this;
  }

  /// Time limit for a call, with its retries; 5 s by default. [HmacdClient#withDeadlineAfter] sets
  /// another limit for single calls.
  ///
  /// @throws IllegalArgumentException if it is not positive
  @CanIgnoreReturnValue
  public HmacdClientBuilder deadlineAfter(Duration deadlineAfter) {
    this.deadlineAfter = deadlineAfter;
    return this;
  }

  /// Builds the client and reads the PEM files. Connects at the first call.
  ///
  /// @throws IllegalArgumentException if the settings do not fit each other, or if a file is not
  ///   PEM
  /// @throws UncheckedIOException if a PEM file cannot be read
  public HmacdClient build() {
    return HmacdClient.over(connection(), deadlineAfter);
  }

  private Connection connection() {
    if (targets.isEmpty()) {
      throw new IllegalArgumentException("no target is set");
    }
    if (targets.size() == 1 && targets.get(0) instanceof Target.UnixSocket target) {
      if (tls != null) {
        throw new IllegalArgumentException("a unix: target takes no TLS");
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
    throw new IllegalArgumentException("a unix: target must be the only one");
  }

  private record Tls(Path ca, Path cert, Path key) {}
}
