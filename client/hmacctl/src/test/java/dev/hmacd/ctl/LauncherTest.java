package dev.hmacd.ctl;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// `bin/hmacctl`, with a fake Java that has the exit code of the test.
@Timeout(60)
class LauncherTest {
  private static final Path DIST = Path.of("src", "main", "dist");

  private final Path folder;

  LauncherTest(@TempDir Path folder) {
    this.folder = folder;
  }

  private Path install(String name) throws IOException {
    Path to = folder.resolve(name);
    Files.createDirectories(to.getParent());
    return executable(Files.copy(DIST.resolve(name), to));
  }

  private static Path executable(Path file) throws IOException {
    return Files.setPosixFilePermissions(file, PosixFilePermissions.fromString("rwx------"));
  }

  @ParameterizedTest(name = "Java exits with status {0}: hmacctl exits with status {1}")
  @CsvSource({
    "0, 0",
    "1, 9", // The exit status of a JVM that cannot start, or that ends with an Error.
    "101, 1",
    "2, 2",
    "6, 6",
    "9, 9",
    "127, 127",
    "134, 134"
  })
  void onlyHmacctlItselfReportsAWrongMac(int java, int expected) throws Exception {
    Path launcher = install("bin/hmacctl");
    install("lib/java.sh");
    Path fake =
        executable(Files.writeString(folder.resolve("java"), "#!/bin/sh\nexit " + java + "\n"));
    var builder = new ProcessBuilder(launcher.toString(), "verify-mac").redirectErrorStream(true);
    builder.environment().put("HMACD_JAVA", fake.toString());
    Process process = builder.start();
    String output = new String(process.getInputStream().readAllBytes(), UTF_8);
    assertThat(process.waitFor(30, TimeUnit.SECONDS)).isTrue();
    assertThat(process.exitValue()).as(output).isEqualTo(expected);
  }
}
