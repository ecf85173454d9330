package dev.hmacd.client;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Pattern;

/// The path and the content of a file that should be PEM (RFC 7468), as it was read.
final class PemFile {
  private static final int MAX_BYTES = 1 << 20;
  private static final byte DER_SEQUENCE = 0x30;
  private static final Pattern CONTENT = Pattern.compile("[\\n\\r]|-----BEGIN");
  private static final Pattern LABEL = Pattern.compile("-----BEGIN ([A-Z0-9 ]+)-----");

  private final Path path;
  private final byte[] content;

  private PemFile(Path path, byte[] content) {
    this.path = path;
    this.content = content;
  }

  /// Refuses a setting that is the content of a file, without showing it: it can be a private key.
  ///
  /// @param name the name of the setting
  /// @throws IllegalArgumentException if the setting has a line break or the start of a PEM block
  static void checkPath(String name, String setting) {
    if (CONTENT.matcher(setting).find()) {
      throw new IllegalArgumentException(
          name
              + " has the content of a file, not a path; set "
              + name
              + " to the path of the file");
    }
  }

  /// Reads a regular file. A file of another kind, such as a FIFO, is not opened: it could block
  /// this thread, and so can a file that is replaced during this method.
  ///
  /// @throws IllegalArgumentException if the file is not a regular file, or longer than 1 MiB
  /// @throws IOException if the file cannot be read
  static PemFile read(Path path) throws IOException {
    try {
      BasicFileAttributes attributes = Files.readAttributes(path, BasicFileAttributes.class);
      if (!attributes.isRegularFile()) {
        throw new IllegalArgumentException(
            path
                + (attributes.isDirectory() ? " is a directory" : " is not a regular file")
                + "; use the path of a PEM file");
      }
      try (InputStream in = Files.newInputStream(path)) {
        byte[] content = in.readNBytes(MAX_BYTES + 1);
        if (content.length > MAX_BYTES) {
          throw new IllegalArgumentException(
              path + " is longer than " + MAX_BYTES + " bytes, the maximum of a PEM file");
        }
        return new PemFile(path, content);
      }
    } catch (FileSystemException e) {
      throw e;
    } catch (IOException e) { // Without the path, such as "Input/output error".
      throw new FileSystemException(path.toString(), null, String.valueOf(e.getMessage()));
    }
  }

  Path path() {
    return path;
  }

  /// The content; not a copy.
  byte[] content() {
    return content;
  }

  String text() {
    return new String(content, ISO_8859_1);
  }

  boolean hasContentOf(PemFile other) {
    return Arrays.equals(content, other.content);
  }

  boolean isDer() {
    return content.length > 0 && content[0] == DER_SEQUENCE;
  }

  /// The labels of all PEM blocks in the file, in their order.
  List<String> labels() {
    return LABEL.matcher(text()).results().map(found -> found.group(1)).toList();
  }
}
