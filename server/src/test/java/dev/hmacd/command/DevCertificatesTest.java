package dev.hmacd.command;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Arrays;
import java.util.Base64;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class DevCertificatesTest {
  private static final int POINT_BYTES = 65;

  @ParameterizedTest
  @ValueSource(strings = {"client", "server"})
  void privateKeyCarriesThePublicKeyOfItsCertificate(String whose, @TempDir Path dir)
      throws Exception {
    make(dir);
    byte[] pkcs8 = pem(dir.resolve(whose + "-key.pem"));
    PublicKey certified = certificate(dir.resolve(whose + ".pem")).getPublicKey();
    byte[] info = certified.getEncoded();
    assertThat(Arrays.copyOfRange(pkcs8, pkcs8.length - POINT_BYTES, pkcs8.length))
        .isEqualTo(Arrays.copyOfRange(info, info.length - POINT_BYTES, info.length));

    PrivateKey key = KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(pkcs8));
    Signature signer = Signature.getInstance("SHA256withECDSA");
    signer.initSign(key);
    signer.update(info);
    byte[] signature = signer.sign();
    signer.initVerify(certified);
    signer.update(info);
    assertThat(signer.verify(signature)).isTrue();
  }

  @Test
  void authoritysKeyIsInNoFileAndOtherKeysAreReadableByTheOwnerOnly(@TempDir Path dir)
      throws Exception {
    make(dir);
    try (var files = Files.list(dir)) {
      for (Path file : files.toList()) {
        boolean isKey = Files.readString(file).contains("PRIVATE KEY");
        assertThat(isKey).as("%s", file).isEqualTo(file.toString().endsWith("-key.pem"));
        if (isKey) {
          assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(file)))
              .isEqualTo("rw-------");
        }
      }
    }
    Certificate authority = certificate(dir.resolve("ca.pem"));
    for (String whose : List.of("client", "server")) {
      certificate(dir.resolve(whose + ".pem")).verify(authority.getPublicKey());
    }
  }

  @Test
  void validCertificatesAreReused(@TempDir Path dir) throws Exception {
    make(dir);
    Certificate before = certificate(dir.resolve("client.pem"));
    make(dir);
    assertThat(certificate(dir.resolve("client.pem"))).isEqualTo(before);
    Files.delete(dir.resolve("ca.pem")); // An interrupted first start leaves this state.
    make(dir);
    assertThat(certificate(dir.resolve("client.pem"))).isNotEqualTo(before);
  }

  private static void make(Path dir) throws Exception {
    var certificates = new DevCertificates(new DevFolder(dir));
    certificates.begin();
    certificates.finish();
  }

  private static byte[] pem(Path file) throws Exception {
    String text = Files.readString(file);
    return Base64.getMimeDecoder().decode(text.replaceAll("-----[A-Z ]+-----", ""));
  }

  private static Certificate certificate(Path file) throws Exception {
    try (InputStream in = Files.newInputStream(file)) {
      return CertificateFactory.getInstance("X.509").generateCertificate(in);
    }
  }
}
