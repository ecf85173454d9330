package dev.hmacd.client;

import static java.util.concurrent.TimeUnit.NANOSECONDS;

import io.grpc.ChannelCredentials;
import io.grpc.TlsChannelCredentials;
import io.grpc.util.AdvancedTlsX509KeyManager;
import io.grpc.util.AdvancedTlsX509TrustManager;
import io.netty.util.concurrent.DefaultThreadFactory;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.security.GeneralSecurityException;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;

/// The PEM files of mutual TLS. Changed files are read again, so that a new connection uses a
/// renewed certificate. If the changed files cannot be read, a warning is logged, and the previous
/// content stays in use.
final class TlsFiles implements AutoCloseable {
  private final Path ca;
  private final Path cert;
  private final Path key;
  private final AdvancedTlsX509TrustManager trustManager;
  // Without this key manager, TlsChannelCredentials uses a KeyStore, which slowly derives a key
  // from a password.
  private final AdvancedTlsX509KeyManager keyManager = new AdvancedTlsX509KeyManager();
  private final ScheduledExecutorService reader;
  private List<FileTime> read;

  /// @param period interval between checks for changes
  /// @throws IllegalArgumentException if a file is not PEM, or has the wrong content, or if the
  ///   private key does not belong to the certificate
  /// @throws UncheckedIOException if a file cannot be read
  TlsFiles(Path ca, Path cert, Path key, Duration period) {
    this.ca = ca;
    this.cert = cert;
    this.key = key;
    try {
      trustManager = AdvancedTlsX509TrustManager.newBuilder().build();
      read = lastModified();
      read();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (GeneralSecurityException e) {
      throw new IllegalArgumentException(
          "the JDK refused the certificates in " + ca + ": " + e.getMessage(), e);
    }
    reader =
        Executors.newSingleThreadScheduledExecutor(
            new DefaultThreadFactory("hmacd-client-tls-files", true));
    var unused =
        reader.scheduleWithFixedDelay(
            this::readIfChanged, period.toNanos(), period.toNanos(), NANOSECONDS);
  }

  ChannelCredentials credentials() {
    return TlsChannelCredentials.newBuilder()
        .trustManager(trustManager)
        .keyManager(keyManager)
        .build();
  }

  @Override
  public void close() {
    reader.shutdownNow();
  }

  private void readIfChanged() {
    try {
      List<FileTime> now = lastModified();
      if (!now.equals(read)) {
        read = now; // Set first, so that the next check finds a change during the read.
        read();
      }
    } catch (IOException | GeneralSecurityException | RuntimeException | Error e) {
      System.getLogger(TlsFiles.class.getName())
          .log(
              System.Logger.Level.WARNING,
              "Changed TLS files not read: previous content stays in use",
              e);
    }
  }

  /// Reads all files, then replaces the content in use: files that do not belong together change
  /// nothing.
  private void read() throws IOException, GeneralSecurityException {
    X509Certificate[] authorities = PemCertificates.parse(PemFile.read(ca));
    X509Certificate[] chain = PemCertificates.parse(PemFile.read(cert));
    PrivateKey privateKey = PemPrivateKey.parse(PemFile.read(key), chain[0], cert);
    trustManager.updateTrustCredentials(authorities);
    keyManager.updateIdentityCredentials(chain, privateKey);
  }

  private List<FileTime> lastModified() throws IOException {
    return List.of(
        Files.getLastModifiedTime(ca),
        Files.getLastModifiedTime(cert),
        Files.getLastModifiedTime(key));
  }
}
