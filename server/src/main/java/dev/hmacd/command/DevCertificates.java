package dev.hmacd.command;

import dev.hmacd.ExitCode;
import dev.hmacd.StartException;
import dev.hmacd.file.FileException;
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
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import org.jspecify.annotations.Nullable;

/// The certificates of `hmacd dev`, of a certificate authority, the daemon and one client. The
/// authority's private key is never in a file and is discarded, so nobody can issue more
/// certificates.
///
/// openssl 3.0 or newer creates the certificates, because a JVM that has just started needs half a
/// second for the authority's key alone.
final class DevCertificates {
  /// The principal of the client's certificate.
  static final String CLIENT = "spiffe://dev.hmacd/client";

  private static final int VALIDITY_DAYS = 30;

  /// Minimum remaining validity of reused certificates.
  private static final Duration MIN_REMAINING = Duration.ofDays(1);

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
  private final ExternalProgram openssl;
  private @Nullable FutureTask<Boolean> making;

  DevCertificates(DevFolder folder) {
    this.folder = folder;
    this.openssl = new ExternalProgram(folder, "openssl", "openssl");
  }

  /// Starts to create the certificates in the background, unless valid certificates exist.
  void begin() throws IOException {
    if (areValid()) {
      return;
    }
    folder.write("openssl.cnf", CONFIG);
    making = new FutureTask<>(this::make);
    var _ = Thread.ofPlatform().name("hmacd-dev-certificates").daemon().start(making);
  }

  /// Waits until the certificates exist.
  void finish() throws StartException, InterruptedException {
    if (making == null) {
      return;
    }
    try {
      var _ = making.get();
    } catch (ExecutionException e) {
      switch (e.getCause()) {
        case StartException known -> throw known;
        case IOException io ->
            throw new StartException(
                "--dir: cannot create the certificates of hmacd dev: "
                    + FileException.reason(io)
                    + "; free disk space, or choose another folder with --dir",
                ExitCode.TEMPORARY,
                io);
        case null, default -> throw new IllegalStateException("cannot create certificates", e);
      }
    }
  }

  private boolean make() throws StartException, IOException, InterruptedException {
    // A JVM that has just started verifies RSA signatures a tenth of a second faster than other
    // signatures. Three primes reduce the time of the RSA key generation to a third.
    String key =
        run(
            "authority",
            "hmacd development CA",
            "",
            "-newkey",
            "rsa:2048",
            "-pkeyopt",
            "rsa_keygen_primes:3",
            "-keyout",
            "/dev/stdout",
            "-out",
            path("ca.pem.new"));
    issue("server", "hmacd dev", key);
    issue("client", "hmacd dev client", key);
    folder.adopt("ca.pem");
    return true;
  }

  private void issue(String name, String commonName, String key)
      throws StartException, IOException, InterruptedException {
    var _ =
        run(
            name,
            commonName,
            key,
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
    folder.adopt(name + "-key.pem");
    folder.adopt(name + ".pem");
  }

  private String run(String extensions, String commonName, String input, String... more)
      throws StartException, IOException, InterruptedException {
    List<String> arguments =
        new ArrayList<>(
            List.of("req", "-x509", "-config", path("openssl.cnf"), "-extensions", extensions));
    arguments.addAll(
        List.of("-days", "" + VALIDITY_DAYS, "-sha256", "-noenc", "-subj", "/CN=" + commonName));
    arguments.addAll(List.of(more));
    return openssl.run(Map.of(), input, arguments);
  }

  private String path(String name) {
    return folder.file(name).toString();
  }

  /// Whether all certificates exist, with a remaining validity of [#MIN_REMAINING] or more. The
  /// file of the authority is written last, so its existence proves that all files exist.
  private boolean areValid() throws IOException {
    if (!Files.exists(folder.file("ca.pem"))) {
      return false;
    }
    try (InputStream in = Files.newInputStream(folder.file("ca.pem"))) {
      var certificate =
          (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(in);
      return Instant.now().plus(MIN_REMAINING).isBefore(certificate.getNotAfter().toInstant());
    } catch (CertificateException e) {
      return false;
    }
  }
}
