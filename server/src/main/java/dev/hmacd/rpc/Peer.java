package dev.hmacd.rpc;

import dev.hmacd.access.Principal;
import dev.hmacd.transport.Tls;
import io.grpc.Attributes;
import io.grpc.Grpc;
import java.security.cert.Certificate;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.Arrays;
import java.util.Optional;
import javax.net.ssl.SSLPeerUnverifiedException;
import javax.net.ssl.SSLSession;
import org.jspecify.annotations.Nullable;

/// The client identity of a connection. It is read once, at the handshake, and checked at each
/// call. A connection may outlive its certificate or the trust in the authority; its rights do not.
final class Peer {
  static final Attributes.Key<Peer> KEY = Attributes.Key.create("hmacd-peer");

  private final @Nullable Principal principal;

  /// The verified certificates, the peer's own first; empty on the Unix socket.
  private final X509Certificate[] chain;

  private final @Nullable Tls tls;

  /// The trust that the chain was last checked against: at first the trust of the handshake. Null
  /// if that is unknown.
  private volatile Tls.@Nullable Trust checked;

  private Peer(@Nullable Principal principal, X509Certificate[] chain, @Nullable Tls tls) {
    this.principal = principal;
    this.chain = chain;
    this.tls = tls;
  }

  /// The peer of a Unix socket: a process of this user.
  static Peer ofUser(int uid) {
    return new Peer(Principal.uid(uid), new X509Certificate[0], null);
  }

  /// The peer of a TLS connection. The client has proved possession of the certificate's private
  /// key.
  static Peer ofCertificate(Attributes attributes, Tls tls) {
    SSLSession session = attributes.get(Grpc.TRANSPORT_ATTR_SSL_SESSION);
    if (session != null) {
      try {
        Certificate[] certificates = session.getPeerCertificates();
        X509Certificate[] chain =
            Arrays.copyOf(certificates, certificates.length, X509Certificate[].class);
        var peer = new Peer(CertificateNames.principal(chain[0]).orElse(null), chain, tls);
        peer.checked = Tls.trustOf(session);
        return peer;
      } catch (SSLPeerUnverifiedException | ArrayStoreException e) {
        return new Peer(null, new X509Certificate[0], tls);
      }
    }
    return new Peer(null, new X509Certificate[0], tls);
  }

  /// The principal at the start of the connection; empty if its certificate names none.
  Optional<Principal> principal() {
    return Optional.ofNullable(principal);
  }

  /// The principal, if the certificates are valid and trusted at this time.
  Optional<Principal> authenticate(Instant now) {
    if (principal == null) {
      return Optional.empty();
    }
    if (tls != null) {
      for (X509Certificate certificate : chain) {
        if (now.isAfter(certificate.getNotAfter().toInstant())) {
          return Optional.empty();
        }
      }
      Tls.Trust current = tls.trust();
      if (checked != current) {
        if (!current.accepts(chain)) {
          return Optional.empty();
        }
        checked = current;
      }
    }
    return Optional.of(principal);
  }
}
