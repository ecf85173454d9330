package dev.hmacd.rpc;

import dev.hmacd.authn.Authenticator;
import dev.hmacd.authn.ClientCertificate;
import dev.hmacd.authn.Credentials;
import dev.hmacd.transport.Connections;
import dev.hmacd.transport.HandshakeFailure;
import dev.hmacd.transport.HandshakeMonitor;
import dev.hmacd.transport.TlsContext;
import io.grpc.Attributes;
import io.grpc.Grpc;
import io.grpc.ServerTransportFilter;
import io.netty.channel.Channel;
import java.time.Duration;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// Sets the credentials of each TLS connection after its handshake, and starts its
/// [CertificateEnd].
final class CredentialsFilter extends ServerTransportFilter {
  /// Owner of all connections without a principal.
  static final Object UNKNOWN_OWNER = "nobody";

  private final Connections bound;
  private final @Nullable TlsContext tls;
  private final @Nullable HandshakeMonitor handshakes;
  private final Authenticator authenticator;
  private final Duration grace;

  /// @param tls null for a Unix socket
  /// @param handshakes null without TLS
  /// @param grace maximum time that a graceful close waits for calls in flight
  CredentialsFilter(
      Connections bound,
      @Nullable TlsContext tls,
      @Nullable HandshakeMonitor handshakes,
      Authenticator authenticator,
      Duration grace) {
    this.bound = bound;
    this.tls = tls;
    this.handshakes = handshakes;
    this.authenticator = authenticator;
    this.grace = grace;
  }

  @Override
  public Attributes transportReady(Attributes attributes) {
    if (tls == null) {
      return attributes; // The negotiator of the Unix socket has set the credentials.
    }
    Credentials credentials =
        ClientCertificate.of(attributes.get(Grpc.TRANSPORT_ATTR_SSL_SESSION), tls);
    // `authenticated` closes the connection above the bound on connections. gRPC gets the close
    // event.
    Channel connection = Objects.requireNonNull(attributes.get(TlsNegotiator.CONNECTION));
    Object owner = owner(credentials);
    if (handshakes != null && owner.equals(UNKNOWN_OWNER)) {
      handshakes.failed(HandshakeFailure.NO_PRINCIPAL, connection.remoteAddress());
    }
    Attributes.Builder known = attributes.toBuilder().set(TransportCredentials.KEY, credentials);
    if (bound.authenticated(connection, owner, heapBytes(credentials))
        && credentials instanceof ClientCertificate certificate
        && authenticator.remaining(certificate).isPositive()) {
      known.set(
          CertificateEnd.KEY,
          CertificateEnd.start(connection, () -> authenticator.remaining(certificate), grace));
    }
    return known.build();
  }

  private static long heapBytes(Credentials credentials) {
    return credentials instanceof ClientCertificate certificate
        ? CertificateEnd.HEAP_BYTES + certificate.heapBytes()
        : 0;
  }

  private static Object owner(Credentials credentials) {
    return credentials instanceof ClientCertificate certificate
        ? certificate.principal().<Object>map(each -> each).orElse(UNKNOWN_OWNER)
        : UNKNOWN_OWNER;
  }
}
