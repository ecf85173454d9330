package dev.hmacd.rpc;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.Collection;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Reads PEM files (RFC 7468) with the JDK alone: Netty would use Bouncy Castle where it finds it,
/// which takes a second to start.
final class Pem {
  private static final int MAX_BYTES = 1 << 20;
  private static final Pattern PRIVATE_KEY =
      Pattern.compile("-----BEGIN PRIVATE KEY-----([A-Za-z0-9+/=\\s]+)-----END PRIVATE KEY-----");

  private Pem() {}

  /// The certificates of a file, at least one, in its order.
  static List<X509Certificate> certificates(Path file) throws IOException {
    try {
      Collection<? extends Certificate> all =
          CertificateFactory.getInstance("X.509")
              .generateCertificates(new ByteArrayInputStream(read(file)));
      if (all.isEmpty()) {
        throw new IOException("no certificate in " + file);
      }
      return all.stream().map(X509Certificate.class::cast).toList();
    } catch (CertificateException e) {
      throw new IOException(file + " is not a PEM file of certificates", e);
    }
  }

  /// The private key of a certificate.
  ///
  /// @throws IOException also when it is the key of another certificate
  static PrivateKey privateKey(Path file, X509Certificate certificate) throws IOException {
    Matcher matcher = PRIVATE_KEY.matcher(new String(read(file), StandardCharsets.ISO_8859_1));
    if (!matcher.find()) {
      throw new IOException(file + " has no PKCS #8 key (BEGIN PRIVATE KEY)");
    }
    PublicKey publicKey = certificate.getPublicKey();
    try {
      PrivateKey key =
          KeyFactory.getInstance(publicKey.getAlgorithm())
              .generatePrivate(
                  new PKCS8EncodedKeySpec(Base64.getMimeDecoder().decode(matcher.group(1))));
      if (!belongTogether(key, publicKey)) {
        throw new IOException(file + " is not the key of the certificate");
      }
      return key;
    } catch (GeneralSecurityException e) {
      throw new IOException(file + " is not the key of the certificate", e);
    }
  }

  private static boolean belongTogether(PrivateKey key, PublicKey publicKey)
      throws GeneralSecurityException {
    String algorithm =
        switch (publicKey.getAlgorithm()) {
          case "RSA" -> "SHA256withRSA";
          case "EC" -> "SHA256withECDSA";
          default -> publicKey.getAlgorithm();
        };
    Signature signature = Signature.getInstance(algorithm);
    signature.initSign(key);
    byte[] signed = signature.sign();
    signature.initVerify(publicKey);
    return signature.verify(signed);
  }

  private static byte[] read(Path file) throws IOException {
    if (Files.size(file) > MAX_BYTES) {
      throw new IOException(file + " is longer than " + MAX_BYTES + " bytes");
    }
    return Files.readAllBytes(file);
  }
}
