package dev.hmacd.token;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// A PIN file is UTF-8 text. Other files are refused before a login, because a wrong PIN uses up an
/// attempt.
final class PinFileTest {
  @TempDir private Path folder;

  private PinFile file(String text, Charset charset) throws IOException {
    Path path = folder.resolve("pin");
    Files.createFile(
        path, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
    Files.write(path, text.getBytes(charset));
    return new PinFile(path);
  }

  @ParameterizedTest
  @ValueSource(strings = {"1234", "pünktlich€9", "鍵 鍵", "a\uD83D\uDD11b", " 1234 "})
  void pinIsReadUnchanged(String pin) throws IOException {
    assertThat(file(pin + "\n", StandardCharsets.UTF_8).read()).isEqualTo(pin.toCharArray());
  }

  @Test
  void pinThatIsNotUtf8IsRefused() throws IOException {
    PinFile latin = file("pünktlich\n", StandardCharsets.ISO_8859_1);
    assertThatThrownBy(latin::read).isInstanceOf(IOException.class).hasMessageEndingWith("UTF-8");
  }

  @Test
  void pinWithATruncatedCharacterIsRefused() throws IOException {
    PinFile cut = file("pin\u00e2\u0082", StandardCharsets.ISO_8859_1);
    assertThatThrownBy(cut::read).isInstanceOf(IOException.class).hasMessageEndingWith("UTF-8");
  }

  @Test
  void absentFileIsNamedInTheError() {
    Path absent = folder.resolve("pin");
    assertThatThrownBy(new PinFile(absent)::read)
        .isInstanceOf(IOException.class)
        .hasMessage(
            "token.pin_file: cannot read "
                + absent
                + ": no such file or folder; create the file, or correct the path");
  }

  @ParameterizedTest
  @ValueSource(strings = {"", "\n", "\r\n\r\n"})
  void emptyFileIsRefused(String text) throws IOException {
    PinFile empty = file(text, StandardCharsets.UTF_8);
    assertThatThrownBy(empty::read)
        .isInstanceOf(IOException.class)
        .hasMessage("token.pin_file: " + empty.path() + " is empty; write the PIN into it");
  }

  @Test
  void longestPinIsReadAndALongerFileIsRefused() throws IOException {
    PinFile longest = file("1".repeat(1023) + "\n", StandardCharsets.UTF_8);
    assertThat(longest.read()).hasSize(1023);
    Files.writeString(longest.path(), "1".repeat(1024) + "\n");
    assertThatThrownBy(longest::read)
        .isInstanceOf(IOException.class)
        .hasMessageContaining("is longer than 1024 bytes");
  }

  @Test
  void folderIsRefused() throws IOException {
    PinFile directory = new PinFile(Files.createDirectory(folder.resolve("pin")));
    assertThatThrownBy(directory::read)
        .isInstanceOf(IOException.class)
        .hasMessage(
            "token.pin_file: " + directory.path() + " is a folder; configure the path of a file");
  }

  /// A read of a FIFO or a device could block.
  @Test
  void fileThatIsNotRegularIsRefused() {
    assertThatThrownBy(new PinFile(Path.of("/dev/null"))::read)
        .isInstanceOf(IOException.class)
        .hasMessageStartingWith("token.pin_file: /dev/null is not a regular file; ");
  }

  /// For example, a loop of symbolic links.
  @Test
  void unusablePathIsNamedInTheError() throws IOException {
    Path loop = folder.resolve("pin");
    Files.createSymbolicLink(loop, loop);
    assertThatThrownBy(new PinFile(loop)::read)
        .isInstanceOf(IOException.class)
        .hasMessageStartingWith("token.pin_file: cannot read " + loop + ": Too many levels");
  }

  @ParameterizedTest
  @ValueSource(strings = {"rw----r--", "rw-----w-", "rw-rw-rw-"})
  void fileThatOthersCanReadOrWriteIsRefused(String mode) throws IOException {
    PinFile open = file("1234\n", StandardCharsets.UTF_8);
    Files.setPosixFilePermissions(open.path(), PosixFilePermissions.fromString(mode));
    assertThatThrownBy(open::read)
        .isInstanceOf(IOException.class)
        .hasMessageStartingWith("token.pin_file: others have permission ")
        .hasMessageContaining(open.path().toString())
        .hasMessageContaining("chmod o-");
  }

  @Test
  void byteOrderMarkIsRefused() throws IOException {
    PinFile marked = file("\ufeff1234\n", StandardCharsets.UTF_8);
    assertThatThrownBy(marked::read)
        .isInstanceOf(IOException.class)
        .hasMessageContaining("byte order mark");
  }
}
