package dev.hmacd.command;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.cert.CertificateFactory;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Arrays;
import java.util.Base64;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class DevCertificatesTest {
  private static final int POINT_BYTES = 65;

  @ParameterizedTest
  @ValueSource(strings = {"client", "server"})
  void privateKeyCarriesThePublicKeyOfItsCertificate(String whose, @TempDir Path dir)
      throws Exception {
    DevCertificates.ensure(new DevFolder(dir));
    byte[] pkcs8 = pem(dir.resolve(whose + "-key.pem"));
    PublicKey certified = certified(dir.resolve(whose + ".pem"));
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

  private static byte[] pem(Path file) throws Exception {
    String text = Files.readString(file);
    return Base64.getMimeDecoder().decode(text.replaceAll("-----[A-Z ]+-----", ""));
  }

  private static PublicKey certified(Path file) throws Exception {
    try (InputStream in = Files.newInputStream(file)) {
      return CertificateFactory.getInstance("X.509").generateCertificate(in).getPublicKey();
    }
  }
}
