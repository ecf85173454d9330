package dev.hmacd.http;

import dev.hmacd.transport.ConnectionMeter;
import io.netty.channel.Channel;
import org.jspecify.annotations.Nullable;

/// Memory that the HTTP server holds for one connection, counted for the connection's principal.
/// Used only on the connection's event loop.
final class ConnectionMemory implements ConnectionMeter.EdgeMemory {
  private final Channel connection;
  private final ServerContext server;
  private long bytes;
  private @Nullable Object principal;

  ConnectionMemory(Channel connection, ServerContext server) {
    this.connection = connection;
    this.server = server;
  }

  /// Adds to the counted bytes of the connection; a negative value subtracts bytes.
  void add(long delta) {
    bytes += delta;
  }

  /// Memory of the connection's requests and unsent answers, in bytes.
  @Override
  public long heapBytes() {
    return bytes;
  }

  @Override
  public boolean isActive() {
    return bytes > 0;
  }

  @Override
  public long directBytes() {
    return 0; // Bodies of requests and answers are arrays on the heap.
  }

  /// Does nothing: the [ConnectionWatchdog] ends late requests.
  @Override
  public void sweep(long nowNanos) {}

  /// The owner of the connection's request bodies: its principal, or [BodyBudget#NOBODY] before the
  /// authentication.
  Object owner() {
    return principal == null ? BodyBudget.NOBODY : principal;
  }

  /// Whether a request of this connection was authenticated.
  boolean isAuthenticated() {
    return principal != null;
  }

  /// Records the principal of the latest authenticated request, as the owner of the connection.
  void authenticated(Object identity) {
    if (!identity.equals(principal)) {
      principal = identity;
      server.connections().authenticated(connection, identity);
    }
  }
}
