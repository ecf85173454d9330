package dev.hmacd.command;

import dev.hmacd.StartException;
import dev.hmacd.config.Config;
import dev.hmacd.config.ConfigException;
import dev.hmacd.config.ConfigFile;
import dev.hmacd.token.PinFile;
import dev.hmacd.token.Pkcs11Token;
import dev.hmacd.token.TokenException;
import java.nio.file.Path;

/// What all commands do first.
final class Startup {
  private Startup() {}

  static Config config(Path file) throws StartException {
    try {
      Config config = ConfigFile.read(file);
      Logs.apply(config.logging());
      return config;
    } catch (ConfigException e) {
      throw new StartException(
          "the configuration cannot be used:\n  " + String.join("\n  ", e.problems()),
          StartException.CONFIG,
          e);
    }
  }

  static Pkcs11Token token(Config.TokenSettings settings) throws StartException {
    return token(settings, settings.sessionCopies());
  }

  /// As [#token(Config.TokenSettings)], with or without session-object copies, whatever is
  /// configured.
  static Pkcs11Token token(Config.TokenSettings settings, boolean sessionCopies)
      throws StartException {
    try {
      return Pkcs11Token.find(
          settings.module(),
          settings.initArgs(),
          settings.selector(),
          new PinFile(settings.pinFile()),
          new Pkcs11Token.Use(sessionCopies, settings.verifyMacs()));
    } catch (TokenException e) {
      throw failed(e);
    }
  }

  /// A failure of the token, with the exit code that says whether to try again.
  static StartException failed(TokenException e) {
    int code = e.isPinRefused() ? StartException.CONFIG : StartException.TEMPORARY;
    return new StartException(e.getMessage(), code, e);
  }
}
