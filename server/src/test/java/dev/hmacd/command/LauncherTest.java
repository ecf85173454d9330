package dev.hmacd.command;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.NullSource;
import org.junit.jupiter.params.provider.ValueSource;

/// The environment of the JVM that the script `bin/hmacd` starts.
final class LauncherTest {
  private static final Path SCRIPT = Path.of("src/main/dist/bin/hmacd");

  @TempDir Path folder;

  private Path write(String name, String text) throws IOException {
    Path file = folder.resolve(name);
    Files.createDirectories(file.getParent());
    Path written = Files.writeString(file, text);
    return Files.setPosixFilePermissions(written, PosixFilePermissions.fromString("rwxr-xr-x"));
  }

  /// An installed launcher, without Java.
  private Path launcher() throws IOException {
    write("install/lib/hmacd-server-1.jar", "");
    write("jdk/release", "JAVA_VERSION=\"25\"\n");
    return write("install/bin/hmacd", Files.readString(SCRIPT));
  }

  private static String output(ProcessBuilder command, Path java) throws Exception {
    command.environment().put("HMACD_JAVA", java.toString());
    Process process = command.start();
    assertThat(process.waitFor(2, TimeUnit.MINUTES)).isTrue();
    return new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
  }

  /// The JVM's flag does not prevent core files of the kernel when a module aborts.
  @Test
  void coreFilesAreDisabled() throws Exception {
    Path script = launcher();
    Path java = write("jdk/bin/java", "#!/bin/sh\nulimit -c; ulimit -H -c\n");
    var shell =
        new ProcessBuilder(
            "sh", "-c", "ulimit -S -c \"$(ulimit -H -c)\"; exec \"$0\"", script.toString());
    assertThat(output(shell, java)).isEqualTo("0\n0\n");
  }

  @Test
  void newFilesAreForTheUserOfTheDaemonAlone() throws Exception {
    Path script = launcher();
    Path java = write("jdk/bin/java", "#!/bin/sh\numask\n");
    var shell = new ProcessBuilder("sh", "-c", "umask 0; exec \"$0\"", script.toString());
    assertThat(output(shell, java)).isEqualTo("0077\n");
  }

  /// The JVM uses the last of several equal options.
  @Test
  void attachMechanismIsDisabledUnlessAnOptionOfTheUserEnablesIt() throws Exception {
    Path script = launcher();
    Path java = write("jdk/bin/java", "#!/bin/sh\nprintf '%s\\n' \"$@\"\n");
    List<String> options = output(new ProcessBuilder(script.toString()), java).lines().toList();
    assertThat(options).contains("-XX:+DisableAttachMechanism");
    var command = new ProcessBuilder(script.toString(), "serve");
    command.environment().put("HMACD_JAVA_OPTS", "-Xmx1g -XX:-DisableAttachMechanism");
    assertThat(output(command, java).lines())
        .containsSubsequence(
            "-Xmx384m",
            "-XX:+DisableAttachMechanism",
            "-Xmx1g",
            "-XX:-DisableAttachMechanism",
            "-jar",
            "serve");
  }

  /// The unit does not restart the daemon after status 78: an operator has to act.
  @Test
  void withoutAUsableJavaTheStatusIsThatOfAConfigurationError() throws Exception {
    var command = new ProcessBuilder(launcher().toString()).redirectErrorStream(true);
    command.environment().put("HMACD_JAVA", folder.resolve("jdk/bin/absent").toString());
    Process process = command.start();
    assertThat(process.waitFor(2, TimeUnit.MINUTES)).isTrue();
    assertThat(process.exitValue()).isEqualTo(78);
    assertThat(new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8))
        .contains("HMACD_JAVA=", "no Java 25 or newer");
  }

  /// A service of systemd has no locale, so paths and the log would be ASCII. The daemon recognises
  /// kernel errors in English only.
  @ParameterizedTest
  @NullSource
  @ValueSource(strings = {"C", "POSIX", "de_DE.UTF-8"})
  void localeIsUtf8AndEnglish(@Nullable String locale) throws Exception {
    Path script = launcher();
    Path java = write("jdk/bin/java", "#!/bin/sh\necho \"${LC_ALL-}\"\n");
    var command = new ProcessBuilder(script.toString());
    command.environment().keySet().removeAll(Set.of("LC_ALL", "LC_CTYPE", "LANG"));
    if (locale != null) {
      command.environment().put("LC_ALL", locale);
    }
    assertThat(output(command, java)).isEqualTo("C.UTF-8\n");
  }
}
