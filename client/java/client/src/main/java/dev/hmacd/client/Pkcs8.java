package dev.hmacd.client;

import java.io.ByteArrayOutputStream;
import java.security.PublicKey;
import java.security.cert.X509Certificate;
import java.util.Arrays;

/// Encoder of PKCS #8 (RFC 5208): wraps a private key in SEC 1 (RFC 5915) or PKCS #1 (RFC 8017).
/// The JDK reads only PKCS #8.
final class Pkcs8 {
  private static final int SEQUENCE = 0x30;
  private static final int OCTET_STRING = 0x04;
  private static final byte[] VERSION = {0x02, 0x01, 0x00};

  private Pkcs8() {}

  /// Wraps a key. SEC 1 and PKCS #1 do not always name the algorithm and the curve, so both are
  /// those of the certificate.
  ///
  /// @param key the key in SEC 1 or PKCS #1, DER
  static byte[] wrap(byte[] key, X509Certificate certificate) {
    var content = new ByteArrayOutputStream();
    content.writeBytes(VERSION);
    content.writeBytes(algorithm(certificate.getPublicKey()));
    write(OCTET_STRING, key, content);
    var pkcs8 = new ByteArrayOutputStream();
    write(SEQUENCE, content.toByteArray(), pkcs8);
    return pkcs8.toByteArray();
  }

  /// The AlgorithmIdentifier of a public key: the first element of SubjectPublicKeyInfo (RFC 5280,
  /// section 4.1).
  private static byte[] algorithm(PublicKey key) {
    byte[] info = key.getEncoded();
    int start = contentOffset(info, 0);
    int content = contentOffset(info, start);
    return Arrays.copyOfRange(info, start, content + length(info, start));
  }

  /// The offset of the content of a DER element.
  private static int contentOffset(byte[] der, int element) {
    int first = der[element + 1] & 0xff;
    return element + 2 + (first < 0x80 ? 0 : first & 0x7f);
  }

  /// The length of the content of a DER element.
  private static int length(byte[] der, int element) {
    int first = der[element + 1] & 0xff;
    if (first < 0x80) {
      return first;
    }
    int length = 0;
    for (int i = 0; i < (first & 0x7f); i++) {
      length = length << 8 | (der[element + 2 + i] & 0xff);
    }
    return length;
  }

  private static void write(int tag, byte[] content, ByteArrayOutputStream der) {
    int length = content.length;
    der.write(tag);
    if (length >= 1 << 16) { // A PEM file is shorter than 2^24 bytes.
      der.writeBytes(new byte[] {(byte) 0x83, (byte) (length >> 16), (byte) (length >> 8)});
    } else if (length >= 1 << 8) {
      der.writeBytes(new byte[] {(byte) 0x82, (byte) (length >> 8)});
    } else if (length >= 1 << 7) {
      der.write(0x81);
    }
    der.write(length); // Writes the lowest byte.
    der.writeBytes(content);
  }
}
