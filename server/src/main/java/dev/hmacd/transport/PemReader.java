package dev.hmacd.transport;

import dev.hmacd.file.FileException;
import dev.hmacd.file.FilePermissions;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.handler.ssl.OpenSsl;
import io.netty.internal.tcnative.SSL;
import io.netty.internal.tcnative.SSLContext;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.cert.Certificate;
import java.security.cert.CertificateException;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Base64;
import java.util.Collection;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Reader of PEM files (RFC 7468), which uses only the JDK. Netty's reader would load Bouncy Castle
/// if it is present. Bouncy Castle needs a second to start.
final class PemReader {
  private static final String NO_CERTIFICATE =
      "has no certificate (BEGIN CERTIFICATE); add the certificate, followed by its chain";

  private static final int MAX_BYTES = 1 << 20;
  private static final Pattern PRIVATE_KEY =
      Pattern.compile("-----BEGIN PRIVATE KEY-----([A-Za-z0-9+/=\\s]+)-----END PRIVATE KEY-----");

  private static final String CERTIFICATE_BEGIN = "-----BEGIN CERTIFICATE-----";
  private static final String ENCRYPTED_KEY_BEGIN = "-----BEGIN ENCRYPTED PRIVATE KEY-----";

  /// The end of the first line of a private key in any format, such as `BEGIN EC PRIVATE KEY`.
  private static final String ANY_KEY = "PRIVATE KEY-----";

  private PemReader() {}

  /// The certificates of a file, at least one, in the order of the file.
  ///
  /// @param configurationKey the configuration key that names the file
  static List<X509Certificate> certificates(String configurationKey, Path file)
      throws FileException {
    byte[] content = read(configurationKey, file);
    if (!has(content, CERTIFICATE_BEGIN) && has(content, ANY_KEY)) {
      throw FileException.unusable(
          configurationKey,
          file,
          "has a private key and no certificate (BEGIN CERTIFICATE);"
              + " configure the file of the certificate here",
          null);
    }
    try {
      Collection<? extends Certificate> all =
          CertificateFactory.getInstance("X.509")
              .generateCertificates(new ByteArrayInputStream(content));
      if (all.isEmpty()) {
        throw FileException.unusable(configurationKey, file, NO_CERTIFICATE, null);
      }
      return all.stream().map(X509Certificate.class::cast).toList();
    } catch (CertificateException e) {
      throw FileException.unusable(
          configurationKey,
          file,
          has(content, CERTIFICATE_BEGIN)
              ? "is not a valid PEM file of certificates (BEGIN CERTIFICATE); install a valid file"
              : NO_CERTIFICATE,
          e);
    }
  }

  /// The bytes of a private key: PKCS #8 in DER.
  ///
  /// @param configurationKey the configuration key that names the file
  /// @throws FileException if the file has no PKCS #8 key, or if others can read or write the file
  static byte[] pkcs8(String configurationKey, Path file) throws FileException {
    requirePrivate(configurationKey, file);
    byte[] content = read(configurationKey, file);
    Matcher matcher = PRIVATE_KEY.matcher(new String(content, StandardCharsets.ISO_8859_1));
    if (!matcher.find()) {
      throw FileException.unusable(configurationKey, file, withoutKey(content), null);
    }
    try {
      return Base64.getMimeDecoder().decode(matcher.group(1));
    } catch (IllegalArgumentException e) {
      throw FileException.unusable(
          configurationKey, file, "has a damaged PKCS #8 key; install a valid file", e);
    }
  }

  /// The fault of a file without a PKCS #8 key, and the remedy.
  private static String withoutKey(byte[] content) {
    if (has(content, ENCRYPTED_KEY_BEGIN)) {
      return "has an encrypted key (BEGIN ENCRYPTED PRIVATE KEY);"
          + " decrypt the key with openssl pkey -in FILE -out NEW";
    }
    if (has(content, CERTIFICATE_BEGIN) && !has(content, ANY_KEY)) {
      return "has a certificate and no PKCS #8 key (BEGIN PRIVATE KEY);"
          + " configure the file of the private key here";
    }
    return "has no PKCS #8 key (BEGIN PRIVATE KEY);"
        + " convert the key with openssl pkcs8 -topk8 -nocrypt";
  }

  private static boolean has(byte[] content, String text) {
    return new String(content, StandardCharsets.ISO_8859_1).contains(text);
  }

  /// The private key of a certificate.
  ///
  /// @param configurationKey the configuration key that names the file
  /// @param pkcs8 the bytes of the key, from [#pkcs8]
  /// @throws FileException if the key is not valid, or belongs to another certificate
  static PrivateKey privateKey(
      String configurationKey, Path file, byte[] pkcs8, X509Certificate certificate)
      throws FileException {
    PublicKey publicKey = certificate.getPublicKey();
    try {
      PrivateKey key =
          KeyFactory.getInstance(publicKey.getAlgorithm())
              .generatePrivate(new PKCS8EncodedKeySpec(pkcs8));
      requireBelonging(key.getEncoded(), certificate);
      return key;
    } catch (GeneralSecurityException e) {
      throw FileException.unusable(
          configurationKey,
          file,
          "is not the private key of the certificate; configure the key of this certificate",
          e);
    }
  }

  /// Checks with the TLS library that the key belongs to the certificate, as a handshake does. A
  /// check with the JDK's elliptic curves would add a tenth of a second to the daemon's start.
  private static void requireBelonging(byte[] key, X509Certificate certificate)
      throws GeneralSecurityException {
    OpenSsl.ensureAvailability();
    long context = 0;
    long connection = 0;
    long keyBio = 0;
    long chainBio = 0;
    long parsedKey = 0;
    long parsedChain = 0;
    try {
      context = SSLContext.make(SSL.SSL_PROTOCOL_ALL, SSL.SSL_MODE_SERVER);
      connection = SSL.newSSL(context, true);
      keyBio = bio("PRIVATE KEY", key);
      chainBio = bio("CERTIFICATE", certificate.getEncoded());
      parsedKey = SSL.parsePrivateKey(keyBio, null);
      parsedChain = SSL.parseX509Chain(chainBio);
      SSL.setKeyMaterial(connection, parsedChain, parsedKey);
    } catch (Exception e) { // Thrown by the library, for example KEY_VALUES_MISMATCH.
      throw new GeneralSecurityException(e);
    } finally {
      if (parsedKey != 0) {
        SSL.freePrivateKey(parsedKey);
      }
      if (parsedChain != 0) {
        SSL.freeX509Chain(parsedChain);
      }
      if (keyBio != 0) {
        SSL.freeBIO(keyBio);
      }
      if (chainBio != 0) {
        SSL.freeBIO(chainBio);
      }
      if (connection != 0) {
        SSL.freeSSL(connection);
      }
      if (context != 0) {
        SSLContext.free(context);
      }
    }
  }

  private static long bio(String type, byte[] der) throws Exception {
    byte[] pem =
        ("-----BEGIN "
                + type
                + "-----\n"
                + Base64.getMimeEncoder(64, new byte[] {'\n'}).encodeToString(der)
                + "\n-----END "
                + type
                + "-----\n")
            .getBytes(StandardCharsets.US_ASCII);
    ByteBuf buffer = UnpooledByteBufAllocator.DEFAULT.directBuffer(pem.length).writeBytes(pem);
    try {
      long bio = SSL.newMemBIO();
      if (SSL.bioWrite(bio, buffer.memoryAddress(), pem.length) != pem.length) {
        SSL.freeBIO(bio);
        throw new IllegalStateException("no native memory for a private key or certificate");
      }
      return bio;
    } finally {
      buffer.setZero(0, buffer.capacity());
      buffer.release();
    }
  }

  /// Requires that others cannot change a file.
  static void requireUnchangeable(String key, Path file) throws FileException {
    require(key, file, FilePermissions.Content.CONFIGURATION);
  }

  private static void requirePrivate(String key, Path file) throws FileException {
    require(key, file, FilePermissions.Content.SECRET);
  }

  private static void require(String key, Path file, FilePermissions.Content content)
      throws FileException {
    Optional<String> refusal;
    try {
      refusal = FilePermissions.refusal(file, content);
    } catch (IOException e) {
      throw FileException.unreadable(key, file, e);
    }
    if (refusal.isPresent()) {
      throw FileException.refused(key, refusal.get());
    }
  }

  private static byte[] read(String key, Path file) throws FileException {
    try {
      if (Files.size(file) > MAX_BYTES) {
        throw FileException.unusable(
            key,
            file,
            "is longer than " + MAX_BYTES + " bytes, the maximum of a PEM file; correct the path",
            null);
      }
      return Files.readAllBytes(file);
    } catch (FileException e) {
      throw e;
    } catch (IOException e) {
      throw FileException.unreadable(key, file, e);
    }
  }
}
