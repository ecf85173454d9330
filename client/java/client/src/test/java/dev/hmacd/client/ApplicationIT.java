package dev.hmacd.client;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/// The packaged client in applications: on the module path, and beside other versions of its
/// libraries.
@Timeout(300)
class ApplicationIT {
  /// Jars of Netty 4.1, and of older versions of gRPC, protobuf and Guava.
  private static final Path OLDER_LIBRARIES = Path.of(System.getProperty("older.libraries"));

  private final Path folder;

  ApplicationIT(@TempDir Path folder) {
    this.folder = folder;
  }

  @Test
  void modularApplicationMakesAMac() throws IOException, InterruptedException {
    String client = Application.CLIENT_JAR.toString();
    Application.compile(
            folder, List.of("--module-path", client), "module app { requires dev.hmacd.client; }")
        .makesAMac(
            List.of(
                "--module-path",
                Application.path(Application.CLIENT_JAR, folder),
                "--module",
                "app/app.Main"));
  }

  @Test
  void applicationWithOtherVersionsOfTheLibrariesMakesAMac()
      throws IOException, InterruptedException {
    assertThat(olderLibraries()).isNotEmpty();
    String classPath =
        Application.path(OLDER_LIBRARIES.resolve("*"), Application.CLIENT_JAR, folder);
    Application.compile(folder, List.of("--class-path", classPath), "")
        .makesAMac(List.of("--class-path", classPath, "app.Main"));
  }

  private static List<Path> olderLibraries() throws IOException {
    try (Stream<Path> files = Files.list(OLDER_LIBRARIES)) {
      return files.toList();
    }
  }
}
