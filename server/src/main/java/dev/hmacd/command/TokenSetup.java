package dev.hmacd.command;

import dev.hmacd.StartCheck.Candidate;
import dev.hmacd.StartException;
import dev.hmacd.StartFailures;
import dev.hmacd.StartReport;
import dev.hmacd.config.Config;
import dev.hmacd.file.FileException;
import dev.hmacd.file.FilePermissions;
import dev.hmacd.token.PinFile;
import dev.hmacd.token.Pkcs11Modules;
import dev.hmacd.token.Pkcs11Token;
import dev.hmacd.token.Token;
import dev.hmacd.token.TokenException;
import dev.hmacd.token.TokenInfo;
import dev.hmacd.token.TokenSelector;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/// Checks the PIN files of the tokens, loads their modules and finds the tokens. Does not log in.
///
/// With several tokens in the configuration, any token may be absent, and its PIN file unusable,
/// because the daemon starts with one token.
final class TokenSetup {
  private final Config config;
  private final StartReport report;
  private final Pkcs11Modules modules = new Pkcs11Modules();

  TokenSetup(Config config, StartReport report) {
    this.config = config;
    this.report = report;
  }

  /// The tokens of a daemon.
  ///
  /// @throws StartException with all failures
  static List<Token> tokens(Config config) throws StartException {
    var failures = new StartFailures();
    List<Candidate> found = new TokenSetup(config, failures).find();
    failures.throwIfAny();
    return tokens(found);
  }

  static List<Token> tokens(List<Candidate> found) {
    return found.stream().<Token>map(Candidate::token).toList();
  }

  /// Finds the tokens, and reports the result of each step.
  ///
  /// @return in the order of the configuration, without the tokens of a failure
  List<Candidate> find() {
    List<Candidate> found = new ArrayList<>();
    for (Config.TokenSettings settings : config.tokens()) {
      checkPinFile(settings.pinFile());
      find(settings).ifPresent(token -> found.add(new Candidate(settings, token)));
    }
    return found;
  }

  /// Checks a PIN file without a login, which would use up an attempt at a wrong PIN.
  private void checkPinFile(Path file) {
    try {
      Arrays.fill(new PinFile(file).read(), '\0');
    } catch (FileException e) {
      if (isSingle() || isRefused(file)) {
        report.failed("PIN file", StartException.of(e));
      } else {
        report.tolerated("PIN file", String.valueOf(e.getMessage()));
      }
    }
  }

  private boolean isSingle() {
    return config.tokens().size() == 1;
  }

  /// Whether others can read or write a PIN file. Such a file prevents the start even if another
  /// token can serve.
  private static boolean isRefused(Path file) {
    try {
      return FilePermissions.refusal(file, FilePermissions.Content.SECRET).isPresent();
    } catch (IOException e) {
      return false;
    }
  }

  private Optional<Pkcs11Token> find(Config.TokenSettings settings) {
    return isSingle() ? findPresent(settings) : findExpected(settings);
  }

  private Optional<Pkcs11Token> findPresent(Config.TokenSettings settings) {
    try {
      modules.load(settings.module(), settings.initArgs());
      report.passed("module", settings.module().toString());
    } catch (TokenException e) {
      report.failed("module", StartException.of(e));
      return Optional.empty();
    }
    try {
      Pkcs11Token token = CommandSetup.token(modules, settings, settings.sessionCopies());
      report.passed("token", description(token.info()));
      return Optional.of(token);
    } catch (StartException e) {
      report.failed("token", e);
      return Optional.empty();
    }
  }

  private Optional<Pkcs11Token> findExpected(Config.TokenSettings settings) {
    if (!(settings.selector() instanceof TokenSelector.BySerial serial)) {
      throw new IllegalArgumentException(
          "token.serial is missing: each of several tokens requires a serial number");
    }
    try {
      Pkcs11Token token =
          modules.expect(
              settings.module(),
              settings.initArgs(),
              serial,
              new PinFile(settings.pinFile()),
              CommandSetup.use(settings, settings.sessionCopies()));
      report.passed("module", settings.module().toString());
      if (!token.info().label().isEmpty()) {
        report.passed("token", description(token.info()));
      }
      return Optional.of(token);
    } catch (TokenException e) {
      report.failed("module", StartException.of(e));
      return Optional.empty();
    }
  }

  private static String description(TokenInfo info) {
    return info.label()
        + ", serial "
        + info.serial()
        + ", "
        + info.manufacturer()
        + " "
        + info.model();
  }
}
