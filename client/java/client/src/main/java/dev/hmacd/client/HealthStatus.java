package dev.hmacd.client;

/// The health status of a daemon (`grpc.health.v1.HealthCheckResponse.ServingStatus`).
public enum HealthStatus {
  /// The health check of at least one token succeeds: the daemon serves MACs.
  SERVING,
  /// No token is in service, or the daemon starts or stops.
  NOT_SERVING,
  /// Another status, of another server or a newer daemon.
  UNKNOWN
}
