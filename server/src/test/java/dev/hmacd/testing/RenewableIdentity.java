package dev.hmacd.testing;

import io.netty.pkitesting.X509Bundle;
import java.net.Socket;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.X509ExtendedKeyManager;
import org.jspecify.annotations.Nullable;

/// The certificate of a client that renews it while connections are open. Each handshake presents
/// the newest certificate, as with a client that reads its files again.
public final class RenewableIdentity extends X509ExtendedKeyManager {
  /// All certificates, the newest last. The alias of a certificate is its index.
  private final List<X509Bundle> all = new CopyOnWriteArrayList<>();

  private final Set<String> presented = ConcurrentHashMap.newKeySet();

  public RenewableIdentity(X509Bundle first) {
    all.add(first);
  }

  /// Replaces the certificate in all later handshakes.
  public void renew(X509Bundle next) {
    all.add(next);
  }

  /// Whether a handshake has presented a certificate.
  public boolean isPresented(X509Bundle certificate) {
    return presented.contains(Integer.toString(all.indexOf(certificate)));
  }

  private String newest() {
    String alias = Integer.toString(all.size() - 1);
    presented.add(alias);
    return alias;
  }

  private X509Bundle find(@Nullable String alias) {
    if (alias == null) {
      throw new IllegalArgumentException("no alias");
    }
    return all.get(Integer.parseInt(alias));
  }

  @Override
  public String chooseClientAlias(
      String[] keyTypes, Principal @Nullable [] issuers, @Nullable Socket socket) {
    return newest();
  }

  @Override
  public String chooseEngineClientAlias(
      String[] keyTypes, Principal @Nullable [] issuers, @Nullable SSLEngine engine) {
    return newest();
  }

  @Override
  public String[] getClientAliases(String keyType, Principal @Nullable [] issuers) {
    return new String[] {newest()};
  }

  @Override
  public X509Certificate[] getCertificateChain(@Nullable String alias) {
    return find(alias).getCertificatePath();
  }

  @Override
  public PrivateKey getPrivateKey(@Nullable String alias) {
    return find(alias).getKeyPair().getPrivate();
  }

  @Override
  public @Nullable String chooseServerAlias(
      String keyType, Principal @Nullable [] issuers, @Nullable Socket socket) {
    return null;
  }

  @Override
  public String @Nullable [] getServerAliases(String keyType, Principal @Nullable [] issuers) {
    return null;
  }
}
