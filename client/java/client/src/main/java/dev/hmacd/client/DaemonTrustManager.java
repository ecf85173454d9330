package dev.hmacd.client;

import io.grpc.util.AdvancedTlsX509TrustManager;
import java.io.IOException;
import java.net.Socket;
import java.security.GeneralSecurityException;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.time.InstantSource;
import java.util.Arrays;
import java.util.Date;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.X509ExtendedTrustManager;

/// Verifies the certificates of daemons. The JDK does not check the validity of a certificate that
/// it trusts: an authority, or a daemon's own certificate among the authorities. This class does.
final class DaemonTrustManager extends X509ExtendedTrustManager {
  private final X509Certificate[] authorities;
  private final X509ExtendedTrustManager trust;
  private final InstantSource clock;

  /// @param authorities the trusted certificates, one or more
  DaemonTrustManager(X509Certificate[] authorities, InstantSource clock)
      throws GeneralSecurityException, IOException {
    this.authorities = authorities.clone();
    this.trust = trustIn(authorities);
    this.clock = clock;
  }

  private static X509ExtendedTrustManager trustIn(X509Certificate[] authorities)
      throws GeneralSecurityException, IOException {
    AdvancedTlsX509TrustManager trust = AdvancedTlsX509TrustManager.newBuilder().build();
    trust.updateTrustCredentials(authorities);
    return trust;
  }

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
      throws CertificateException {
    verify(chain, manager -> manager.checkServerTrusted(chain, authType, engine));
  }

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String authType, Socket socket)
      throws CertificateException {
    verify(chain, manager -> manager.checkServerTrusted(chain, authType, socket));
  }

  @Override
  public void checkServerTrusted(X509Certificate[] chain, String authType)
      throws CertificateException {
    verify(chain, manager -> manager.checkServerTrusted(chain, authType));
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String authType, SSLEngine engine)
      throws CertificateException {
    throw noServer();
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String authType, Socket socket)
      throws CertificateException {
    throw noServer();
  }

  @Override
  public void checkClientTrusted(X509Certificate[] chain, String authType)
      throws CertificateException {
    throw noServer();
  }

  @Override
  public X509Certificate[] getAcceptedIssuers() {
    return trust.getAcceptedIssuers();
  }

  private static CertificateException noServer() {
    return new CertificateException("a client of hmacd accepts no connections");
  }

  /// Verifies a chain with all authorities, and then with the valid ones. A valid authority can
  /// replace an expired one.
  private void verify(X509Certificate[] chain, Check check) throws CertificateException {
    check.with(trust);
    Instant now = clock.instant();
    X509Certificate[] valid =
        Arrays.stream(authorities)
            .filter(authority -> isValid(authority, now))
            .toArray(X509Certificate[]::new);
    if (valid.length == authorities.length) {
      return;
    }
    try {
      if (valid.length > 0) {
        check.with(trustIn(valid));
        return;
      }
    } catch (GeneralSecurityException | IOException e) {
      // The exception below names the cause.
    }
    for (X509Certificate authority : authorities) {
      if (isUsedBy(chain, authority)) {
        authority.checkValidity(Date.from(now));
      }
    }
    throw new CertificateException("the authority of the daemon's certificate is not valid now");
  }

  private static boolean isValid(X509Certificate certificate, Instant now) {
    return !now.isBefore(certificate.getNotBefore().toInstant())
        && !now.isAfter(certificate.getNotAfter().toInstant());
  }

  /// Whether an authority is a certificate of the chain, or the issuer of one.
  private static boolean isUsedBy(X509Certificate[] chain, X509Certificate authority) {
    return Arrays.stream(chain)
        .anyMatch(
            certificate ->
                certificate.equals(authority)
                    || certificate
                        .getIssuerX500Principal()
                        .equals(authority.getSubjectX500Principal()));
  }

  @FunctionalInterface
  private interface Check {
    void with(X509ExtendedTrustManager trust) throws CertificateException;
  }
}
