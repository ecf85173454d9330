package dev.hmacd.token;

import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// Converts UTF-8 strings of PKCS#11 from and to the form of the JDK's wrapper: one char for each
/// byte.
final class CkStrings {
  private static final int MAX_UTF8_BYTES_PER_CHAR = 3;

  private CkStrings() {}

  /// Decodes a PKCS#11 string of fixed length, and removes its padding.
  static String text(char @Nullable [] padded) {
    return padded == null
        ? ""
        : TokenInfo.unpadded(
            new String(
                new String(padded).getBytes(StandardCharsets.ISO_8859_1), StandardCharsets.UTF_8));
  }

  /// Encodes a PIN for `C_Login`: one char for each UTF-8 byte. The caller must overwrite the
  /// result after use.
  ///
  /// @param pin the PIN as text
  static char[] pin(char[] pin) {
    byte[] utf8 = new byte[MAX_UTF8_BYTES_PER_CHAR * pin.length];
    try {
      ByteBuffer encoded = ByteBuffer.wrap(utf8);
      var _ = StandardCharsets.UTF_8.newEncoder().encode(CharBuffer.wrap(pin), encoded, true);
      return charPerByte(encoded.flip());
    } finally {
      Arrays.fill(utf8, (byte) 0);
    }
  }

  private static char[] charPerByte(ByteBuffer bytes) {
    char[] chars = new char[bytes.remaining()];
    for (int i = 0; i < chars.length; i++) {
      chars[i] = (char) (bytes.get(bytes.position() + i) & 0xff);
    }
    return chars;
  }
}
