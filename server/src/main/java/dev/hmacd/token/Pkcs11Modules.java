package dev.hmacd.token;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The loaded PKCS#11 modules. Each module is loaded once for all its tokens. Not thread-safe:
/// tokens are found before other threads start.
public final class Pkcs11Modules {
  private static final Logger log = LoggerFactory.getLogger(Pkcs11Modules.class);

  private final Map<Object, Pkcs11Module> loaded = new HashMap<>();

  /// Loads and initialises a module, unless it is loaded already.
  ///
  /// @param initArgs `pReserved` of `C_Initialize`, which some vendors' modules read
  /// @throws TokenException if the module cannot be loaded or initialised
  public void load(Path file, Optional<String> initArgs) throws TokenException {
    var _ = module(file, initArgs, false);
  }

  /// Finds a token; does not log in.
  ///
  /// @param initArgs `pReserved` of `C_Initialize`, which some vendors' modules read
  /// @throws TokenException if the module cannot be loaded, or if not exactly one token matches the
  ///   selector
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

  /// Finds a token that may be absent. Until the token is found, each operation searches for the
  /// token again.
  ///
  /// @param serial serial number, which identifies the token while it is absent
  /// @throws TokenException if the module's file cannot be loaded
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
          .log("Token not found; each operation searches for the token again");
    }
    return token;
  }

  private Pkcs11Module module(Path file, Optional<String> initArgs, boolean evenIfUnreachable)
      throws TokenException {
    Object identity = identity(file);
    Pkcs11Module known = loaded.get(identity);
    if (known == null) {
      known =
          evenIfUnreachable
              ? Pkcs11Module.loadEvenIfUnreachable(file, initArgs)
              : Pkcs11Module.load(file, initArgs);
      loaded.put(identity, known);
    }
    return known;
  }

  /// Device and inode of a module's file. The dynamic linker identifies files in the same way: two
  /// links to one file are one module, a copy is another module.
  ///
  /// @return a value for comparison by `equals`; the path if the file does not exist
  public static Object identity(Path file) {
    try {
      Object key = Files.readAttributes(file, BasicFileAttributes.class).fileKey();
      return key == null ? file.toRealPath() : key;
    } catch (IOException e) {
      return file.toAbsolutePath().normalize(); // The load of the module reports the error.
    }
  }
}
