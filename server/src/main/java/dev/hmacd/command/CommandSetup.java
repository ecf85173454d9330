package dev.hmacd.command;

import dev.hmacd.ExitCode;
import dev.hmacd.StartException;
import dev.hmacd.config.Config;
import dev.hmacd.config.ConfigException;
import dev.hmacd.config.ConfigFile;
import dev.hmacd.token.PinFile;
import dev.hmacd.token.Pkcs11Modules;
import dev.hmacd.token.Pkcs11Token;
import dev.hmacd.token.TokenException;
import java.nio.file.Path;

/// Reads the configuration and finds the tokens: the first steps of all commands.
final class CommandSetup {
  private CommandSetup() {}

  static Config config(Path file) throws StartException {
    try {
      Config config = ConfigFile.read(file);
      LogConfigurator.apply(config.logging());
      return config;
    } catch (ConfigException e) {
      throw new StartException(e.problems(), ExitCode.CONFIG, e);
    }
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

  static Pkcs11Token.Use use(Config.TokenSettings settings, boolean sessionCopies) {
    return new Pkcs11Token.Use(
        sessionCopies, settings.verifyMacs(), settings.keyType(), settings.hanging().timeout());
  }
}
