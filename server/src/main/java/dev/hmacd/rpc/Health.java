package dev.hmacd.rpc;

import dev.hmacd.v1.AccessKeyServiceGrpc;
import dev.hmacd.v1.KeyServiceGrpc;
import dev.hmacd.v1.MacServiceGrpc;
import io.grpc.ServerServiceDefinition;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.protobuf.services.HealthStatusManager;

/// The standard health service (`grpc.health.v1`), told by those who know. Starts NOT_SERVING.
public final class Health {
  private final HealthStatusManager manager = new HealthStatusManager();

  public Health() {
    // grpc-java starts the empty name, which stands for the whole daemon, as SERVING.
    setServing(false);
  }

  /// Whether the token answers as it should, on which every service depends.
  public void setServing(boolean serving) {
    ServingStatus status = serving ? ServingStatus.SERVING : ServingStatus.NOT_SERVING;
    manager.setStatus(MacServiceGrpc.SERVICE_NAME, status);
    manager.setStatus(KeyServiceGrpc.SERVICE_NAME, status);
    manager.setStatus(AccessKeyServiceGrpc.SERVICE_NAME, status);
    manager.setStatus(HealthStatusManager.SERVICE_NAME_ALL_SERVICES, status);
  }

  /// NOT_SERVING from here on, whatever [#setServing] says: callers go elsewhere while calls under
  /// way end.
  public void stop() {
    manager.enterTerminalState();
  }

  ServerServiceDefinition service() {
    return manager.getHealthService().bindService();
  }
}
