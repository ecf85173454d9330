package dev.hmacd.rpc;

import dev.hmacd.access.Principal;
import io.grpc.Attributes;
import io.grpc.Grpc;
import java.net.SocketAddress;
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

  /// The trust that the chain was last checked against.
  private volatile Tls.@Nullable Trust checked;

  private Peer(
      @Nullable Principal principal,
      X509Certificate[] chain,
      @Nullable Tls tls,
      Tls.@Nullable Trust checked) {
    this.principal = principal;
    this.chain = chain;
    this.tls = tls;
    this.checked = checked;
  }

  /// @param tls what the listener authenticates with; null on the Unix socket
  static Peer of(Attributes attributes, @Nullable Tls tls) {
    SocketAddress remote = attributes.get(Grpc.TRANSPORT_ATTR_REMOTE_ADDR);
    SSLSession session = attributes.get(Grpc.TRANSPORT_ATTR_SSL_SESSION);
    if (remote instanceof UnixPeerAddress unix && tls == null) {
      return new Peer(Principal.uid(unix.uid()), new X509Certificate[0], null, null);
    }
    if (session != null && tls != null) {
      try {
        Certificate[] certificates = session.getPeerCertificates();
        X509Certificate[] chain =
            Arrays.copyOf(certificates, certificates.length, X509Certificate[].class);
        // The handshake has verified it, but maybe against a trust that has just been replaced.
        return new Peer(CertificateNames.principal(chain[0]).orElse(null), chain, tls, null);
      } catch (SSLPeerUnverifiedException | ArrayStoreException e) {
        return new Peer(null, new X509Certificate[0], tls, null);
      }
    }
    return new Peer(null, new X509Certificate[0], tls, null);
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
