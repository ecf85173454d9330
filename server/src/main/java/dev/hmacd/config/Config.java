package dev.hmacd.config;

import dev.hmacd.access.Rule;
import dev.hmacd.key.ArnScope;
import dev.hmacd.token.TokenSelector;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Stream;

/// Everything that an operator decides; `hmacd.example.yaml` says what each means.
///
/// @param tokens one or more; keys are made on the first, when a request names no other
public record Config(
    Grpc grpc,
    Optional<AwsKms> awsKms,
    List<TokenSettings> tokens,
    Path registry,
    ArnScope arn,
    Optional<InetSocketAddress> metrics,
    Logging logging,
    List<Rule> rules) {

  /// The same with other rules.
  public Config withRules(List<Rule> other) {
    return new Config(grpc, awsKms, tokens, registry, arn, metrics, logging, other);
  }

  /// Whether the daemon ends when no token is in service and one does not come back.
  public boolean exitsWhenLost() {
    return tokens.stream().anyMatch(token -> token.probing().exitWhenLost());
  }

  /// All files of TLS, of all edges.
  public List<Path> tlsFiles() {
    return Stream.concat(grpc.tcp().map(Tcp::tls).stream(), awsKms.flatMap(AwsKms::tls).stream())
        .flatMap(TlsConfig::files)
        .toList();
  }

  /// The gRPC edge.
  ///
  /// @param tcp where to listen with mutual TLS
  /// @param unix where to listen for processes of this machine
  public record Grpc(
      Optional<Tcp> tcp, Optional<UnixSocket> unix, boolean reflection, Limits limits) {}

  /// Listens for callers with a certificate.
  public record Tcp(InetSocketAddress listen, TlsConfig tls) {}

  /// Listens for processes of this machine.
  public record UnixSocket(Path path, Set<PosixFilePermission> mode) {}

  /// What bounds callers.
  ///
  /// @param maxRequestBytes of one message on the wire, fields and framing
  /// @param maxIncompleteBytes of all requests together that have not come whole
  /// @param maxStreams calls at once on one connection
  /// @param maxWait the deadline of calls that set none, and the longest of those that do
  /// @param drain how long a stop waits for calls under way
  public record Limits(
      int maxRequestBytes,
      int maxIncompleteBytes,
      int maxMetadataBytes,
      int maxStreams,
      int maxConnections,
      int maxHandshakes,
      Duration handshake,
      Duration maxWait,
      Duration idle,
      Duration age,
      Duration keepAlive,
      Duration keepAliveTimeout,
      Duration minClientKeepAlive,
      Duration drain) {}

  /// The AWS KMS edge.
  ///
  /// @param tls without it, `listen` is a loopback address
  public record AwsKms(InetSocketAddress listen, Optional<TlsConfig> tls, AwsLimits limits) {}

  /// What bounds callers of the AWS KMS edge.
  ///
  /// @param maxHeaderBytes of a request line, and of all header fields of a request
  /// @param maxBufferedBytes of all bodies of requests that are not answered yet
  /// @param maxRequests that are not answered yet
  /// @param maxRequestsPerConnection as before, of one connection
  /// @param maxUnauthenticated connections that have not sent a request with a valid signature
  /// @param request how long a request may take to come whole
  /// @param maxCallTime how long an answer may take from then on
  public record AwsLimits(
      int maxHeaderBytes,
      int maxBodyBytes,
      int maxBufferedBytes,
      int maxRequests,
      int maxRequestsPerConnection,
      int maxConnections,
      int maxUnauthenticated,
      Duration handshake,
      Duration request,
      Duration maxCallTime,
      Duration idle) {}

  /// A token, and how it is used.
  ///
  /// @param initArgs what the module wants at `C_Initialize`
  /// @param lanes threads with a session each
  /// @param queue how many operations may wait for a lane
  /// @param verifyMacs whether the token verifies each MAC before it is released
  public record TokenSettings(
      Path module,
      Optional<String> initArgs,
      TokenSelector selector,
      Path pinFile,
      int lanes,
      int queue,
      boolean sessionCopies,
      boolean verifyMacs,
      Probing probing,
      Hanging hanging) {}

  /// How it is known whether the token works.
  ///
  /// @param interval between questions
  /// @param timeout after which an answer counts as none
  /// @param lostAfter how long the token may be out of service until it counts as lost
  /// @param exitWhenLost whether the daemon ends then, for its supervisor to start it anew
  public record Probing(
      Duration interval, Duration timeout, Duration lostAfter, boolean exitWhenLost) {}

  /// What is done about calls that do not come back from the token.
  ///
  /// @param timeout after which a call's lane is replaced
  /// @param maxReplaced how many lanes may hang and be replaced at a time
  public record Hanging(Duration timeout, int maxReplaced) {}

  /// How log lines look, and how many there are.
  public record Logging(boolean json, Level level) {}

  /// How much is logged.
  public enum Level {
    ERROR,
    WARN,
    INFO,
    DEBUG
  }
}
