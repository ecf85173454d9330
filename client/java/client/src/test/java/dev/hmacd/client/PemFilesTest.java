package dev.hmacd.client;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import io.netty.pkitesting.CertificateBuilder;
import io.netty.pkitesting.CertificateBuilder.Algorithm;
import io.netty.pkitesting.X509Bundle;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.security.interfaces.ECPrivateKey;
import java.security.interfaces.ECPublicKey;
import java.security.spec.ECPrivateKeySpec;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/// The files of TLS: valid files of each kind, and the error for another file, with its remedy.
class PemFilesTest {
  private static final X509Bundle PAIR = pair(Algorithm.ecp256);
  private static final X509Bundle OTHER = pair(Algorithm.ecp256);

  private final Path folder;

  PemFilesTest(@TempDir Path folder) {
    this.folder = folder;
  }

  private static X509Bundle pair(Algorithm algorithm) {
    try {
      return new CertificateBuilder()
          .algorithm(algorithm)
          .subject("CN=billing")
          .setIsCertificateAuthority(true)
          .buildSelfSigned();
    } catch (Exception e) {
      throw new AssertionError(e);
    }
  }

  private Path file(String name, String content) throws IOException {
    return Files.writeString(folder.resolve(name), content, ISO_8859_1);
  }

  private static String pem(String label, byte[] der) {
    return "-----BEGIN %s-----%n%s%n-----END %s-----%n"
        .formatted(label, Base64.getMimeEncoder().encodeToString(der), label);
  }

  private static X509Certificate[] certificates(Path file) throws IOException {
    return PemCertificates.parse(PemFile.read(file));
  }

  private PrivateKey read(Path key, X509Bundle certificate) throws IOException {
    return PemPrivateKey.parse(
        PemFile.read(key), certificate.getCertificate(), folder.resolve("cert.pem"));
  }

  @ParameterizedTest
  @EnumSource(
      value = Algorithm.class,
      names = {"ecp256", "ecp384", "rsa2048", "ed25519"})
  void keyOfTheCertificateIsReadAndAnotherRefused(Algorithm algorithm) throws IOException {
    X509Bundle pair = pair(algorithm);
    Path key = file("key.pem", pair.getPrivateKeyPEM());
    assertThat(read(key, pair)).isNotNull();
    Path other = file("other.pem", pair(algorithm).getPrivateKeyPEM());
    assertThatIllegalArgumentException()
        .isThrownBy(() -> read(other, pair))
        .withMessage(
            other
                + " is not the private key of the certificate in "
                + folder.resolve("cert.pem")
                + "; use the key of this certificate");
  }

  /// RFC 5915 makes the public point of a private key optional.
  @Test
  void keyWithOrWithoutItsPublicPointIsRead() throws Exception {
    var publicKey = (ECPublicKey) PAIR.getKeyPair().getPublic();
    var privateKey = (ECPrivateKey) PAIR.getKeyPair().getPrivate();
    byte[] without =
        KeyFactory.getInstance("EC")
            .generatePrivate(new ECPrivateKeySpec(privateKey.getS(), publicKey.getParams()))
            .getEncoded();
    byte[] with = withPoint(privateKey.getS(), publicKey.getEncoded());
    for (byte[] pkcs8 : new byte[][] {without, with}) {
      Path key = file("key.pem", pem("PRIVATE KEY", pkcs8));
      assertThat(((ECPrivateKey) read(key, PAIR)).getS()).isEqualTo(privateKey.getS());
      assertThatIllegalArgumentException().isThrownBy(() -> read(key, OTHER));
    }
  }

  /// A key of P-256 in PKCS #8, as openssl encodes it.
  private static byte[] withPoint(BigInteger s, byte[] publicKey) {
    HexFormat hex = HexFormat.of();
    String encodedPublicKey = hex.formatHex(publicKey);
    return hex.parseHex(
        "308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b0201010420"
            + "%064x".formatted(s)
            + "a144034200"
            + encodedPublicKey.substring(encodedPublicKey.length() - 2 * 65));
  }

  /// SEC 1 and PKCS #1 are the content of the octet string that ends PKCS #8.
  @ParameterizedTest
  @EnumSource(
      value = Algorithm.class,
      names = {"ecp256", "ecp384", "rsa2048"})
  void keyInSec1OrPkcs1IsReadAndAnotherRefused(Algorithm algorithm) throws IOException {
    X509Bundle pair = pair(algorithm);
    boolean rsa = algorithm.name().startsWith("rsa");
    String block =
        pem(rsa ? "RSA PRIVATE KEY" : "EC PRIVATE KEY", inner(pair.getKeyPair().getPrivate()));
    Path key = file("key.pem", rsa ? block : pem("EC PARAMETERS", new byte[8]) + block);
    assertThat(read(key, pair)).isEqualTo(pair.getKeyPair().getPrivate());
    X509Bundle other = pair(algorithm);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> read(key, other))
        .withMessageContaining(" is not the private key of the certificate in ");
    X509Bundle otherType = pair(rsa ? Algorithm.ecp256 : Algorithm.rsa2048);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> read(key, otherType))
        .withMessageContaining("the type of its key differs from the certificate");
  }

  private static byte[] inner(PrivateKey key) {
    byte[] pkcs8 = key.getEncoded();
    int algorithm = content(pkcs8, 0) + 3; // after the version
    int octets = content(pkcs8, algorithm) + pkcs8[algorithm + 1]; // at most 127 bytes
    return Arrays.copyOfRange(pkcs8, content(pkcs8, octets), pkcs8.length);
  }

  /// The offset of the content of a DER element.
  private static int content(byte[] der, int element) {
    return element + 2 + (der[element + 1] >= 0 ? 0 : der[element + 1] & 0x7f);
  }

  @Test
  void keyOfAnotherTypeIsRefused() throws IOException {
    Path key = file("key.pem", pair(Algorithm.rsa2048).getPrivateKeyPEM());
    assertThatIllegalArgumentException()
        .isThrownBy(() -> read(key, PAIR))
        .withMessageContaining("the type of its key differs from the certificate");
  }

  static Stream<Arguments> unusableKeys() {
    return Stream.of(
        Arguments.of(
            "encrypted PKCS #8",
            pem("ENCRYPTED PRIVATE KEY", new byte[100]),
            " has an encrypted key; decrypt the key with openssl pkcs8 -topk8 -nocrypt -in FILE"
                + " -out NEW"),
        Arguments.of(
            "encrypted PKCS #1",
            """
            -----BEGIN RSA PRIVATE KEY-----
            Proc-Type: 4,ENCRYPTED
            DEK-Info: AES-256-CBC,00

            AAAA
            -----END RSA PRIVATE KEY-----
            """,
            " has an encrypted key; decrypt the key with openssl pkcs8 -topk8 -nocrypt -in FILE"
                + " -out NEW"),
        Arguments.of(
            "certificate",
            PAIR.getCertificatePEM(),
            " has a certificate (BEGIN CERTIFICATE), no private key (BEGIN PRIVATE KEY); exchange"
                + " the files of the certificate and the key"),
        Arguments.of(
            "DER",
            new String(PAIR.getKeyPair().getPrivate().getEncoded(), ISO_8859_1),
            " is binary (DER or PKCS #12), not PEM; convert a key in DER with openssl pkcs8 -topk8"
                + " -nocrypt -inform DER -in FILE -out NEW, a PKCS #12 file with openssl pkcs12"
                + " -nocerts -nodes -in FILE -out NEW"),
        Arguments.of(
            "no key",
            "hello",
            " has no private key (BEGIN PRIVATE KEY, BEGIN EC PRIVATE KEY or BEGIN RSA PRIVATE"
                + " KEY); convert the key with openssl pkcs8 -topk8 -nocrypt -in FILE -out NEW"));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("unusableKeys")
  void unusableKeyHasItsRemedy(String name, String content, String text) throws IOException {
    Path key = file("key.pem", content);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> read(key, PAIR))
        .withMessage(key + text.replace("FILE", key.toString()));
  }

  @Test
  void damagedKeyIsRefused() throws IOException {
    Path key = file("key.pem", "-----BEGIN PRIVATE KEY-----\nA===\n-----END PRIVATE KEY-----\n");
    assertThatIllegalArgumentException().isThrownBy(() -> read(key, PAIR));
    Path shorter = file("shorter.pem", pem("PRIVATE KEY", new byte[] {0x30, 0x03, 0x02}));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> read(shorter, PAIR))
        .withMessageContaining(" is damaged, ");
  }

  @Test
  void certificatesAreReadInTheirOrderBesideOtherBlocks() throws IOException {
    Path chain =
        file(
            "chain.pem",
            "subject=CN = billing\n"
                + PAIR.getCertificatePEM()
                + PAIR.getPrivateKeyPEM()
                + OTHER.getCertificatePEM());
    assertThat(certificates(chain)).containsExactly(PAIR.getCertificate(), OTHER.getCertificate());
    assertThat(read(chain, PAIR)).isNotNull();
  }

  @Test
  void certificateInDerIsRead() throws Exception {
    Path der = Files.write(folder.resolve("cert.der"), PAIR.getCertificate().getEncoded());
    assertThat(certificates(der)).containsExactly(PAIR.getCertificate());
  }

  static Stream<Arguments> unusableCertificates() {
    return Stream.of(
        Arguments.of(
            "private key",
            PAIR.getPrivateKeyPEM(),
            " has a private key (BEGIN PRIVATE KEY), no certificate (BEGIN CERTIFICATE); exchange"
                + " the files of the certificate and the key"),
        Arguments.of(
            "SEC 1 key",
            pem("EC PRIVATE KEY", new byte[100]),
            " has a private key (BEGIN EC PRIVATE KEY), no certificate (BEGIN CERTIFICATE);"
                + " exchange the files of the certificate and the key"),
        Arguments.of(
            "certificate request",
            pem("CERTIFICATE REQUEST", new byte[100]),
            " has a certificate request (BEGIN CERTIFICATE REQUEST), no certificate (BEGIN"
                + " CERTIFICATE); use the certificate that the authority issued"),
        Arguments.of(
            "no certificate",
            "hello",
            " has no certificate (BEGIN CERTIFICATE); add the certificate, followed by its chain"),
        Arguments.of(
            "empty",
            "",
            " has no certificate (BEGIN CERTIFICATE); add the certificate, followed by its chain"),
        Arguments.of(
            "damaged",
            pem("CERTIFICATE", new byte[] {0x30, 0x03, 0x02}),
            " has a damaged certificate (BEGIN CERTIFICATE)"),
        Arguments.of(
            "PKCS #12",
            "0\u0082\u0001\u0000\u0002\u0001\u0003",
            " is not PEM, and has no certificate in DER; convert a PKCS #12 file with openssl"
                + " pkcs12 -nokeys -in FILE -out NEW"));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("unusableCertificates")
  void unusableCertificateHasItsRemedy(String name, String content, String text)
      throws IOException {
    Path certificate = file("cert.pem", content);
    assertThatIllegalArgumentException()
        .isThrownBy(() -> certificates(certificate))
        .withMessage(certificate + text.replace("FILE", certificate.toString()));
  }

  @Test
  void unreadableFileIsNamed() throws IOException {
    assertThatIOException()
        .isThrownBy(() -> certificates(folder.resolve("none.pem")))
        .withMessageContaining("none.pem");
    assertThatIllegalArgumentException()
        .isThrownBy(() -> certificates(folder))
        .withMessage(folder + " is a directory; use the path of a PEM file");
    Path large = file("large.pem", "#".repeat((1 << 20) + 1));
    assertThatIllegalArgumentException()
        .isThrownBy(() -> certificates(large))
        .withMessage(large + " is longer than 1048576 bytes, the maximum of a PEM file");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {"-----BEGIN PRIVATE KEY-----\nSECRET", "-----BEGIN EC SECRET", "a\rSECRET"})
  void contentInPlaceOfAPathIsNotShown(String content) {
    Path path = Path.of(content);
    Path file = Path.of("file.pem");
    for (ThrowingCallable call :
        List.<ThrowingCallable>of(
            () -> HmacdClient.builder().tls(path, file, file),
            () -> HmacdClient.builder().tls(file, path, file),
            () -> HmacdClient.builder().tls(file, file, path),
            () -> HmacdClientBuilder.fromEnv(Map.of("HMACD_TARGET", "h:1", "HMACD_KEY", content)),
            () ->
                HmacdClientBuilder.fromEnv(
                    Map.of(
                        "HMACD_TARGET", "h:1",
                        "HMACD_CA", content,
                        "HMACD_CERT", "c",
                        "HMACD_KEY", "k")))) {
      assertThatIllegalArgumentException()
          .isThrownBy(call)
          .withMessageContaining(" has the content of a file, not a path; set ")
          .withMessageNotContaining("SECRET");
    }
  }

  @Test
  void clientWithFilesThatDoNotFitIsNotBuilt() {
    TestPki client = TestPki.client();
    TestPki other = TestPki.client();
    assertThatIllegalArgumentException()
        .isThrownBy(
            () ->
                HmacdClient.builder()
                    .target("h:1")
                    .tls(client.ca(), client.cert(), other.key())
                    .build())
        .withMessageContaining(other.key().toString());
    assertThatIllegalArgumentException()
        .isThrownBy(
            () ->
                HmacdClient.builder()
                    .target("h:1")
                    .tls(client.ca(), client.key(), client.cert())
                    .build())
        .withMessageContaining("exchange the files");
  }
}
