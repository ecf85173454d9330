package dev.hmacd.client;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.interfaces.ECPublicKey;
import java.security.interfaces.RSAKey;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/// Reader of PEM files (RFC 7468) with certificates and PKCS #8 keys. The error for another file
/// says what the file has, and how to convert it.
final class PemFiles {
  private static final int MAX_BYTES = 1 << 20;
  private static final byte DER_SEQUENCE = 0x30;
  private static final Pattern LABEL = Pattern.compile("-----BEGIN ([A-Z0-9 ]+)-----");
  private static final Pattern CERTIFICATE =
      Pattern.compile("-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\\s]+-----END CERTIFICATE-----");
  private static final Pattern PRIVATE_KEY =
      Pattern.compile("-----BEGIN PRIVATE KEY-----([A-Za-z0-9+/=\\s]+)-----END PRIVATE KEY-----");

  private PemFiles() {}

  /// The certificates of a file, at least one, in the order of the file. Other PEM blocks of the
  /// file are ignored.
  ///
  /// @throws IllegalArgumentException if the file has no certificate, or a damaged certificate
  /// @throws IOException if the file cannot be read
  static X509Certificate[] certificates(Path file) throws IOException {
    byte[] content = read(file);
    String text = new String(content, ISO_8859_1);
    String blocks =
        CERTIFICATE
            .matcher(text)
            .results()
            .map(MatchResult::group)
            .collect(Collectors.joining("\n"));
    if (blocks.isEmpty() && !isDer(content)) {
      throw new IllegalArgumentException(file + noCertificate(text));
    }
    byte[] encoded = blocks.isEmpty() ? content : blocks.getBytes(ISO_8859_1);
    try {
      X509Certificate[] certificates =
          CertificateFactory.getInstance("X.509")
              .generateCertificates(new ByteArrayInputStream(encoded))
              .stream()
              .map(X509Certificate.class::cast)
              .toArray(X509Certificate[]::new);
      if (certificates.length > 0) {
        return certificates;
      }
    } catch (CertificateException e) {
      throw new IllegalArgumentException(file + damagedCertificate(file, blocks), e);
    }
    throw new IllegalArgumentException(file + damagedCertificate(file, blocks));
  }

  /// The private key of a certificate.
  ///
  /// @param certificateFile the file of the certificate, for error messages
  /// @throws IllegalArgumentException if the file has no PKCS #8 key, or the key of another
  ///   certificate
  /// @throws IOException if the file cannot be read
  static PrivateKey privateKey(Path file, X509Certificate certificate, Path certificateFile)
      throws IOException {
    byte[] content = read(file);
    String text = new String(content, ISO_8859_1);
    Matcher block = PRIVATE_KEY.matcher(text);
    if (!block.find()) {
      throw new IllegalArgumentException(
          file + (isDer(content) ? derKey(file) : noPrivateKey(file, text)));
    }
    try {
      byte[] pkcs8 = Base64.getMimeDecoder().decode(block.group(1));
      PublicKey publicKey = certificate.getPublicKey();
      PrivateKey key =
          KeyFactory.getInstance(publicKey.getAlgorithm())
              .generatePrivate(new PKCS8EncodedKeySpec(pkcs8));
      if (isPair(key, pkcs8, publicKey)) {
        return key;
      }
    } catch (GeneralSecurityException e) {
      throw new IllegalArgumentException(
          file
              + " is damaged, or the type of its key differs from the certificate in "
              + certificateFile
              + "; use the key of this certificate",
          e);
    } catch (IllegalArgumentException e) {
      throw new IllegalArgumentException(file + " has a damaged PKCS #8 key (not base64)", e);
    }
    throw new IllegalArgumentException(
        file
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

  private static boolean isDer(byte[] content) {
    return content.length > 0 && content[0] == DER_SEQUENCE;
  }

  /// The labels of all PEM blocks in a file, in their order.
  private static List<String> labels(String text) {
    return LABEL.matcher(text).results().map(found -> found.group(1)).toList();
  }

  private static String noCertificate(String text) {
    for (String label : labels(text)) {
      if (label.endsWith("PRIVATE KEY")) {
        return " has a private key (BEGIN "
            + label
            + "), no certificate (BEGIN CERTIFICATE); exchange the files of the certificate and the"
            + " key";
      }
      if (label.endsWith("CERTIFICATE REQUEST")) {
        return " has a certificate request (BEGIN "
            + label
            + "), no certificate (BEGIN CERTIFICATE); use the certificate that the authority"
            + " issued";
      }
    }
    return " has no certificate (BEGIN CERTIFICATE); add the certificate, followed by its chain";
  }

  private static String damagedCertificate(Path file, String blocks) {
    return blocks.isEmpty()
        ? " is not PEM, and has no certificate in DER; convert a PKCS #12 file with openssl pkcs12"
            + " -nokeys -in "
            + file
            + " -out NEW"
        : " has a damaged certificate (BEGIN CERTIFICATE)";
  }

  private static String noPrivateKey(Path file, String text) {
    List<String> labels = labels(text);
    if (labels.contains("ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED")) {
      return " has an encrypted key, no PKCS #8 key without a password (BEGIN PRIVATE KEY); decrypt"
          + " the key with "
          + conversion(file, "");
    }
    for (String label : labels) {
      switch (label) {
        case "EC PRIVATE KEY" -> {
          return otherKey("SEC 1", label, file);
        }
        case "RSA PRIVATE KEY" -> {
          return otherKey("PKCS #1", label, file);
        }
        case "CERTIFICATE" -> {
          return " has a certificate (BEGIN CERTIFICATE), no private key (BEGIN PRIVATE KEY);"
              + " exchange the files of the certificate and the key";
        }
        default -> {} // Such as EC PARAMETERS, before an EC PRIVATE KEY.
      }
    }
    return " has no PKCS #8 key (BEGIN PRIVATE KEY); convert the key with " + conversion(file, "");
  }

  private static String otherKey(String format, String label, Path file) {
    return " has a "
        + format
        + " key (BEGIN "
        + label
        + "), no PKCS #8 key (BEGIN PRIVATE KEY); convert the key with "
        + conversion(file, "");
  }

  private static String derKey(Path file) {
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

  private static byte[] read(Path file) throws IOException {
    try (InputStream in = Files.newInputStream(file)) {
      byte[] content = in.readNBytes(MAX_BYTES + 1);
      if (content.length > MAX_BYTES) {
        throw new IllegalArgumentException(
            file + " is longer than " + MAX_BYTES + " bytes, the maximum of a PEM file");
      }
      return content;
    } catch (FileSystemException e) {
      throw e;
    } catch (IOException e) { // Without the path, such as "Is a directory".
      throw new FileSystemException(file.toString(), null, String.valueOf(e.getMessage()));
    }
  }
}
