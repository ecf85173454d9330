package dev.hmacd.token;

import dev.hmacd.file.FileException;
import dev.hmacd.file.FilePermissions;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.CharBuffer;
import java.nio.charset.CoderResult;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Arrays;
import java.util.Optional;

/// A file with the PIN on one line, in UTF-8. An operator or systemd's `LoadCredential` creates the
/// file. The daemon does not log in to the token with an unusable file, so no attempt at the PIN is
/// lost.
///
/// @param path path of the file, which others must not be able to read or write
public record PinFile(Path path) implements PinSource {
  private static final String KEY = "token.pin_file";
  private static final int MAX_BYTES = 1024;
  private static final char BYTE_ORDER_MARK = '\ufeff';

  /// @throws FileException if the file is missing, unreadable, empty, too long, not a text file in
  ///   UTF-8, or if others can read or write it
  @Override
  public char[] read() throws FileException {
    byte[] bytes = content();
    CharBuffer text = CharBuffer.allocate(bytes.length);
    try {
      if (bytes.length > MAX_BYTES) {
        throw unusable("is longer than " + MAX_BYTES + " bytes; write only the PIN into it");
      }
      // Refuses invalid UTF-8: the token would refuse a PIN with replacement characters, and count
      // a failed login.
      CoderResult decoded =
          StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes), text, true);
      text.flip();
      if (decoded.isError()) {
        throw unusable("is not UTF-8; write the PIN in UTF-8");
      }
      if (text.hasRemaining() && text.get(0) == BYTE_ORDER_MARK) {
        throw unusable("starts with a byte order mark; remove it");
      }
      int end = text.length();
      while (end > 0 && (text.get(end - 1) == '\n' || text.get(end - 1) == '\r')) {
        end--;
      }
      if (end == 0) {
        throw unusable("is empty; write the PIN into it");
      }
      char[] pin = new char[end];
      text.get(0, pin);
      return pin;
    } finally {
      Arrays.fill(bytes, (byte) 0);
      Arrays.fill(text.array(), '\0');
    }
  }

  @Override
  public String name() {
    return path.toString();
  }

  private FileException unusable(String fault) {
    return FileException.unusable(KEY, path, fault, null);
  }

  /// The bytes of the file, at most one more than [#MAX_BYTES].
  private byte[] content() throws FileException {
    try {
      requirePrivateFile();
      try (InputStream in = Files.newInputStream(path)) {
        return in.readNBytes(MAX_BYTES + 1);
      }
    } catch (FileException e) {
      throw e;
    } catch (IOException e) {
      throw FileException.unreadable(KEY, path, e);
    }
  }

  private void requirePrivateFile() throws IOException {
    BasicFileAttributes attributes = Files.readAttributes(path, BasicFileAttributes.class);
    if (attributes.isDirectory()) {
      throw unusable("is a folder; configure the path of a file");
    }
    // The read of another kind of file, such as a FIFO, could block the lane.
    if (!attributes.isRegularFile()) {
      throw unusable("is not a regular file; configure the path of a regular file");
    }
    Optional<String> refusal = FilePermissions.refusal(path, FilePermissions.Content.SECRET);
    if (refusal.isPresent()) {
      throw FileException.refused(KEY, refusal.get());
    }
  }
}
