package dev.hmacd.authn;

import dev.hmacd.config.TlsConfig;
import dev.hmacd.testing.TestCa;
import dev.hmacd.transport.TlsContext;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.CertificateEncodingException;
import java.security.cert.X509Certificate;
import java.time.Clock;
import java.util.Base64;
import java.util.Optional;

/// TLS files of a gRPC edge for tests of its trust in clients.
final class TrustFiles {
  private final Path folder;

  TrustFiles(Path folder) {
    this.folder = folder;
    TestCa.write(
        new TestCa("daemon").server(),
        folder.resolve("certificate.pem"),
        folder.resolve("key.pem"));
  }

  /// A context that has not read the files yet.
  TlsContext context(Clock clock) {
    return new TlsContext(
        "grpc.tls",
        new TlsConfig(
            folder.resolve("certificate.pem"),
            folder.resolve("key.pem"),
            Optional.of(folder.resolve("clients.pem"))),
        clock,
        "h2");
  }

  /// Replaces `client_ca`.
  TrustFiles trust(X509Certificate... authorities) {
    var text = new StringBuilder();
    try {
      for (X509Certificate each : authorities) {
        text.append("-----BEGIN CERTIFICATE-----\n")
            .append(Base64.getMimeEncoder().encodeToString(each.getEncoded()))
            .append("\n-----END CERTIFICATE-----\n");
      }
      Files.writeString(folder.resolve("clients.pem"), text);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (CertificateEncodingException e) {
      throw new IllegalArgumentException(e);
    }
    return this;
  }
}
