package dev.hmacd.command;

import dev.hmacd.ExitCode;
import dev.hmacd.StartException;
import dev.hmacd.config.Config;
import dev.hmacd.config.ConfigException;
import dev.hmacd.config.ConfigFile;
import dev.hmacd.file.FilePermissions;
import dev.hmacd.token.PinFile;
import dev.hmacd.token.Pkcs11Modules;
import dev.hmacd.token.Pkcs11Token;
import dev.hmacd.token.Token;
import dev.hmacd.token.TokenException;
import dev.hmacd.token.TokenSelector;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// Reads the configuration and finds the tokens: the first steps of all commands.
final class CommandSetup {
  private CommandSetup() {}

  static Config config(Path file) throws StartException {
    try {
      Config config = ConfigFile.read(file);
      LogConfigurator.apply(config.logging());
      return config;
    } catch (ConfigException e) {
      throw new StartException(
          "the configuration cannot be used:\n  " + String.join("\n  ", e.problems()),
          ExitCode.CONFIG,
          e);
    }
  }

  /// Creates the tokens of the daemon. With several tokens in the configuration, any token may be
  /// absent.
  ///
  /// @throws StartException also if others can read or write a PIN file
  static List<Token> tokens(Config config) throws StartException {
    for (Config.TokenSettings settings : config.tokens()) {
      requirePrivatePin(settings);
    }
    if (config.tokens().size() == 1) {
      return List.of(token(config.tokens().getFirst()));
    }
    var modules = new Pkcs11Modules();
    List<Token> tokens = new ArrayList<>();
    for (Config.TokenSettings settings : config.tokens()) {
      if (!(settings.selector() instanceof TokenSelector.BySerial serial)) {
        throw new IllegalArgumentException(
            "token.serial is missing: each token requires a serial number if there are several tokens");
      }
      try {
        tokens.add(
            modules.expect(
                settings.module(),
                settings.initArgs(),
                serial,
                new PinFile(settings.pinFile()),
                use(settings, settings.sessionCopies())));
      } catch (TokenException e) {
        throw StartException.of(e);
      }
    }
    return tokens;
  }

  /// Finds a token, which must be present.
  static Pkcs11Token token(Config.TokenSettings settings) throws StartException {
    return token(new Pkcs11Modules(), settings, settings.sessionCopies());
  }

  /// As [#token(Config.TokenSettings)], but `sessionCopies` replaces the configured value.
  ///
  /// @param modules the modules that have been loaded
  static Pkcs11Token token(
      Pkcs11Modules modules, Config.TokenSettings settings, boolean sessionCopies)
      throws StartException {
    try {
      return modules.find(
          settings.module(),
          settings.initArgs(),
          settings.selector(),
          new PinFile(settings.pinFile()),
          use(settings, sessionCopies));
    } catch (TokenException e) {
      throw StartException.of(e);
    }
  }

  /// Refuses a PIN file that others can read or write, also while another token could serve.
  private static void requirePrivatePin(Config.TokenSettings settings) throws StartException {
    Optional<String> refusal;
    try {
      refusal = FilePermissions.refusal(settings.pinFile(), FilePermissions.Content.SECRET);
    } catch (IOException e) {
      return; // The login reports an unreadable PIN file. Another token may serve meanwhile.
    }
    if (refusal.isPresent()) {
      throw new StartException("token.pin_file: " + refusal.get(), ExitCode.CONFIG);
    }
  }

  private static Pkcs11Token.Use use(Config.TokenSettings settings, boolean sessionCopies) {
    return new Pkcs11Token.Use(
        sessionCopies, settings.verifyMacs(), settings.keyType(), settings.hanging().timeout());
  }
}
