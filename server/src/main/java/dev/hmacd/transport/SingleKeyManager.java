package dev.hmacd.transport;

import io.netty.handler.ssl.OpenSslCachingX509KeyManagerFactory;
import io.netty.handler.ssl.util.SimpleKeyManagerFactory;
import java.net.Socket;
import java.security.KeyStore;
import java.security.Principal;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.util.List;
import javax.net.ssl.KeyManager;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.ManagerFactoryParameters;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.X509ExtendedKeyManager;
import org.jspecify.annotations.Nullable;

/// A key manager (JSSE) with one certificate and its private key. A key store would be slow: it
/// would encrypt the key with ten thousand rounds, and decrypt it again.
final class SingleKeyManager extends X509ExtendedKeyManager {
  private static final String ALIAS = "hmacd";

  private final PrivateKey key;
  private final X509Certificate[] chain;

  private SingleKeyManager(PrivateKey key, List<X509Certificate> chain) {
    this.key = key;
    this.chain = chain.toArray(X509Certificate[]::new);
  }

  /// A key manager factory for Netty. The factory parses the key for the TLS library once, not at
  /// each handshake.
  static KeyManagerFactory factory(PrivateKey key, List<X509Certificate> chain) {
    var manager = new SingleKeyManager(key, chain);
    return new OpenSslCachingX509KeyManagerFactory(
        new SimpleKeyManagerFactory(ALIAS) {
          @Override
          protected void engineInit(KeyStore store, char[] password) {}

          @Override
          protected void engineInit(ManagerFactoryParameters parameters) {}

          @Override
          protected KeyManager[] engineGetKeyManagers() {
            return new KeyManager[] {manager};
          }
        });
  }

  private @Nullable String alias(String keyType) {
    String algorithm = key.getAlgorithm();
    return keyType.equals(algorithm) || keyType.startsWith(algorithm + "_") ? ALIAS : null;
  }

  @Override
  public @Nullable String chooseEngineServerAlias(
      String keyType, Principal @Nullable [] issuers, @Nullable SSLEngine engine) {
    return alias(keyType);
  }

  @Override
  public @Nullable String chooseServerAlias(
      String keyType, Principal @Nullable [] issuers, @Nullable Socket socket) {
    return alias(keyType);
  }

  @Override
  public String @Nullable [] getServerAliases(String keyType, Principal @Nullable [] issuers) {
    return alias(keyType) == null ? null : new String[] {ALIAS};
  }

  @Override
  public X509Certificate[] getCertificateChain(@Nullable String alias) {
    return chain.clone();
  }

  @Override
  public PrivateKey getPrivateKey(@Nullable String alias) {
    return key;
  }

  @Override
  public @Nullable String chooseClientAlias(
      String[] keyTypes, Principal @Nullable [] issuers, @Nullable Socket socket) {
    return null;
  }

  @Override
  public String @Nullable [] getClientAliases(String keyType, Principal @Nullable [] issuers) {
    return null;
  }
}
