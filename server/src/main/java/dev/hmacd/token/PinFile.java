package dev.hmacd.token;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CoderResult;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.util.Arrays;

/// A file with the PIN on one line, in UTF-8. An operator or systemd's `LoadCredential` creates the
/// file.
///
/// @param path path of the file, which must not be readable by others
public record PinFile(Path path) implements PinSource {
  private static final int MAX_BYTES = 1024;
  private static final char BYTE_ORDER_MARK = '\ufeff';

  @Override
  public char[] read() throws IOException {
    try {
      return readPin();
    } catch (NoSuchFileException e) {
      throw new IOException("the PIN file " + path + " does not exist", e);
    } catch (AccessDeniedException e) {
      throw new IOException("the PIN file " + path + " cannot be read: permission denied", e);
    } catch (FileSystemException e) { // The message may be only the path.
      throw new IOException("the PIN file " + path + " cannot be read: " + e.getReason(), e);
    }
  }

  private char[] readPin() throws IOException {
    if (Files.getPosixFilePermissions(path).contains(PosixFilePermission.OTHERS_READ)) {
      throw new IOException("others can read the PIN file " + path + ": chmod o-r it");
    }
    if (Files.size(path) > MAX_BYTES) {
      throw new IOException("the PIN file " + path + " is longer than " + MAX_BYTES + " bytes");
    }
    byte[] bytes = Files.readAllBytes(path);
    CharBuffer text = CharBuffer.allocate(bytes.length);
    try {
      // Refuses invalid UTF-8: the token would refuse a PIN with replacement characters, and count
      // a failed login.
      CoderResult decoded =
          StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes), text, true);
      text.flip();
      if (decoded.isError()) {
        throw new IOException("the PIN file " + path + " is not UTF-8");
      }
      if (text.hasRemaining() && text.get(0) == BYTE_ORDER_MARK) {
        throw new IOException("the PIN file " + path + " starts with a byte order mark: remove it");
      }
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
