package dev.hmacd.command;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// What the script `bin/hmacd` gives the JVM beside its flags.
final class LauncherTest {
  private static final Path SCRIPT = Path.of("src/main/dist/bin/hmacd");

  @TempDir Path folder;

  private Path write(String name, String text) throws IOException {
    Path file = folder.resolve(name);
    Files.createDirectories(file.getParent());
    Path written = Files.writeString(file, text);
    return Files.setPosixFilePermissions(written, PosixFilePermissions.fromString("rwxr-xr-x"));
  }

  /// The JVM's flag does not keep the kernel from writing one when a module aborts.
  @Test
  void coreFilesAreOffWhateverTheShellAllows() throws Exception {
    write("install/lib/hmacd-server-1.jar", "");
    write("jdk/release", "JAVA_VERSION=\"25\"\n");
    Path java = write("jdk/bin/java", "#!/bin/sh\nulimit -c; ulimit -H -c\n");
    Path script = write("install/bin/hmacd", Files.readString(SCRIPT));
    var shell =
        new ProcessBuilder(
            "sh",
            "-c",
            "ulimit -S -c \"$(ulimit -H -c)\"; ulimit -c; exec \"$0\"",
            script.toString());
    shell.environment().put("HMACD_JAVA", java.toString());
    Process process = shell.start();
    assertThat(process.waitFor(20, TimeUnit.SECONDS)).isTrue();
    String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    assertThat(output).isNotEqualTo("0\n0\n0\n").endsWith("\n0\n0\n");
  }
}
