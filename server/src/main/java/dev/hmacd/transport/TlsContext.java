package dev.hmacd.transport;

import dev.hmacd.config.TlsConfig;
import dev.hmacd.file.FileException;
import dev.hmacd.file.FileFaults;
import io.netty.buffer.ByteBufAllocator;
import io.netty.handler.codec.http2.Http2SecurityUtil;
import io.netty.handler.ssl.ApplicationProtocolConfig;
import io.netty.handler.ssl.ApplicationProtocolConfig.Protocol;
import io.netty.handler.ssl.ApplicationProtocolConfig.SelectedListenerFailureBehavior;
import io.netty.handler.ssl.ApplicationProtocolConfig.SelectorFailureBehavior;
import io.netty.handler.ssl.ClientAuth;
import io.netty.handler.ssl.OpenSslContextOption;
import io.netty.handler.ssl.OpenSslSessionContext;
import io.netty.handler.ssl.ReferenceCountedOpenSslEngine;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import io.netty.handler.ssl.SslHandler;
import io.netty.handler.ssl.SupportedCipherSuiteFilter;
import io.netty.internal.tcnative.SSL;
import java.io.IOException;
import java.nio.file.Path;
import java.security.PrivateKey;
import java.security.cert.CertificateException;
import java.security.cert.CertificateParsingException;
import java.security.cert.X509Certificate;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.stream.Collectors;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSession;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// TLS context of a listener, with certificates that can be replaced while connections are open.
/// Each new connection uses the newest files. An edge must check each open connection against the
/// present [#trust].
public final class TlsContext {
  private static final List<String> VERSIONS = List.of("TLSv1.3", "TLSv1.2");

  /// Maximum size of a client's certificate chain, in bytes: the smallest limit that BoringSSL
  /// accepts. Each connection keeps its chain.
  static final int MAX_CHAIN_BYTES = 16 << 10;

  /// Maximum number of certificate authorities in an error text.
  private static final int MAX_NAMED = 3;

  /// Name of the trust anchors in a TLS session.
  private static final String SESSION_VALUE = ClientAuthorities.Anchors.class.getName();

  private static final Logger log = LoggerFactory.getLogger(TlsContext.class);

  private final String section;
  private final TlsConfig config;
  private final Clock clock;
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
  /// @param clock the clock for the validity of certificate authorities
  /// @param protocols ALPN names of the protocols, the preferred one first
  public TlsContext(String section, TlsConfig config, Clock clock, String... protocols) {
    this.section = section;
    this.config = config;
    this.clock = clock;
    this.protocols =
        new ApplicationProtocolConfig(
            Protocol.ALPN,
            SelectorFailureBehavior.NO_ADVERTISE,
            SelectedListenerFailureBehavior.ACCEPT,
            protocols);
  }

  /// The content of the TLS files.
  ///
  /// @param trust the trust in clients; null if clients do not authenticate by certificate
  /// @param notAfter expiry of the daemon's own certificate
  private record Material(SslContext context, @Nullable Trust trust, Instant notAfter) {}

  /// @param anchors the trust anchors of all handshakes with the Netty context
  private record Trust(ClientAuthorities authorities, ClientAuthorities.Anchors anchors) {}

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

  /// Reads the TLS files. If all files are valid, new connections use them. Logs each certificate
  /// authority that has expired or is not valid yet.
  ///
  /// @throws FileException with the failures of all files, if a file cannot be read or is not
  ///   valid, if the files do not belong together, or if no certificate authority is valid; the
  ///   previous files stay in use
  public void reload() throws FileException {
    var faults = new FileFaults();
    String privateKey = section + ".private_key";
    Optional<List<X509Certificate>> own =
        faults.read(() -> PemReader.certificates(certificateKey(), config.certificate()));
    own.ifPresent(chain -> faults.check(() -> requireValid(chain.getFirst())));
    Optional<byte[]> pkcs8 = faults.read(() -> PemReader.pkcs8(privateKey, config.privateKey()));
    Optional<PrivateKey> key =
        own.isPresent() && pkcs8.isPresent()
            ? faults.read(
                () ->
                    PemReader.privateKey(
                        privateKey, config.privateKey(), pkcs8.get(), own.get().getFirst()))
            : Optional.empty();
    Optional<Trust> trust = config.clientCa().flatMap(file -> faults.read(() -> trust(file)));
    faults.throwIfAny();
    material = material(own.orElseThrow(), key.orElseThrow(), trust.orElse(null));
    trust.ifPresent(each -> each.anchors().leftOut().forEach(this::logLeftOut));
  }

  private String certificateKey() {
    return section + ".certificate";
  }

  private void requireValid(X509Certificate own) throws FileException {
    try {
      own.checkValidity();
    } catch (CertificateException e) {
      throw FileException.unusable(
          certificateKey(),
          config.certificate(),
          "is expired or not valid yet; install a valid certificate",
          e);
    }
  }

  private Material material(List<X509Certificate> own, PrivateKey key, @Nullable Trust trust)
      throws FileException {
    try {
      SslContextBuilder builder =
          SslContextBuilder.forServer(SingleKeyManager.factory(key, own))
              .protocols(VERSIONS)
              .ciphers(Http2SecurityUtil.CIPHERS, SupportedCipherSuiteFilter.INSTANCE)
              .option(OpenSslContextOption.MAX_CERTIFICATE_LIST_BYTES, MAX_CHAIN_BYTES)
              .applicationProtocolConfig(protocols);
      if (trust != null) {
        builder.trustManager(trust.anchors().trustManager()).clientAuth(ClientAuth.REQUIRE);
      }
      return new Material(
          withoutSessionCache(builder), trust, own.getFirst().getNotAfter().toInstant());
    } catch (IOException | IllegalArgumentException e) {
      throw FileException.ofSection(
          section,
          "the TLS library refused the files: " + e.getMessage() + "; install other files",
          e);
    }
  }

  /// Builds a context without a session cache: a client can resume a session only with a ticket
  /// (RFC 5077), which the daemon does not store, and does not give to clients with certificates.
  /// Netty would keep 20,480 sessions of TLS 1.2 for five minutes, each with the certificate chain
  /// of its client.
  private static SslContext withoutSessionCache(SslContextBuilder builder) throws SSLException {
    SslContext context = builder.build();
    if (context.sessionContext() instanceof OpenSslSessionContext sessions) {
      sessions.setSessionCacheEnabled(false);
    }
    return context;
  }

  private Trust trust(Path file) throws FileException {
    String key = section + ".client_ca";
    PemReader.requireUnchangeable(key, file);
    Instant now = clock.instant();
    ClientAuthorities authorities;
    try {
      authorities = new ClientAuthorities(PemReader.certificates(key, file), now);
    } catch (CertificateParsingException e) {
      throw FileException.unusable(
          key, file, "has a certificate authority with " + e.getMessage() + "; replace it", e);
    }
    ClientAuthorities.Anchors anchors = authorities.at(now);
    if (anchors.trustManager() == null) {
      throw FileException.unusable(
          key,
          file,
          "has no certificate authority that is valid now; add a valid one: "
              + anchors.leftOut().stream()
                  .limit(MAX_NAMED)
                  .map(TlsContext::validity)
                  .collect(Collectors.joining(", ")),
          null);
    }
    return new Trust(authorities, anchors);
  }

  private static String validity(X509Certificate authority) {
    return authority.getSubjectX500Principal().getName()
        + " is valid from "
        + authority.getNotBefore().toInstant()
        + " to "
        + authority.getNotAfter().toInstant();
  }

  private void logLeftOut(X509Certificate authority) {
    log.atWarn()
        .addKeyValue("subject", authority.getSubjectX500Principal().getName())
        .addKeyValue("not_before", authority.getNotBefore().toInstant())
        .addKeyValue("not_after", authority.getNotAfter().toInstant())
        .addKeyValue("file", config.clientCa().orElseThrow())
        .addKeyValue("key", section + ".client_ca")
        .log("Certificate authority left out: expired or not valid yet");
  }

  private Material material() {
    Material loaded = material;
    if (loaded == null) {
      throw new IllegalStateException("TLS files of " + section + " not read: call reload first");
    }
    return loaded;
  }

  private Trust clientTrust() {
    Trust trust = material().trust();
    if (trust == null) {
      throw new IllegalStateException(
          section + " has no client_ca: callers do not authenticate by certificate");
    }
    return trust;
  }

  /// The trust anchors at a time: the certificate authorities in the newest TLS files that are
  /// valid. Edges must check open connections against the present trust anchors. Thread-safe.
  ///
  /// @throws IllegalStateException if clients do not authenticate by certificate on this listener
  public ClientAuthorities.Anchors trust(Instant now) {
    return clientTrust().authorities().at(now);
  }

  /// Whether a certificate authority has expired or begun since the TLS files were read. Then
  /// [#reload] gives new connections the present trust anchors. Thread-safe.
  public boolean isTrustOutdated() {
    Material loaded = material;
    Trust trust = loaded == null ? null : loaded.trust();
    return trust != null && trust.authorities().at(clock.instant()) != trust.anchors();
  }

  /// The earliest expiry of the valid certificate authorities. If none is valid, the latest expiry
  /// of all authorities.
  public Instant earliestAuthorityExpiry() {
    return clientTrust().authorities().earliestExpiry(clock.instant());
  }

  /// Number of certificate authorities that have expired or are not valid yet.
  public int authoritiesLeftOut() {
    return clientTrust().authorities().at(clock.instant()).leftOut().size();
  }

  /// The paths of the TLS files.
  public List<Path> files() {
    return config.files().toList();
  }

  /// Expiry time of the daemon's own certificate.
  public Instant notAfter() {
    return material().notAfter();
  }

  /// A new TLS handler of a connection, which uses the newest files. If clients authenticate by
  /// certificate, the session stores the trust anchors of the handshake, and no client can resume
  /// the session.
  ///
  /// @param timeout timeout of the handshake
  public SslHandler newHandler(ByteBufAllocator allocator, Duration timeout) {
    Material now = material();
    SSLEngine engine = now.context().newEngine(allocator);
    var handler = new SslHandler(engine);
    handler.setHandshakeTimeoutMillis(timeout.toMillis());
    Trust trust = now.trust();
    if (trust != null) {
      disableTickets(engine);
      // BoringSSL's engine drops the values of its session at the start of the handshake.
      var _ =
          handler
              .handshakeFuture()
              .addListener(
                  done -> {
                    if (done.isSuccess()) {
                      engine.getSession().putValue(SESSION_VALUE, trust.anchors());
                    }
                  });
    }
    return handler;
  }

  /// Disables session tickets on a connection. A resumed session has the certificate of its first
  /// handshake: a client would keep the identity of its old certificate after a renewal. The Netty
  /// context cannot disable tickets, because Netty enables them for each engine with TLS 1.3.
  private static void disableTickets(SSLEngine engine) {
    SSL.setOptions(((ReferenceCountedOpenSslEngine) engine).sslPointer(), SSL.SSL_OP_NO_TICKET);
  }

  /// The trust anchors in the handshake of a session; null if unknown.
  public static ClientAuthorities.@Nullable Anchors trustOf(SSLSession session) {
    return session.getValue(SESSION_VALUE) instanceof ClientAuthorities.Anchors anchors
        ? anchors
        : null;
  }
}
