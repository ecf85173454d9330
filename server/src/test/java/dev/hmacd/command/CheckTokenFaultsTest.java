package dev.hmacd.command;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.ExitCode;
import dev.hmacd.testing.ChildDaemon;
import dev.hmacd.testing.ChildDaemon.Result;
import dev.hmacd.testing.SoftHsm;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/// `hmacd check` reports all faults of a token together, and says what it found.
@Tag("slow")
final class CheckTokenFaultsTest {
  private static final Pattern SERIAL = Pattern.compile("\\(serial \"\\w+\"\\)");

  private final ChildDaemon daemon = ChildDaemon.initialised();

  @AfterEach
  void close() {
    daemon.close();
  }

  private Result check(ExitCode exitCode) {
    Result result = daemon.run("check");
    assertThat(result.exitCode()).as(result.output()).isEqualTo(exitCode.code());
    assertThat(result.output()).doesNotContain("\tat ").doesNotContain("ByLabel");
    return result;
  }

  /// The first line with this start, of a check of an absent token.
  private String line(String start) {
    return check(ExitCode.TEMPORARY)
        .output()
        .lines()
        .filter(each -> each.startsWith(start))
        .findFirst()
        .orElse("");
  }

  /// Makes further processes use another configuration of SoftHSM2.
  private void softHsmConfiguration(Path configuration) {
    daemon.environment("SOFTHSM2_CONF", configuration.toString());
  }

  @Test
  void missingModuleAndPinFileAreReportedBesideTheRegistry() throws IOException {
    Files.delete(daemon.hsm().pinFile());
    daemon.configure(daemon.folder().resolve("missing.so"), "");
    assertThat(check(ExitCode.CONFIG).output().lines())
        .anyMatch(line -> line.matches("FAIL +PIN file +token.pin_file: .*/pin: no such file.*"))
        .anyMatch(
            line ->
                line.matches("FAIL +module +token.module: .*/missing.so: there is no such file.*"))
        .anyMatch(line -> line.matches("OK +registry +.*"));
  }

  @Test
  void unusablePinFileIsReportedBesideTheTokenWithoutALogin() throws IOException {
    Files.writeString(daemon.hsm().pinFile(), "\n");
    assertThat(check(ExitCode.CONFIG).output().lines())
        .anyMatch(line -> line.matches("FAIL +PIN file +token.pin_file: .*/pin is empty.*"))
        .anyMatch(line -> line.matches("OK +token +hmacd-test, serial .*"))
        .anyMatch(line -> line.matches("OK +CKM_SHA256_HMAC +.*"))
        .anyMatch(line -> line.matches("OK +registry +.*"))
        .anyMatch(line -> line.matches("WARN +login +not checked: .*"));
  }

  @Test
  void tokensWithTheSameLabelAreNamedWithTheirSerials() {
    String _ =
        daemon
            .hsm()
            .run(
                List.of(
                    "softhsm2-util",
                    "--init-token",
                    "--free",
                    "--label",
                    SoftHsm.LABEL,
                    "--so-pin",
                    "13572468",
                    "--pin",
                    daemon.hsm().pin()));
    String line = line("FAIL  token");
    assertThat(line)
        .contains("token.label: 2 tokens of", "match label \"" + SoftHsm.LABEL + "\": ");
    assertThat(SERIAL.matcher(line).results().map(match -> match.group()).distinct()).hasSize(2);
  }

  @Test
  void otherTokensAreNamedIfNoTokenMatches() throws IOException {
    String text = Files.readString(daemon.config());
    daemon.write("hmacd.yaml", text.replace("label: " + SoftHsm.LABEL, "label: another"));
    String line = line("FAIL  token");
    assertThat(line)
        .contains(
            "token.label: no token of ",
            "matches label \"another\"; ",
            "configure one of the module's tokens: \"" + SoftHsm.LABEL + "\" (");
    assertThat(SERIAL.matcher(line).results()).hasSize(1);
  }

  @Test
  void emptyTokenFolderOfSoftHsmIsNamed() throws IOException {
    Path empty = Files.createDirectory(daemon.folder().resolve("empty"));
    softHsmConfiguration(
        Files.writeString(
            daemon.folder().resolve("empty.conf"), "directories.tokendir = " + empty + "\n"));
    assertThat(line("FAIL  token"))
        .contains("the module shows no initialised token. SoftHSM2: its token folder is " + empty);
  }

  @Test
  void missingConfigurationOfSoftHsmIsNamed() {
    Path missing = daemon.folder().resolve("missing.conf");
    softHsmConfiguration(missing);
    assertThat(line("FAIL  module"))
        .contains("C_Initialize returned ", "cannot read its configuration " + missing);
  }
}
