package dev.hmacd.client;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.cert.X509Certificate;
import java.security.interfaces.ECPublicKey;
import java.security.interfaces.RSAKey;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Parser of the private key of a PEM file: PKCS #8, PKCS #1 or SEC 1, not encrypted. The error for
/// another file says what the file has, and how to convert it.
final class PemPrivateKey {
  /// Group 1 is empty for PKCS #8, which names its algorithm itself.
  private static final Pattern PRIVATE_KEY =
      Pattern.compile(
          "-----BEGIN ((?:EC |RSA )?)PRIVATE KEY-----([A-Za-z0-9+/=\\s]+)-----END \\1PRIVATE"
              + " KEY-----");

  private PemPrivateKey() {}

  /// The private key of a certificate.
  ///
  /// @param certificateFile the file of the certificate, for error messages
  /// @throws IllegalArgumentException if the file has no private key, or the key of another
  ///   certificate
  static PrivateKey parse(PemFile file, X509Certificate certificate, Path certificateFile) {
    Matcher block = PRIVATE_KEY.matcher(file.text());
    if (!block.find()) {
      throw new IllegalArgumentException(
          file.path() + (file.isDer() ? binary(file.path()) : absent(file)));
    }
    PublicKey publicKey = certificate.getPublicKey();
    try {
      byte[] key = Base64.getMimeDecoder().decode(block.group(2));
      byte[] pkcs8 = block.group(1).isEmpty() ? key : Pkcs8.wrap(key, certificate);
      PrivateKey privateKey =
          KeyFactory.getInstance(publicKey.getAlgorithm())
              .generatePrivate(new PKCS8EncodedKeySpec(pkcs8));
      if (isPair(privateKey, pkcs8, publicKey)) {
        return privateKey;
      }
    } catch (GeneralSecurityException e) {
      throw new IllegalArgumentException(
          file.path()
              + " is damaged, or the type of its key differs from the certificate in "
              + certificateFile
              + "; use the key of this certificate",
          e);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(file.path() + " has a damaged key (not base64)", e);
    }
    throw new IllegalArgumentException(
        file.path()
            + " is not the private key of the certificate in "
            + certificateFile
            + "; use the key of this certificate");
  }

  /// Whether a private key belongs to a public key.
  private static boolean isPair(PrivateKey key, byte[] pkcs8, PublicKey publicKey)
      throws GeneralSecurityException {
    if (key instanceof RSAKey own && publicKey instanceof RSAKey other) {
      return own.getModulus().equals(other.getModulus());
    }
    if (publicKey instanceof ECPublicKey point && endsWithPoint(pkcs8, point)) {
      return true;
    }
    String algorithm =
        switch (publicKey.getAlgorithm()) {
          case "EC" -> "SHA256withECDSA";
          case "EdDSA" -> "EdDSA";
          default -> "";
        };
    if (algorithm.isEmpty()) {
      return true; // The TLS library decides.
    }
    byte[] challenge = "hmacd client key".getBytes(ISO_8859_1);
    Signature signature = Signature.getInstance(algorithm);
    signature.initSign(key);
    signature.update(challenge);
    byte[] signed = signature.sign();
    signature.initVerify(publicKey);
    signature.update(challenge);
    return signature.verify(signed);
  }

  /// Whether an encoded private key ends with a public point. The keys of most tools do (RFC 5915,
  /// section 3). A comparison is faster than a signature, which would delay the start of hmacctl.
  private static boolean endsWithPoint(byte[] pkcs8, ECPublicKey publicKey) {
    byte[] encoded = publicKey.getEncoded();
    int fieldBytes = (publicKey.getParams().getCurve().getField().getFieldSize() + 7) / 8;
    int pointBytes = 1 + 2 * fieldBytes;
    return pkcs8.length > pointBytes
        && encoded.length > pointBytes
        && Arrays.equals(
            pkcs8,
            pkcs8.length - pointBytes,
            pkcs8.length,
            encoded,
            encoded.length - pointBytes,
            encoded.length);
  }

  private static String absent(PemFile file) {
    List<String> labels = file.labels();
    if (labels.contains("ENCRYPTED PRIVATE KEY")
        || file.text().contains("Proc-Type: 4,ENCRYPTED")) {
      return " has an encrypted key; decrypt the key with " + conversion(file.path(), "");
    }
    if (labels.contains("CERTIFICATE")) {
      return " has a certificate (BEGIN CERTIFICATE), no private key (BEGIN PRIVATE KEY); exchange"
          + " the files of the certificate and the key";
    }
    return " has no private key (BEGIN PRIVATE KEY, BEGIN EC PRIVATE KEY or BEGIN RSA PRIVATE KEY);"
        + " convert the key with "
        + conversion(file.path(), "");
  }

  private static String binary(Path file) {
    return " is binary (DER or PKCS #12), not PEM; convert a key in DER with "
        + conversion(file, "-inform DER ")
        + ", a PKCS #12 file with openssl pkcs12 -nocerts -nodes -in "
        + file
        + " -out NEW";
  }

  /// The command that converts any key to PKCS #8 without a password.
  private static String conversion(Path file, String options) {
    return "openssl pkcs8 -topk8 -nocrypt " + options + "-in " + file + " -out NEW";
  }
}
