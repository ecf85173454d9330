package dev.hmacd.file;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.hmacd.file.FilePermissions.Content;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

final class FilePermissionsTest {
  /// `drwxrwxrwt`.
  private static final int OPEN_WITH_STICKY_BIT = 0x3ff;

  @TempDir private Path folder;

  private Path file(Path parent, String mode) throws IOException {
    return withMode(Files.writeString(parent.resolve("file"), ""), mode);
  }

  private static Path withMode(Path path, String mode) throws IOException {
    if (Files.getAttribute(path, "unix:gid").equals(0)) {
      Files.setAttribute(path, "unix:gid", 1); // The group root is trusted.
    }
    return Files.setPosixFilePermissions(path, PosixFilePermissions.fromString(mode));
  }

  @ParameterizedTest
  @CsvSource({
    "CONFIGURATION, rw-r--r--, false, 0",
    "CONFIGURATION, rw-rw-r--, false, 1",
    "CONFIGURATION, rw-r--rw-, true, 0",
    "SECRET, r--------, false, 0",
    "SECRET, r--r-----, false, 1",
    "SECRET, rw--w----, false, 1",
    "SECRET, rw-rw----, false, 1",
    "SECRET, rw----r--, true, 0",
    "SECRET, rw-----w-, true, 0",
    "SECRET, rw-r--r--, true, 1",
    "SECRET, rwx--x--x, false, 0",
    "REGISTRY, rw-------, false, 0",
    "REGISTRY, rw-r--r--, false, 2",
    "REGISTRY, rw-rw-rw-, false, 2",
  })
  void permissionsOfOthersAreRefusedAndThoseOfTheGroupGiveAWarning(
      Content content, String mode, boolean refused, int warnings) throws IOException {
    Path file = file(folder, mode);
    Optional<String> refusal = FilePermissions.refusal(file, content);
    assertThat(refusal.isPresent()).isEqualTo(refused);
    assertThat(refusal.orElse("")).matches(refused ? "others .*" + mode + ".*chmod o-.*" : "");
    List<String> found = FilePermissions.warnings(file, content);
    assertThat(found)
        .hasSize(warnings)
        .allSatisfy(text -> assertThat(text).contains(file.toString(), mode, "chmod "));
  }

  /// A credential of systemd has the mode 0440 with an access control list.
  @Test
  void groupRootIsTrusted() throws IOException {
    assumeTrue(Files.getAttribute(Path.of("/proc/self"), "unix:uid").equals(0));
    Path file = file(folder, "rw-rw----");
    assertThat(FilePermissions.warnings(file, Content.SECRET)).hasSize(1);
    Files.setAttribute(file, "unix:gid", 0);
    assertThat(FilePermissions.warnings(file, Content.SECRET)).isEmpty();
  }

  @ParameterizedTest
  @EnumSource
  void folderThatOthersCanWriteIsAsAFileThatOthersCanWrite(Content content) throws IOException {
    Path open = Files.createDirectory(folder.resolve("open"));
    Path file = file(Files.createDirectory(open.resolve("inner")), "rw-------");
    assertThat(FilePermissions.refusal(file, content)).isEmpty();
    Files.setPosixFilePermissions(open, PosixFilePermissions.fromString("rwxrwxrwx"));
    List<String> texts =
        content == Content.REGISTRY
            ? FilePermissions.warnings(file, content)
            : FilePermissions.refusal(file, content).stream().toList();
    assertThat(texts)
        .singleElement()
        .asString()
        .startsWith("others can write the folder " + open)
        .contains(file.toString());
    Files.setAttribute(open, "unix:mode", OPEN_WITH_STICKY_BIT);
    assertThat(FilePermissions.refusal(file, content)).isEmpty();
    assertThat(FilePermissions.warnings(file, content)).isEmpty();
  }

  @ParameterizedTest
  @EnumSource
  void folderThatAGroupCanWriteGivesAWarning(Content content) throws IOException {
    Path shared = Files.createDirectory(folder.resolve("shared"));
    Path file = file(Files.createDirectory(shared.resolve("inner")), "rw-------");
    withMode(shared, "rwxr-x---");
    assertThat(FilePermissions.warnings(file, content)).isEmpty();
    withMode(shared, "rwxrwx---");
    assertThat(FilePermissions.warnings(file, content))
        .singleElement()
        .asString()
        .startsWith("the group ")
        .contains(" can write the folder " + shared + ",", file.toString(), "chmod g-w");
    assertThat(FilePermissions.refusal(file, content)).isEmpty();
  }

  @Test
  void folderWarningsNeedNoFile() throws IOException {
    Path open = Files.createDirectory(folder.resolve("open"));
    Path socket = Files.createDirectory(open.resolve("inner")).resolve("socket");
    withMode(open, "rwxr-xr-x");
    assertThat(FilePermissions.folderWarnings(socket)).isEmpty();
    withMode(open, "rwxrwxr-x");
    assertThat(FilePermissions.folderWarnings(socket))
        .singleElement()
        .asString()
        .startsWith("the group ")
        .contains(" can write the folder " + open + ",", socket.toString(), "chmod g-w");
    withMode(open, "rwxrwxrwx");
    assertThat(FilePermissions.folderWarnings(socket))
        .singleElement()
        .asString()
        .startsWith("others can write the folder " + open)
        .contains(socket.toString(), "chmod o-w");
    Files.setAttribute(open, "unix:mode", OPEN_WITH_STICKY_BIT);
    assertThat(FilePermissions.folderWarnings(socket)).isEmpty();
  }

  @Test
  void folderOfTheGroupRootGivesNoWarning() throws IOException {
    assumeTrue(Files.getAttribute(Path.of("/proc/self"), "unix:uid").equals(0));
    Path shared = Files.createDirectory(folder.resolve("shared"));
    Path file = file(shared, "rw-------");
    withMode(shared, "rwxrwx---");
    assertThat(FilePermissions.warnings(file, Content.SECRET)).hasSize(1);
    Files.setAttribute(shared, "unix:gid", 0);
    assertThat(FilePermissions.warnings(file, Content.SECRET)).isEmpty();
  }

  /// `link` leads to `open/middle`, and this link to `closed`. The folder `open` is neither in the
  /// path nor in the real path of the file.
  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void foldersOfLinksInTheMiddleAreChecked(boolean absolute) throws IOException {
    Path closed = Files.createDirectory(folder.resolve("closed"));
    Path open = Files.createDirectory(folder.resolve("open"));
    Files.createSymbolicLink(open.resolve("middle"), absolute ? closed : Path.of("../closed"));
    Path link = Files.createSymbolicLink(folder.resolve("link"), Path.of("open/middle"));
    file(closed, "rw-------");
    Path file = link.resolve("file");
    assertThat(FilePermissions.refusal(file, Content.SECRET)).isEmpty();
    withMode(open, "rwx---rwx");
    assertThat(FilePermissions.refusal(file, Content.SECRET))
        .hasValueSatisfying(text -> assertThat(text).contains("the folder " + open + ","));
  }

  @Test
  void chainOfLinksIsFollowedToItsEndAndALoopIsRefused() throws IOException {
    Path last = file(folder, "rw-------");
    for (int i = 0; i < 20; i++) {
      last = Files.createSymbolicLink(folder.resolve("link" + i), last.getFileName());
    }
    assertThat(FilePermissions.refusal(last, Content.SECRET)).isEmpty();
    Path loop = Files.createSymbolicLink(folder.resolve("loop"), Path.of("loop"));
    assertThatThrownBy(() -> FilePermissions.refusal(loop, Content.SECRET))
        .isInstanceOf(IOException.class);
  }

  @Test
  void foldersBehindASymbolicLinkAreChecked() throws IOException {
    Path open = Files.createDirectory(folder.resolve("open"));
    Path link = Files.createSymbolicLink(folder.resolve("link"), file(open, "rw-------"));
    assertThat(FilePermissions.refusal(link, Content.SECRET)).isEmpty();
    Files.setPosixFilePermissions(open, PosixFilePermissions.fromString("rwx---rwx"));
    assertThat(FilePermissions.refusal(link, Content.SECRET)).isPresent();
  }
}
