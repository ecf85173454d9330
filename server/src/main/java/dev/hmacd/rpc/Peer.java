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

/// Who is at the other end of a connection; told once, when it is made, and checked at each call: a
/// connection outlives its certificate's end and its authority's removal, its rights do not.
final class Peer {
  static final Attributes.Key<Peer> KEY = Attributes.Key.create("hmacd-peer");

  private final @Nullable Principal principal;

  /// The verified certificates, the peer's own first; empty on the Unix socket.
  private final X509Certificate[] chain;

  private final @Nullable Tls tls;

  /// The trust that the chain was last checked against: at first none, for the one of the handshake
  /// may have been replaced since.
  private volatile Tls.@Nullable Trust checked;

  private Peer(@Nullable Principal principal, X509Certificate[] chain, @Nullable Tls tls) {
    this.principal = principal;
    this.chain = chain;
    this.tls = tls;
  }

  /// The process of a user of this machine.
  static Peer ofUser(int uid) {
    return new Peer(Principal.uid(uid), new X509Certificate[0], null);
  }

  /// A client that has proved to have the private key of its certificate.
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

  /// The principal, if the connection still stands for one.
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
