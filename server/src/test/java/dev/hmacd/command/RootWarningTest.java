package dev.hmacd.command;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Warning about a process of root in the registry folder of another user.
final class RootWarningTest {
  private static final Integer ROOT = 0;
  private static final Integer OTHER = 65_534;

  @TempDir Path folder;

  private Path registry() {
    return folder.resolve("registry.db");
  }

  /// Makes the folder one of a user other than root. If the test runs as root, changes the owner.
  /// Otherwise, the folder belongs to the user of the test.
  private void leaveToAnotherUser() throws IOException {
    if (DevFolder.uid().equals(ROOT)) {
      Files.setAttribute(folder, "unix:uid", OTHER);
    }
  }

  @Test
  void rootIsWarnedAboutTheFolderOfAnotherUser() throws IOException {
    leaveToAnotherUser();
    String owner = Files.getOwner(folder).getName();
    assertThat(RootWarning.find(registry(), ROOT))
        .hasValueSatisfying(
            text ->
                assertThat(text)
                    .contains(
                        "runs as root",
                        folder.toString(),
                        "belongs to " + owner,
                        "runuser -u " + owner));
  }

  @Test
  void otherUsersAreNotWarned() throws IOException {
    leaveToAnotherUser();
    assertThat(RootWarning.find(registry(), OTHER)).isEmpty();
  }

  /// The folder of the test belongs to its user: no warning, whether that is root or not.
  @Test
  void userIsNotWarnedAboutTheirOwnFolder() {
    assertThat(RootWarning.find(registry())).isEmpty();
  }

  @Test
  void missingFolderIsReportedByTheRegistry() {
    assertThat(RootWarning.find(folder.resolve("missing/registry.db"))).isEmpty();
  }
}
