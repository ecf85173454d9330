package dev.hmacd.command;

import dev.hmacd.ExitCode;
import dev.hmacd.StartException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Creates the token of `hmacd dev` once, with `pkcs11-tool`, because the JDK cannot initialise
/// tokens. PINs are passed in environment variables, never on the command line.
final class DevToken {
  private static final List<String> SOFTHSM =
      List.of(
          "/usr/lib/softhsm/libsofthsm2.so",
          "/usr/lib64/softhsm/libsofthsm2.so",
          "/usr/lib64/pkcs11/libsofthsm2.so",
          "/usr/local/lib/softhsm/libsofthsm2.so",
          "/opt/homebrew/lib/softhsm/libsofthsm2.so");

  private final DevFolder folder;
  private final Optional<Path> given;
  private final String label;

  DevToken(DevFolder folder, Optional<Path> given, String label) {
    this.folder = folder;
    this.given = given;
    this.label = label;
  }

  Path module() throws StartException {
    if (given.isPresent()) {
      return given.get().toAbsolutePath();
    }
    return SOFTHSM.stream()
        .map(Path::of)
        .filter(Files::exists)
        .findFirst()
        .orElseThrow(
            () ->
                new StartException(
                    "SoftHSM2 is not installed (Debian: apt-get install softhsm2 opensc)",
                    ExitCode.CONFIG));
  }

  /// Initialises the token if it does not exist, and returns the path of the file with its PIN.
  Path provision() throws StartException, IOException, InterruptedException {
    Path pin = folder.file("pin");
    if (Files.exists(pin)) {
      return pin;
    }
    Files.createDirectories(folder.file("tokens"));
    if (!Files.exists(folder.file("softhsm2.conf"))) {
      folder.write(
          "softhsm2.conf",
          "directories.tokendir = "
              + folder.file("tokens")
              + "\nobjectstore.backend = file\nlog.level = ERROR\n");
    }
    String userPin = randomPin();
    String soPin = randomPin();
    Map<String, String> pins = Map.of("HMACD_DEV_PIN", userPin, "HMACD_DEV_SO_PIN", soPin);
    tool(pins, "--init-token", "--label", label, "--so-pin", "env:HMACD_DEV_SO_PIN");
    tool(
        pins,
        "--token-label",
        label,
        "--login",
        "--login-type",
        "so",
        "--so-pin",
        "env:HMACD_DEV_SO_PIN",
        "--init-pin",
        "--new-pin",
        "env:HMACD_DEV_PIN");
    folder.write("so-pin", soPin + "\n");
    folder.write("pin", userPin + "\n");
    return pin;
  }

  private static String randomPin() {
    return Long.toString(new SecureRandom().nextLong(1_000_000_000L, 10_000_000_000L));
  }

  private void tool(Map<String, String> environment, String... arguments)
      throws StartException, IOException, InterruptedException {
    List<String> all = new ArrayList<>(List.of(arguments));
    all.addAll(List.of("--module", module().toString()));
    var _ = new ExternalProgram(folder, "pkcs11-tool", "opensc").run(environment, "", all);
  }
}
