package dev.hmacd.config;

import dev.hmacd.access.Rule;
import dev.hmacd.key.ArnScope;
import dev.hmacd.token.KeyTypeSetting;
import dev.hmacd.token.MessageLengthTrial;
import dev.hmacd.token.TokenSelector;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/// The configuration of the daemon. `hmacd.example.yaml` documents each setting.
///
/// @param tokens one or more; CreateKey uses the first token, unless the request names another
///   token
public record Config(
    Grpc grpc,
    Optional<AwsKms> awsKms,
    List<TokenSettings> tokens,
    RegistrySettings registry,
    ArnScope arn,
    Optional<Metrics> metrics,
    Memory memory,
    Logging logging,
    List<Rule> rules) {

  /// A copy of this configuration with other access rules.
  public Config withRules(List<Rule> other) {
    return new Config(grpc, awsKms, tokens, registry, arn, metrics, memory, logging, other);
  }

  /// Whether the daemon exits when a token is lost and no token is in service. One token with
  /// `exit_when_lost` suffices.
  public boolean exitsWhenLost() {
    return tokens.stream().anyMatch(token -> token.probing().exitWhenLost());
  }

  /// Settings of the gRPC edge.
  ///
  /// @param tcp listener with mutual TLS
  /// @param unix listener for processes of this machine
  public record Grpc(
      Optional<TcpListener> tcp, Optional<UnixSocket> unix, boolean reflection, Limits limits) {}

  /// Settings of the TCP listener, for clients with a certificate.
  public record TcpListener(InetSocketAddress listen, TlsConfig tls) {}

  /// Settings of a Unix socket, a listener for processes of this machine.
  public record UnixSocket(Path path, Set<PosixFilePermission> mode) {
    /// Maximum length of the path in bytes. The kernel's limit is 107 bytes (unix(7), `sun_path`),
    /// and the daemon first binds the socket to `PATH.new/s`.
    public static final int MAX_PATH_BYTES = 101;
  }

  /// Limits of the gRPC edge.
  ///
  /// @param maxRequestBytes maximum size of one request on the wire, with its encoding
  /// @param maxMessageBytes maximum length of the message of a MAC
  /// @param maxIncompleteBytes maximum size of all partially received requests together
  /// @param maxStreams maximum number of calls in flight on one connection
  /// @param transfer timeout of an unfinished HTTP/2 frame, and of an answer that the client does
  ///   not read
  /// @param maxWait default and maximum deadline of a call
  /// @param drain maximum time that a stop waits for calls in flight
  public record Limits(
      int maxRequestBytes,
      int maxMessageBytes,
      int maxIncompleteBytes,
      int maxMetadataBytes,
      int maxStreams,
      int maxConnections,
      int maxHandshakes,
      Duration handshake,
      Duration transfer,
      Duration maxWait,
      Duration idle,
      Duration age,
      Duration keepAlive,
      Duration keepAliveTimeout,
      Duration minClientKeepAlive,
      Duration drain) {
    /// Least value of `maxMessageBytes`.
    public static final int MIN_MESSAGE_BYTES = 4096;

    /// Greatest value of `maxMessageBytes`.
    public static final int MAX_MESSAGE_BYTES = 1 << 20;

    /// A trial of the longest message with a token.
    public MessageLengthTrial messageLengthTrial() {
      return new MessageLengthTrial(
          "grpc.limits.max_message_bytes", MIN_MESSAGE_BYTES, maxMessageBytes);
    }
  }

  /// Settings of the AWS KMS edge.
  ///
  /// @param tls TLS files; without them, `listen` must be a loopback address
  public record AwsKms(InetSocketAddress listen, Optional<TlsConfig> tls, AwsLimits limits) {}

  /// Limits of the AWS KMS edge.
  ///
  /// @param maxHeaderBytes maximum size of a request line, and of all header fields of a request
  /// @param maxBufferedBytes maximum size of the bodies of all requests in flight together
  /// @param maxRequests maximum number of requests in flight on all connections together
  /// @param maxRequestsPerConnection maximum number of requests in flight on one connection
  /// @param maxUnauthenticated maximum number of connections without a valid signature so far, in
  ///   addition to `maxConnections`
  /// @param request time limit for receiving a complete request
  /// @param maxCallTime time limit for the answer to a complete request
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

  /// Settings of the registry.
  ///
  /// @param path the file of the database
  /// @param maxCacheBytes maximum memory of the entries of the database in memory
  public record RegistrySettings(Path path, int maxCacheBytes) {}

  /// The settings of one token.
  ///
  /// @param initArgs string for the module's `C_Initialize`
  /// @param lanes number of lanes: threads with one session each
  /// @param queue maximum number of operations that wait for a lane
  /// @param verifyMacs whether the token verifies each MAC before the daemon releases the MAC
  /// @param keyType the type of new keys
  public record TokenSettings(
      Path module,
      Optional<String> initArgs,
      TokenSelector selector,
      Path pinFile,
      int lanes,
      int queue,
      boolean sessionCopies,
      boolean verifyMacs,
      KeyTypeSetting keyType,
      Probing probing,
      Hanging hanging) {}

  /// Settings of the health check.
  ///
  /// @param interval time between health checks
  /// @param timeout duration after which a health check has failed
  /// @param lostAfter time out of service after which the token counts as lost
  /// @param exitWhenLost whether the daemon exits when a token is lost and no token is in service,
  ///   so that its supervisor restarts it
  public record Probing(
      Duration interval, Duration timeout, Duration lostAfter, boolean exitWhenLost) {}

  /// Settings for operations that hang in the token.
  ///
  /// @param timeout duration of an operation after which its lane is replaced
  /// @param maxReplaced maximum number of replaced lanes that hang at the same time
  public record Hanging(Duration timeout, int maxReplaced) {}

  /// Settings of the metrics endpoint, with at least one listener.
  ///
  /// @param tcp a loopback address, for all processes of this machine
  /// @param unix a socket whose mode decides which processes of this machine can connect
  public record Metrics(Optional<InetSocketAddress> tcp, Optional<UnixSocket> unix) {}

  /// Memory bounds of the connections of both edges.
  ///
  /// @param maxConnectionPercent maximum memory of all connections together, in percent of the
  ///   JVM's maximum heap
  public record Memory(int maxConnectionPercent) {}

  /// Format and level of the log.
  public record Logging(boolean json, Level level) {}

  /// Level of the log.
  public enum Level {
    ERROR,
    WARN,
    INFO,
    DEBUG
  }
}
