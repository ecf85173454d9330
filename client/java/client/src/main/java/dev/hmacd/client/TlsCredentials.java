package dev.hmacd.client;

import io.grpc.ChannelCredentials;
import io.grpc.TlsChannelCredentials;
import io.grpc.util.AdvancedTlsX509KeyManager;
import java.io.IOException;
import java.security.GeneralSecurityException;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.time.InstantSource;

/// The credentials of a set of PEM files that belong together.
///
/// @param channel the credentials of new channels
/// @param end the end of the client's certificate
record TlsCredentials(ChannelCredentials channel, Instant end) {
  /// Checks a set: PEM, the key belongs to the certificate, the certificate has not expired.
  ///
  /// @param clock also checks the daemons' certificates at each new connection
  /// @throws IllegalArgumentException if the set is not good; the message has the file and the
  ///   remedy
  static TlsCredentials of(PemSet files, InstantSource clock) {
    X509Certificate[] authorities = PemCertificates.parse(files.ca());
    X509Certificate[] chain = PemCertificates.parse(files.certificate());
    PrivateKey key = PemPrivateKey.parse(files.key(), chain[0], files.certificate().path());
    Instant end = chain[0].getNotAfter().toInstant();
    if (end.isBefore(clock.instant())) {
      throw new IllegalArgumentException(
          files.certificate().path()
              + " has a certificate that expired at "
              + end
              + "; use a renewed certificate");
    }
    try {
      var trust = new DaemonTrustManager(authorities, clock);
      // Without this key manager, TlsChannelCredentials uses a KeyStore, which slowly derives a key
      // from a password.
      var identity = new AdvancedTlsX509KeyManager();
      identity.updateIdentityCredentials(chain, key);
      return new TlsCredentials(
          TlsChannelCredentials.newBuilder().trustManager(trust).keyManager(identity).build(), end);
    } catch (GeneralSecurityException | IOException e) {
      throw new IllegalArgumentException(
          "the JDK refused the certificates in " + files.ca().path() + ": " + e.getMessage(), e);
    }
  }
}
