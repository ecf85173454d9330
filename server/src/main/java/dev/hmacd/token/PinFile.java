package dev.hmacd.token;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.util.Arrays;

/// A file that holds the PIN on one line: made by an operator, or by systemd's `LoadCredential`.
///
/// @param path must not be readable by others
public record PinFile(Path path) implements PinSource {
  private static final int MAX_BYTES = 1024;

  @Override
  public char[] read() throws IOException {
    if (Files.getPosixFilePermissions(path).contains(PosixFilePermission.OTHERS_READ)) {
      throw new IOException("others can read the PIN file " + path + ": chmod o-r it");
    }
    if (Files.size(path) > MAX_BYTES) {
      throw new IOException("the PIN file " + path + " is longer than " + MAX_BYTES + " bytes");
    }
    byte[] bytes = Files.readAllBytes(path);
    CharBuffer text = StandardCharsets.UTF_8.decode(ByteBuffer.wrap(bytes));
    try {
      int end = text.length();
      while (end > 0 && (text.get(end - 1) == '\n' || text.get(end - 1) == '\r')) {
        end--;
      }
      if (end == 0) {
        throw new IOException("the PIN file " + path + " is empty");
      }
      char[] pin = new char[end];
      text.get(0, pin);
      return pin;
    } finally {
      Arrays.fill(bytes, (byte) 0);
      Arrays.fill(text.array(), '\0');
    }
  }
}
