package dev.hmacd;

import dev.hmacd.awskms.AwsKmsServer;
import dev.hmacd.metrics.Metrics;
import dev.hmacd.metrics.MetricsServer;
import dev.hmacd.registry.Registry;
import dev.hmacd.rpc.GrpcServer;
import dev.hmacd.token.HealthCheck;
import dev.hmacd.token.Lanes;
import dev.hmacd.token.TokenPool;
import dev.hmacd.transport.EventLoops;
import dev.hmacd.transport.FileDescriptors;
import dev.hmacd.transport.HandshakeFailure;
import dev.hmacd.transport.HandshakeMonitor;
import dev.hmacd.transport.MemoryBudget;
import dev.hmacd.transport.TlsContext;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.DoubleSupplier;
import org.jspecify.annotations.Nullable;

/// Registers the callback metrics of the daemon, whose values are read at each scrape.
final class DaemonMetrics {
  private final Metrics metrics;

  DaemonMetrics(Metrics metrics) {
    this.metrics = metrics;
  }

  void registerProcess() {
    Build build = Build.read();
    metrics.info(
        "hmacd_build_info",
        "Version and commit of hmacd.",
        new TreeMap<>(Map.of("version", build.version(), "commit", build.commit())));
    if (FileDescriptors.max().isPresent()) {
      metrics.gauge(
          "process_open_fds",
          "Open file descriptors of the process.",
          () -> FileDescriptors.open().orElse(0));
      metrics.gauge(
          "process_max_fds",
          "Maximum number of open file descriptors of the process (RLIMIT_NOFILE).",
          () -> FileDescriptors.max().orElse(0));
    }
  }

  void registerRegistry(Registry registry) {
    metrics.gauge(
        "hmacd_registry_healthy",
        "1 if the registry can be read and written; 0 after a failed operation, until the next"
            + " successful operation.",
        () -> registry.isHealthy() ? 1 : 0);
    metrics.gauge(
        "hmacd_registry_cache_bytes",
        "Memory of the entries of the registry that the daemon holds in memory, in bytes.",
        () -> registry.cacheSize().bytes());
    metrics.gauge(
        "hmacd_registry_cache_entries",
        "Entries of the registry in memory: keys, aliases and access keys (present), and names that"
            + " do not exist (absent).",
        "state",
        Map.of(
            "present",
            () -> registry.cacheSize().entries(),
            "absent",
            () -> registry.cacheSize().absentEntries()));
    metrics.counter(
        "hmacd_registry_loads_total",
        "Entries that the daemon has read from the database into memory.",
        registry::loadedEntries);
    metrics.counter(
        "hmacd_registry_evictions_total",
        "Entries that were removed from memory because registry.max_cache_bytes was reached.",
        () -> registry.cacheSize().evictions());
  }

  /// @param configuration the configuration file
  /// @param tls the TLS files of all edges
  void registerLoads(ReloadStatus configuration, ReloadStatus tls) {
    metrics.gauge(
        "hmacd_reload_healthy",
        "1 if the last load of the files succeeded; 0 if it was refused and the previous files stay"
            + " in use, by kind of files.",
        "files",
        Map.of(
            "configuration",
            () -> configuration.isHealthy() ? 1 : 0,
            "tls",
            () -> tls.isHealthy() ? 1 : 0));
    metrics.gauge(
        "hmacd_last_load_timestamp_seconds",
        "Last successful load of files, in seconds since the Unix epoch, by kind of files.",
        "files",
        Map.of(
            "configuration",
            () -> configuration.loaded().getEpochSecond(),
            "tls",
            () -> tls.loaded().getEpochSecond()));
  }

  void registerEndpoint(MetricsServer endpoint) {
    metrics.gauge(
        "hmacd_metrics_connections",
        "Open connections of the metrics endpoint.",
        endpoint::openConnections);
  }

  void registerToken(TokenPool.Member member) {
    Lanes lanes = member.lanes();
    HealthCheck probe = member.probe();
    var gauges = metrics.ofToken(member.serial());
    gauges.gauge("hmacd_lanes", "Lanes: threads with one session each.", lanes::size);
    gauges.gauge("hmacd_lanes_busy", "Lanes in a token operation.", lanes::busy);
    gauges.gauge("hmacd_lanes_overdue", "Lanes in an operation past its deadline.", lanes::overdue);
    gauges.gauge(
        "hmacd_lanes_replaced",
        "Lanes that hang in a PKCS#11 call, each replaced by another lane.",
        lanes::hanging);
    gauges.gauge("hmacd_sessions_open", "Open PKCS#11 sessions with the token.", lanes::sessions);
    gauges.gauge("hmacd_token_queue", "Operations that wait for a lane.", lanes::waiting);
    gauges.gauge(
        "hmacd_token_queue_places",
        "Places of token.queue in use: one for each waiting operation, for a MAC one for each 4 KiB"
            + " of its message.",
        lanes::places);
    gauges.gauge(
        "hmacd_token_healthy",
        "1 if the last health check computed the correct MAC.",
        () -> probe.isHealthy() ? 1 : 0);
    gauges.gauge(
        "hmacd_token_pin_refused",
        "1 if the token refused the PIN: no login until SIGHUP.",
        () -> probe.isPinRefused() ? 1 : 0);
  }

  void registerMemory(MemoryBudget budget) {
    metrics.gauge(
        "hmacd_netty_direct_bytes",
        "Direct memory in bytes that Netty counts itself; 0 where the JVM counts it.",
        EventLoops::directMemory);
    metrics.gauge(
        "hmacd_connection_memory_bytes",
        "Memory of the connections of both edges in bytes, limited by"
            + " memory.max_connection_percent.",
        budget::held);
    metrics.counter(
        "hmacd_connections_cut_for_memory_total",
        "Connections of both edges closed because a memory limit was exceeded.",
        budget::evictions);
  }

  /// @param monitors one for each edge with TLS
  void registerHandshakes(List<HandshakeMonitor> monitors) {
    Map<List<String>, DoubleSupplier> counts = new LinkedHashMap<>();
    for (HandshakeMonitor monitor : monitors) {
      for (HandshakeFailure reason : HandshakeFailure.values()) {
        counts.put(List.of(monitor.edge(), reason.label()), () -> monitor.count(reason));
      }
    }
    metrics.counter(
        "hmacd_tls_handshake_failures_total",
        "Failed TLS handshakes, by edge and reason.",
        List.of("edge", "reason"),
        counts);
  }

  void registerGrpc(GrpcServer edge, @Nullable TlsContext tls) {
    metrics.gauge("hmacd_connections", "Open gRPC connections.", edge::openConnections);
    metrics.counter(
        "hmacd_connections_refused_total",
        "gRPC connections closed or refused because a connection limit was reached.",
        edge::refusedConnections);
    if (tls != null) {
      metrics.gauge(
          "hmacd_certificate_expiry_timestamp_seconds",
          "Expiry of the certificate of the gRPC edge, in seconds since the Unix epoch.",
          () -> tls.notAfter().getEpochSecond());
      metrics.gauge(
          "hmacd_client_authority_expiry_timestamp_seconds",
          "Earliest expiry of the valid certificate authorities of grpc.tls.client_ca, in seconds"
              + " since the Unix epoch; if none is valid, the latest expiry.",
          () -> tls.earliestAuthorityExpiry().getEpochSecond());
      metrics.gauge(
          "hmacd_client_authorities_left_out",
          "Certificate authorities of grpc.tls.client_ca that have expired or are not valid yet.",
          tls::authoritiesLeftOut);
    }
  }

  void registerAwsKms(AwsKmsServer edge, @Nullable TlsContext tls) {
    metrics.gauge(
        "hmacd_aws_kms_connections",
        "Open connections of the AWS KMS edge.",
        edge::openConnections);
    metrics.counter(
        "hmacd_aws_kms_connections_refused_total",
        "Connections of the AWS KMS edge closed or refused because a connection limit was reached.",
        edge::refusedConnections);
    metrics.gauge(
        "hmacd_aws_kms_requests", "Requests in flight of the AWS KMS edge.", edge::requests);
    metrics.gauge(
        "hmacd_aws_kms_buffered_bytes",
        "Bytes of request bodies in memory, of the AWS KMS edge.",
        edge::bufferedBytes);
    if (tls != null) {
      metrics.gauge(
          "hmacd_aws_kms_certificate_expiry_timestamp_seconds",
          "Expiry of the certificate of the AWS KMS edge, in seconds since the Unix epoch.",
          () -> tls.notAfter().getEpochSecond());
    }
  }
}
