package dev.hmacd;

import dev.hmacd.authn.Authenticator;
import dev.hmacd.authn.SigningKeySource;
import dev.hmacd.awskms.AwsKmsServer;
import dev.hmacd.config.Config;
import dev.hmacd.file.FileException;
import dev.hmacd.file.FileFaults;
import dev.hmacd.rpc.GrpcServer;
import dev.hmacd.rpc.HealthGrpcService;
import dev.hmacd.sigv4.SigV4;
import dev.hmacd.sigv4.SigningKey;
import dev.hmacd.sigv4.SigningScope;
import dev.hmacd.transport.EventLoops;
import dev.hmacd.transport.HandshakeMonitor;
import dev.hmacd.transport.ListenException;
import dev.hmacd.transport.MemoryBudget;
import dev.hmacd.transport.TlsContext;
import dev.hmacd.usecase.AccessKeyService;
import dev.hmacd.usecase.CallPipeline;
import dev.hmacd.usecase.UseCases;
import java.net.InetSocketAddress;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/// Owner of the edges of the daemon (gRPC and AWS KMS) and their TLS files.
final class Edges {
  private final MemoryBudget budget;
  private final @Nullable TlsContext grpcTls;
  private final GrpcServer grpc;
  private final @Nullable TlsContext awsTls;
  private final @Nullable AwsKmsServer awsKms;

  /// The TLS files of each edge with TLS.
  private final List<EdgeTls> tls = new ArrayList<>();

  /// @param loops event loops, started before [#start]
  Edges(
      Config config,
      EventLoops loops,
      UseCases useCases,
      HealthGrpcService health,
      CallPipeline calls,
      Clock clock) {
    budget =
        new MemoryBudget(
            Runtime.getRuntime().maxMemory() / 100 * config.memory().maxConnectionPercent());
    var authenticator =
        new Authenticator(
            clock,
            new SigV4(SigningScope.kms(useCases.keys().scope().region()), clock),
            signingKeys(useCases.accessKeys()));
    grpcTls =
        config
            .grpc()
            .tcp()
            .map(tcp -> new TlsContext("grpc.tls", tcp.tls(), clock, "h2"))
            .orElse(null);
    grpc =
        new GrpcServer(
            config.grpc(), loops, grpcTls, useCases, health, calls, authenticator, budget);
    awsTls =
        config
            .awsKms()
            .flatMap(Config.AwsKms::tls)
            .map(files -> new TlsContext("aws_kms.tls", files, clock, "h2", "http/1.1"))
            .orElse(null);
    awsKms =
        config
            .awsKms()
            .map(
                edge ->
                    new AwsKmsServer(edge, loops, awsTls, useCases, calls, authenticator, budget))
            .orElse(null);
    if (grpcTls != null) {
      tls.add(new EdgeTls("grpc", grpcTls));
    }
    if (awsTls != null) {
      tls.add(new EdgeTls("aws_kms", awsTls));
    }
  }

  /// Starts to read the TLS files on separate threads.
  void startLoadingTls() {
    tls.forEach(EdgeTls::startLoading);
  }

  /// Opens the listeners of the edges. [#startLoadingTls] must be called before this method.
  ///
  /// @throws ListenException if the daemon cannot listen on an address
  /// @throws FileException if the TLS files cannot be used
  void start() throws ListenException, FileException {
    grpc.start();
    if (awsKms != null) {
      awsKms.start();
    }
  }

  /// Reads the TLS files of all edges again. Thread-safe.
  ///
  /// @throws FileException with all failures, if new TLS files cannot be used; the previous TLS
  ///   files of the edge stay in use
  void reloadTls() throws FileException {
    reload(tls);
  }

  /// Reads the TLS files of the outdated edges again ([EdgeTls#isOutdated]). So a fault of one edge
  /// does not reload the files of the other edge at each retry. Thread-safe.
  ///
  /// @return whether an edge was outdated
  /// @throws FileException as [#reloadTls]
  boolean reloadOutdatedTls() throws FileException {
    List<EdgeTls> outdated = tls.stream().filter(EdgeTls::isOutdated).toList();
    reload(outdated);
    return !outdated.isEmpty();
  }

  private static void reload(List<EdgeTls> edges) throws FileException {
    var faults = new FileFaults();
    for (EdgeTls each : edges) {
      faults.check(each::reload);
    }
    faults.throwIfAny();
  }

  private static SigningKeySource signingKeys(AccessKeyService accessKeys) {
    return new SigningKeySource() {
      @Override
      public CompletableFuture<SigningKey> find(
          String accessKeyId, String day, long deadlineNanos) {
        return accessKeys.signingKey(accessKeyId, day, deadlineNanos);
      }

      @Override
      public boolean isKnownActive(String accessKeyId) {
        return accessKeys.isKnownActive(accessKeyId);
      }

      @Override
      public CompletableFuture<Boolean> isActive(String accessKeyId) {
        return accessKeys.isActive(accessKeyId);
      }
    };
  }

  void register(DaemonMetrics metrics) {
    metrics.registerMemory(budget);
    metrics.registerGrpc(grpc, grpcTls);
    List<HandshakeMonitor> handshakes = new ArrayList<>();
    grpc.handshakes().ifPresent(handshakes::add);
    if (awsKms != null) {
      metrics.registerAwsKms(awsKms, awsTls);
      awsKms.handshakes().ifPresent(handshakes::add);
    }
    metrics.registerHandshakes(handshakes);
  }

  /// Address of the TCP listener of the gRPC edge.
  Optional<InetSocketAddress> grpcAddress() {
    return grpc.tcpAddress();
  }

  /// Address of the listener of the AWS KMS edge.
  Optional<InetSocketAddress> awsKmsAddress() {
    return Optional.ofNullable(awsKms).flatMap(AwsKmsServer::address);
  }

  /// Accepts no new calls, and waits until the calls in flight of both edges have ended.
  ///
  /// @param limit time limit for both edges together
  void drain(Duration limit) {
    long end = System.nanoTime() + limit.toNanos();
    if (awsKms != null) {
      awsKms.beginDrain();
    }
    grpc.drain(limit);
    if (awsKms != null) {
      awsKms.awaitDrained(Duration.ofNanos(Math.max(0, end - System.nanoTime())));
    }
  }

  /// Registers the edges with a closer, which closes their connections. The event loops must be
  /// registered before, so that they are closed after the edges.
  ///
  /// @param limit time limit for closing each part
  void register(Closer closer, Duration limit) {
    if (awsKms != null) {
      closer.register("aws-kms", limit, awsKms);
    }
    closer.register("grpc", limit, grpc);
  }
}
