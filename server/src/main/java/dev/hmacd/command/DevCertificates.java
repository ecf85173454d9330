package dev.hmacd.command;

import dev.hmacd.StartException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// The certificates of `hmacd dev`: an authority, the daemon's and one client's. The authority's
/// key is never in a file and is thrown away, so nobody can make more.
///
/// By openssl, 3.0 or newer: a JVM that has just started takes half a second for the authority's
/// key alone.
final class DevCertificates {
  /// The principal of the client's certificate.
  static final String CLIENT = "spiffe://dev.hmacd/client";

  private static final int LIFE_DAYS = 30;

  /// How long they must at least last when they are taken again.
  private static final Duration REST = Duration.ofDays(1);

  private static final String CONFIG =
      """
      [req]
      distinguished_name = name
      [name]
      [authority]
      basicConstraints = critical, CA:TRUE, pathlen:0
      keyUsage = critical, keyCertSign
      subjectKeyIdentifier = hash
      [server]
      basicConstraints = critical, CA:FALSE
      keyUsage = critical, digitalSignature
      extendedKeyUsage = serverAuth
      subjectAltName = DNS:localhost, IP:127.0.0.1, IP:::1
      authorityKeyIdentifier = keyid
      [client]
      basicConstraints = critical, CA:FALSE
      keyUsage = critical, digitalSignature
      extendedKeyUsage = clientAuth
      subjectAltName = URI:%s
      authorityKeyIdentifier = keyid
      """
          .formatted(CLIENT);

  private final DevFolder folder;
  private final DevTool openssl;
  private DevTool.@Nullable Started authorityKey;

  DevCertificates(DevFolder folder) {
    this.folder = folder;
    this.openssl = new DevTool(folder, "openssl", "openssl");
  }

  /// Begins to make them, unless they are there and last.
  void begin() throws StartException, IOException {
    if (lasts()) {
      return;
    }
    folder.write("openssl.cnf", CONFIG);
    // RSA is what a JVM that has just started checks fastest, by a tenth of a second each time.
    authorityKey =
        start(
            "authority",
            "hmacd development CA",
            "",
            List.of("-newkey", "rsa:2048", "-keyout", "/dev/stdout", "-out", path("ca.pem.new")));
  }

  /// Waits until they are there.
  void finish() throws StartException, IOException, InterruptedException {
    if (authorityKey == null) {
      return;
    }
    String key = authorityKey.await();
    issue("server", "hmacd dev", key);
    issue("client", "hmacd dev client", key);
    folder.adopt("ca.pem");
  }

  private void issue(String name, String commonName, String key)
      throws StartException, IOException, InterruptedException {
    List<String> arguments =
        List.of(
            "-CA",
            path("ca.pem.new"),
            "-CAkey",
            "/dev/stdin",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-keyout",
            path(name + "-key.pem.new"),
            "-out",
            path(name + ".pem.new"));
    var _ = start(name, commonName, key, arguments).await();
    folder.adopt(name + "-key.pem");
    folder.adopt(name + ".pem");
  }

  private DevTool.Started start(
      String extensions, String commonName, String input, List<String> more)
      throws StartException, IOException {
    List<String> arguments =
        new ArrayList<>(
            List.of("req", "-x509", "-config", path("openssl.cnf"), "-extensions", extensions));
    arguments.addAll(
        List.of("-days", "" + LIFE_DAYS, "-sha256", "-noenc", "-subj", "/CN=" + commonName));
    arguments.addAll(more);
    return openssl.start(Map.of(), input, arguments);
  }

  private String path(String name) {
    return folder.file(name).toString();
  }

  /// Written last, the authority says that all are there.
  private boolean lasts() throws IOException {
    if (!Files.exists(folder.file("ca.pem"))) {
      return false;
    }
    try (InputStream in = Files.newInputStream(folder.file("ca.pem"))) {
      var certificate =
          (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(in);
      return Instant.now().plus(REST).isBefore(certificate.getNotAfter().toInstant());
    } catch (CertificateException e) {
      return false;
    }
  }
}
