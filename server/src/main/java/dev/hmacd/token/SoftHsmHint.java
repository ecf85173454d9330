package dev.hmacd.token;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/// The hint in error texts about a missing token of SoftHSM2. SoftHSM2 hides a token whose files
/// this user cannot read, and reports no error.
final class SoftHsmHint {
  private static final String VARIABLE = "SOFTHSM2_CONF";
  private static final Path DEFAULT = Path.of("/etc/softhsm/softhsm2.conf");
  private static final Pattern TOKEN_FOLDER =
      Pattern.compile("(?m)^\\s*directories\\.tokendir\\s*=\\s*(\\S.*?)\\s*$");

  private SoftHsmHint() {}

  /// The end of an error text about missing tokens; empty if the module is not SoftHSM2.
  ///
  /// @param environment the environment of the module
  static String of(Path module, Map<String, String> environment) {
    if (!String.valueOf(module.getFileName()).contains("softhsm")) {
      return "";
    }
    try {
      return ". SoftHSM2: " + explained(configuration(environment));
    } catch (IOException | UncheckedIOException | InvalidPathException e) {
      return ". SoftHSM2: its files cannot be read (" + e + ")";
    }
  }

  /// The configuration file that SoftHSM2 reads.
  private static Path configuration(Map<String, String> environment) {
    String configured = environment.get(VARIABLE);
    if (configured != null) {
      return Path.of(configured);
    }
    String home = environment.get("HOME");
    return Stream.of(
            Path.of(home == null ? "/" : home, ".config/softhsm2/softhsm2.conf"),
            DEFAULT,
            Path.of("/etc/softhsm2.conf"))
        .filter(Files::exists)
        .findFirst()
        .orElse(DEFAULT);
  }

  private static String explained(Path configuration) throws IOException {
    String user = "user " + System.getProperty("user.name");
    if (!Files.isReadable(configuration)) {
      return user + " cannot read its configuration " + configuration + "; compare " + VARIABLE;
    }
    Matcher matcher = TOKEN_FOLDER.matcher(Files.readString(configuration));
    if (!matcher.find()) {
      return "its configuration " + configuration + " has no directories.tokendir";
    }
    Path folder = Path.of(matcher.group(1));
    if (!Files.exists(folder)) {
      return "the token folder " + folder + " of " + configuration + " does not exist";
    }
    if (!isAccessible(folder)) {
      return user + " cannot read the token folder " + folder + ": make the token as this user";
    }
    try (Stream<Path> tokens = Files.list(folder)) {
      Optional<Path> hidden =
          tokens.filter(Files::isDirectory).filter(each -> !isReadableToken(each)).findFirst();
      return hidden
          .map(token -> user + " cannot read the token " + token + ": make the token as this user")
          .orElse("its token folder is " + folder + "; compare " + VARIABLE);
    }
  }

  private static boolean isAccessible(Path folder) {
    return Files.isReadable(folder) && Files.isExecutable(folder);
  }

  private static boolean isReadableToken(Path folder) {
    return isAccessible(folder) && Files.isReadable(folder.resolve("token.object"));
  }
}
