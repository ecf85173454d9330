package dev.hmacd.token;

import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The modules that tokens are used through, each once, however many of its tokens are. Not
/// thread-safe: tokens are found before anything runs.
public final class Pkcs11Modules {
  private static final Logger log = LoggerFactory.getLogger(Pkcs11Modules.class);

  private final Map<Path, Pkcs11Module> loaded = new HashMap<>();

  /// Finds a token; does not log in.
  ///
  /// @param initArgs what the module is given at `C_Initialize` when it is loaded, for those that
  ///   want more than PKCS#11 has
  /// @throws TokenException when the module cannot be loaded, or no token fits the selector, or
  ///   more than one does
  public Pkcs11Token find(
      Path file,
      Optional<String> initArgs,
      TokenSelector selector,
      PinSource pin,
      Pkcs11Token.Use use)
      throws TokenException {
    var token = new Pkcs11Token(module(file, initArgs, false), selector, pin, use);
    token.locate();
    return token;
  }

  /// A token that may be away: it is looked for whenever it is asked for something.
  ///
  /// @param serial by which it is known while it is away
  /// @throws TokenException when the module's file cannot be loaded
  public Pkcs11Token expect(
      Path file,
      Optional<String> initArgs,
      TokenSelector.BySerial serial,
      PinSource pin,
      Pkcs11Token.Use use)
      throws TokenException {
    var token = new Pkcs11Token(module(file, initArgs, true), serial, pin, use);
    try {
      token.locate();
    } catch (TokenException e) {
      log.atWarn()
          .addKeyValue("token_serial", serial.serial())
          .addKeyValue("reason", e.getMessage())
          .log("A token is away");
    }
    return token;
  }

  private Pkcs11Module module(Path file, Optional<String> initArgs, boolean evenIfAway)
      throws TokenException {
    Path name = real(file);
    Pkcs11Module known = loaded.get(name);
    if (known == null) {
      known =
          evenIfAway
              ? Pkcs11Module.loadEvenIfAway(file, initArgs)
              : Pkcs11Module.load(file, initArgs);
      loaded.put(name, known);
    }
    return known;
  }

  /// One name for each file: a module is initialised once in a process, by whatever path.
  private static Path real(Path file) {
    try {
      return file.toRealPath();
    } catch (IOException e) {
      return file.toAbsolutePath().normalize(); // Loading it will say what is wrong.
    }
  }
}
