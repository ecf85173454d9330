package dev.hmacd.http;

import dev.hmacd.access.Principal;
import dev.hmacd.transport.ConnectionMeter;
import io.netty.channel.Channel;
import org.jspecify.annotations.Nullable;

/// Bytes that the daemon holds for one connection, and the connection's principal. Owned by the
/// connection's event loop.
final class Holdings implements ConnectionMeter.Held {
  private final Channel connection;
  private final Intake intake;
  private long bytes;
  private @Nullable Principal principal;

  Holdings(Channel connection, Intake intake) {
    this.connection = connection;
    this.intake = intake;
  }

  /// Adds to the held bytes; a negative value releases bytes.
  void add(long delta) {
    bytes += delta;
  }

  /// Bytes of requests, and of answers that wait for HTTP/2 flow control.
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
    return 0; // Bodies of requests and answers are arrays.
  }

  /// [Watch] ends late requests.
  @Override
  public void sweep(long nowNanos) {}

  /// The owner of the bodies of this connection.
  Object owner() {
    return principal == null ? Room.NOBODY : principal;
  }

  /// Whether a request of this connection had a valid signature.
  boolean isAuthenticated() {
    return principal != null;
  }

  /// The connection belongs to the principal of its latest valid signature.
  void authenticated(Principal signer) {
    if (!signer.equals(principal)) {
      principal = signer;
      intake.connections().authenticated(connection, signer);
    }
  }
}
