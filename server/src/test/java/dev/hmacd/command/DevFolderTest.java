package dev.hmacd.command;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.StartException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/// Permissions of the folder of `hmacd dev`.
final class DevFolderTest {
  @TempDir Path folder;

  @Test
  void newFolderIsAccessibleForItsOwnerOnly() throws Exception {
    Path dir = folder.resolve("new");
    new DevFolder(dir).prepare();
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(dir)))
        .isEqualTo("rwx------");
  }

  @ParameterizedTest
  @ValueSource(strings = {"rwxrwx---", "rwx----w-", "rwxrwxrwx"})
  void folderThatOthersCanWriteIsRefusedAndUnchanged(String mode) throws Exception {
    Path dir = Files.createDirectory(folder.resolve("open"));
    Path env = Files.writeString(dir.resolve("env"), "of another");
    Files.setPosixFilePermissions(dir, PosixFilePermissions.fromString(mode));
    assertThatThrownBy(() -> new DevFolder(dir).prepare())
        .isInstanceOf(StartException.class)
        .hasMessageContaining("nobody else may write in it: chmod go-w it");
    assertThat(env).hasContent("of another");
  }

  /// The folder of a socket whose path would be too long. A later start uses it again, unless it is
  /// gone, or belongs to another user or lets others write.
  @Test
  void temporaryFolderOfTheSocketIsUsedAgainWhileItIsPrivate() throws Exception {
    var dev = new DevFolder(folder.resolve("x".repeat(101)));
    dev.prepare();
    Path first = dev.socket();
    assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(first.getParent())))
        .isEqualTo("rwx------");
    assertThat(dev.socket()).isEqualTo(first);

    Files.setPosixFilePermissions(first.getParent(), PosixFilePermissions.fromString("rwxrwxrwx"));
    Path second = dev.socket();
    assertThat(second).isNotEqualTo(first);
    assertThat(dev.socket()).isEqualTo(second);
    Files.delete(first.getParent());

    Files.delete(second.getParent());
    Path third = dev.socket();
    assertThat(third).isNotEqualTo(second);
    assertThat(third.getParent()).isEmptyDirectory();
    Files.delete(third.getParent());
  }

  @Test
  void shortPathOfTheSocketIsInTheFolder() throws Exception {
    Path dir = folder.resolve("d");
    assertThat(new DevFolder(dir).socket()).isEqualTo(dir.resolve("hmacd.sock"));
  }
}
