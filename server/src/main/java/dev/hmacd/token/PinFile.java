package dev.hmacd.token;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CoderResult;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.util.Arrays;

/// A file with the PIN on one line, in UTF-8. An operator or systemd's `LoadCredential` creates the
/// file. The daemon does not log in to the token with an unusable file, so no attempt at the PIN is
/// lost.
///
/// @param path path of the file, which must not be readable by others
public record PinFile(Path path) implements PinSource {
  private static final int MAX_BYTES = 1024;
  private static final char BYTE_ORDER_MARK = '\ufeff';

  /// @throws IOException if the file is missing, unreadable, empty, too long, or not a text file in
  ///   UTF-8; the message has the path, the reason and the remedy
  @Override
  public char[] read() throws IOException {
    byte[] bytes = content();
    CharBuffer text = CharBuffer.allocate(bytes.length);
    try {
      if (bytes.length > MAX_BYTES) {
        throw unusable("is longer than " + MAX_BYTES + " bytes: write only the PIN into it");
      }
      // Refuses invalid UTF-8: the token would refuse a PIN with replacement characters, and count
      // a failed login.
      CoderResult decoded =
          StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes), text, true);
      text.flip();
      if (decoded.isError()) {
        throw unusable("is not UTF-8");
      }
      if (text.hasRemaining() && text.get(0) == BYTE_ORDER_MARK) {
        throw unusable("starts with a byte order mark: remove it");
      }
      int end = text.length();
      while (end > 0 && (text.get(end - 1) == '\n' || text.get(end - 1) == '\r')) {
        end--;
      }
      if (end == 0) {
        throw unusable("is empty: write the PIN into it");
      }
      char[] pin = new char[end];
      text.get(0, pin);
      return pin;
    } finally {
      Arrays.fill(bytes, (byte) 0);
      Arrays.fill(text.array(), '\0');
    }
  }

  private IOException unusable(String reason) {
    return new IOException("the PIN file " + path + " " + reason);
  }

  /// The bytes of the file, at most one more than [#MAX_BYTES].
  private byte[] content() throws IOException {
    try {
      PosixFileAttributes attributes = Files.readAttributes(path, PosixFileAttributes.class);
      // The read of another kind of file, such as a FIFO, could block the lane.
      if (!attributes.isRegularFile()) {
        throw unusable("is not a regular file");
      }
      if (attributes.permissions().contains(PosixFilePermission.OTHERS_READ)) {
        throw unusable("can be read by others: chmod o-r it");
      }
      return firstBytes();
    } catch (NoSuchFileException e) {
      throw new IOException(
          "the PIN file " + path + " does not exist: create it, or correct pin_file", e);
    } catch (AccessDeniedException e) {
      throw new IOException(
          "the PIN file "
              + path
              + " cannot be read: permission denied; let the daemon's user read it",
          e);
    } catch (FileSystemException e) { // The message may be only the path.
      throw new IOException("the PIN file " + path + " cannot be read: " + e.getReason(), e);
    }
  }

  private byte[] firstBytes() throws IOException {
    try (InputStream in = Files.newInputStream(path)) {
      return in.readNBytes(MAX_BYTES + 1);
    } catch (FileSystemException e) {
      throw e;
    } catch (IOException e) { // The message has no path.
      throw new IOException("the PIN file " + path + " cannot be read: " + e.getMessage(), e);
    }
  }
}
