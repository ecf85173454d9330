package dev.hmacd.transport;

import dev.hmacd.config.TlsConfig;
import dev.hmacd.file.FileException;
import io.netty.buffer.ByteBufAllocator;
import io.netty.handler.codec.http2.Http2SecurityUtil;
import io.netty.handler.ssl.ApplicationProtocolConfig;
import io.netty.handler.ssl.ApplicationProtocolConfig.Protocol;
import io.netty.handler.ssl.ApplicationProtocolConfig.SelectedListenerFailureBehavior;
import io.netty.handler.ssl.ApplicationProtocolConfig.SelectorFailureBehavior;
import io.netty.handler.ssl.ApplicationProtocolNegotiator;
import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SupportedCipherSuiteFilter;
import java.io.IOException;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.security.PrivateKey;
import java.security.cert.CertificateException;
import java.security.cert.X509Certificate;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLSession;
import javax.net.ssl.SSLSessionContext;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;
import org.jspecify.annotations.Nullable;

/// TLS context of a listener, with certificates that can be replaced while connections are open.
/// Each new connection uses the newest files. An edge must check each open connection against the
/// newest [#trust].
public final class TlsContext {
  private static final List<String> VERSIONS = List.of("TLSv1.3", "TLSv1.2");

  private final String section;
  private final TlsConfig config;
  private final ApplicationProtocolConfig protocols;
  private volatile @Nullable Material material;

  private final FutureTask<Boolean> firstLoad =
      new FutureTask<>(
          () -> {
            reload();
            return true;
          });

  /// The constructor reads no file: [#startLoading] and [#reload] read the files.
  ///
  /// @param section name of the section in the configuration, for error messages
  /// @param config paths of the files; with a `clientCa`, clients must have a certificate
  /// @param protocols ALPN names of the protocols, the preferred one first
  public TlsContext(String section, TlsConfig config, String... protocols) {
    this.section = section;
    this.config = config;
    this.protocols =
        new ApplicationProtocolConfig(
            Protocol.ALPN,
            SelectorFailureBehavior.NO_ADVERTISE,
            SelectedListenerFailureBehavior.ACCEPT,
            protocols);
  }

  /// The certificate authorities whose client certificates are accepted.
  public static final class Trust {
    private final X509TrustManager manager;

    private Trust(X509TrustManager manager) {
      this.manager = manager;
    }

    /// Whether a client's certificate chain is valid now (RFC 5280, section 6).
    public boolean accepts(X509Certificate[] chain) {
      try {
        manager.checkClientTrusted(chain, chain[0].getPublicKey().getAlgorithm());
        return true;
      } catch (CertificateException e) {
        return false;
      }
    }
  }

  private record Material(SslContext context, @Nullable Trust trust, Instant notAfter) {}

  /// Starts to read the TLS files on a separate thread. Reading takes about as long as the rest of
  /// the daemon's start.
  public void startLoading() {
    Thread.ofPlatform().name("hmacd-tls").daemon().start(firstLoad);
  }

  /// Waits until the TLS files have been read.
  ///
  /// @throws FileException if the files cannot be used
  /// @throws IllegalStateException if the calling thread is interrupted
  public void awaitLoaded() throws FileException {
    try {
      firstLoad.get();
    } catch (ExecutionException e) {
      if (e.getCause() instanceof FileException cause) {
        throw cause;
      }
      throw new IllegalStateException(
          "TLS files of " + section + " not read: unexpected exception", e.getCause());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(
          "TLS files of " + section + " not read: the waiting thread was interrupted", e);
    }
  }

  /// Reads the TLS files. If all files are valid, new connections use them.
  ///
  /// @throws FileException if a file cannot be read or is not valid, or if the files do not belong
  ///   together; the previous files stay in use
  public void reload() throws FileException {
    try {
      List<X509Certificate> own =
          PemReader.certificates(section + ".certificate", config.certificate());
      own.getFirst().checkValidity();
      PrivateKey key =
          PemReader.privateKey(section + ".private_key", config.privateKey(), own.getFirst());
      SslContextBuilder builder =
          SslContextBuilder.forServer(SingleKeyManager.factory(key, own))
              .protocols(VERSIONS)
              .ciphers(Http2SecurityUtil.CIPHERS, SupportedCipherSuiteFilter.INSTANCE)
              .applicationProtocolConfig(protocols);
      Trust trust = null;
      if (config.clientCa().isPresent()) {
        TrustManagerFactory factory = trustOnly(config.clientCa().get());
        trust = new Trust((X509TrustManager) factory.getTrustManagers()[0]);
        builder.trustManager(factory).clientAuth(ClientAuth.REQUIRE);
      }
      material = new Material(builder.build(), trust, own.getFirst().getNotAfter().toInstant());
    } catch (CertificateException e) {
      throw FileException.unusable(
          section + ".certificate",
          config.certificate(),
          "is expired or not valid yet; install a valid certificate",
          e);
    } catch (FileException e) {
      throw e;
    } catch (GeneralSecurityException | IOException | IllegalArgumentException e) {
      throw FileException.ofSection(
          section,
          "the TLS library refused the files: " + e.getMessage() + "; install other files",
          e);
    }
  }

  private TrustManagerFactory trustOnly(Path authorities)
      throws IOException, GeneralSecurityException {
    KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
    store.load(null, null);
    int i = 0;
    for (X509Certificate each : PemReader.certificates(section + ".client_ca", authorities)) {
      store.setCertificateEntry("ca-" + i++, each);
    }
    TrustManagerFactory factory =
        TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    factory.init(store);
    return factory;
  }

  private Material material() {
    Material loaded = material;
    if (loaded == null) {
      throw new IllegalStateException("TLS files of " + section + " not read: call reload first");
    }
    return loaded;
  }

  /// The newest [Trust]: the certificate authorities in the newest TLS files. Edges must check open
  /// connections against the newest trust.
  ///
  /// @throws IllegalStateException if clients do not authenticate by certificate on this listener
  public Trust trust() {
    Trust trust = material().trust();
    if (trust == null) {
      throw new IllegalStateException(
          section + " has no client_ca: callers do not authenticate by certificate");
    }
    return trust;
  }

  /// Expiry time of the daemon's own certificate.
  public Instant notAfter() {
    return material().notAfter();
  }

  /// A new TLS engine, whose session stores the trust of its handshake.
  private static SSLEngine remembering(Material now, ByteBufAllocator allocator) {
    SSLEngine engine = now.context().newEngine(allocator);
    if (now.trust() != null) {
      engine.getSession().putValue(Trust.class.getName(), now.trust());
    }
    return engine;
  }

  /// The trust that was current in the handshake of a session; null if unknown.
  public static @Nullable Trust trustOf(SSLSession session) {
    return session.getValue(Trust.class.getName()) instanceof Trust trust ? trust : null;
  }

  /// A Netty context that creates each new TLS engine with the newest files.
  public SslContext context() {
    return new SslContext() {
      @Override
      public boolean isClient() {
        return false;
      }

      @Override
      public List<String> cipherSuites() {
        return material().context().cipherSuites();
      }

      @Override
      @SuppressWarnings("deprecation") // Netty's method has this return type.
      public ApplicationProtocolNegotiator applicationProtocolNegotiator() {
        return material().context().applicationProtocolNegotiator();
      }

      @Override
      public SSLEngine newEngine(ByteBufAllocator allocator) {
        return remembering(material(), allocator);
      }

      @Override
      public SSLEngine newEngine(ByteBufAllocator allocator, String host, int port) {
        return remembering(material(), allocator);
      }

      @Override
      public SSLSessionContext sessionContext() {
        return material().context().sessionContext();
      }
    };
  }
}
