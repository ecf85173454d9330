package dev.hmacd.awskms;

import dev.hmacd.authn.Authenticator;
import dev.hmacd.config.Config;
import dev.hmacd.config.HostPort;
import dev.hmacd.file.FileException;
import dev.hmacd.http.HttpLimits;
import dev.hmacd.http.HttpProfile;
import dev.hmacd.http.HttpServer;
import dev.hmacd.transport.EventLoops;
import dev.hmacd.transport.HandshakeMonitor;
import dev.hmacd.transport.ListenException;
import dev.hmacd.transport.MemoryBudget;
import dev.hmacd.transport.TlsContext;
import dev.hmacd.usecase.CallPipeline;
import dev.hmacd.usecase.UseCases;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The server of the AWS KMS edge: an [HttpServer] whose requests call the operations of AWS KMS.
/// Requests run on event loops, and never block an event loop.
public final class AwsKmsServer implements AutoCloseable {
  /// The configuration key of the listener.
  public static final String LISTEN_KEY = "aws_kms.listen";

  private static final HttpProfile PROFILE =
      new HttpProfile("POST", "application/x-amz-json-1.1", "x-amzn-RequestId");

  /// Maximum time of [#close] to send the last answers.
  private static final Duration LAST_ANSWERS = Duration.ofSeconds(1);

  private static final Logger log = LoggerFactory.getLogger(AwsKmsServer.class);

  private final InetSocketAddress listen;

  /// Null without TLS.
  private final @Nullable HandshakeMonitor handshakes;

  private final HttpServer server;

  /// @param loops event loops, started before this server
  /// @param tls TLS context, which may still load its files; null for plaintext on loopback
  public AwsKmsServer(
      Config.AwsKms config,
      EventLoops loops,
      @Nullable TlsContext tls,
      UseCases useCases,
      CallPipeline calls,
      Authenticator authenticator,
      MemoryBudget budget) {
    this.listen = config.listen();
    this.handshakes =
        tls == null ? null : new HandshakeMonitor("aws_kms", config.limits().handshake());
    var dispatcher =
        new Dispatcher(
            authenticator,
            OperationTable.of(useCases),
            new AwsErrors(useCases.keys().scope()),
            calls,
            config.limits().maxCallTime());
    this.server =
        new HttpServer(
            limits(config.limits()), PROFILE, dispatcher, loops, tls, handshakes, budget);
  }

  private static HttpLimits limits(Config.AwsLimits limits) {
    return new HttpLimits(
        limits.maxHeaderBytes(),
        limits.maxBodyBytes(),
        limits.maxBufferedBytes(),
        limits.maxRequests(),
        limits.maxRequestsPerConnection(),
        limits.maxConnections(),
        limits.maxUnauthenticated(),
        limits.handshake(),
        limits.request(),
        limits.idle());
  }

  /// Starts to listen, after the TLS files are loaded.
  ///
  /// @throws ListenException if the server cannot listen on the address
  /// @throws FileException if the TLS files cannot be used
  public void start() throws ListenException, FileException {
    server.start(listen, LISTEN_KEY);
    log.atInfo()
        .addKeyValue("address", HostPort.text(server.address().orElseThrow()))
        .addKeyValue("tls", handshakes != null)
        .log("Serving AWS KMS");
  }

  /// The listening address; empty before [#start]. The kernel chooses the port if the configured
  /// port is 0.
  public Optional<InetSocketAddress> address() {
    return server.address();
  }

  /// The monitor of the TLS handshakes; empty without TLS.
  public Optional<HandshakeMonitor> handshakes() {
    return Optional.ofNullable(handshakes);
  }

  public int openConnections() {
    return server.openConnections();
  }

  /// Number of connections that were closed because of the connection limits.
  public long refusedConnections() {
    return server.refusedConnections();
  }

  /// Number of completely received requests that are not answered yet.
  public int requests() {
    return server.requests();
  }

  /// Total size of the bodies of requests in flight, in bytes, including partially received bodies.
  public long bufferedBytes() {
    return server.bufferedBytes();
  }

  /// Stops listening, and closes each connection after its requests are answered.
  public void beginDrain() {
    server.beginDrain();
  }

  /// Waits until all connections are closed after [#beginDrain].
  ///
  /// @param limit maximum wait
  public void awaitDrained(Duration limit) {
    try {
      if (!server.awaitDrained(limit)) {
        log.atDebug().log("AWS KMS connections still open at the time limit of the drain");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  /// Drains the connections within a time limit. The shutdown of the event loops closes the
  /// remaining connections.
  @Override
  public void close() {
    beginDrain();
    awaitDrained(LAST_ANSWERS);
    if (openConnections() > 0) {
      log.atWarn()
          .log("AWS KMS connections closed with requests in flight: grpc.limits.drain has elapsed");
    }
  }
}
