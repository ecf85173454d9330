package dev.hmacd.token;

import com.google.errorprone.annotations.ThreadSafe;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/// A PKCS#11 module and its tokens. `C_Finalize` ends the sessions of all tokens of the module, so
/// this class decides when the module may be finalized.
@ThreadSafe
@SuppressWarnings("ThreadSafe") // Its parts are thread-safe.
final class Pkcs11Module {
  /// Maximum wait for running calls to return, before the module is finalized.
  private static final Duration LEAVING = Duration.ofSeconds(1);

  private final Cryptoki cryptoki;

  private final Handles.OfModule handles = new Handles.OfModule();
  private final List<Pkcs11Token> tokens = new CopyOnWriteArrayList<>();

  private Pkcs11Module(Cryptoki cryptoki) {
    this.cryptoki = cryptoki;
  }

  /// Loads and initialises a module.
  static Pkcs11Module load(Path file, Optional<String> initArgs) throws TokenException {
    return new Pkcs11Module(Cryptoki.load(file, initArgs));
  }

  /// As [#load], but if `C_Initialize` fails, [#reinitialize] initialises the module later. In some
  /// modules, `C_Initialize` fails while a network HSM is unreachable.
  static Pkcs11Module loadEvenIfUnreachable(Path file, Optional<String> initArgs)
      throws TokenException {
    return new Pkcs11Module(Cryptoki.loadEvenIfUnreachable(file, initArgs));
  }

  Cryptoki cryptoki() {
    return cryptoki;
  }

  /// State that the sessions of all tokens of the module share.
  Handles.OfModule handles() {
    return handles;
  }

  void add(Pkcs11Token token) {
    tokens.add(token);
  }

  /// Finalizes and initialises the module while no call runs in it. Does nothing if `needed` is
  /// false, or if another token of the module is in service.
  ///
  /// @param then action that runs before other calls may enter the module
  /// @return false if a running call does not return in time, so that the module is not finalized
  boolean reinitialize(Pkcs11Token asking, BooleanSupplier needed, Recovery then)
      throws TokenException {
    // The condition is also checked before the lock, because a waiting writer blocks the calls of
    // all tokens of the module.
    if (!needed.getAsBoolean() || isAnotherInService(asking)) {
      return true;
    }
    try {
      if (!handles.exclusiveLock().tryLock(LEAVING.toNanos(), TimeUnit.NANOSECONDS)) {
        return false;
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
    try {
      if (!needed.getAsBoolean() || isAnotherInService(asking)) {
        return true;
      }
      handles.finalizing();
      tokens.forEach(Pkcs11Token::finalizing);
      cryptoki.reinitialize();
      then.run();
      return true;
    } finally {
      handles.exclusiveLock().unlock();
    }
  }

  private boolean isAnotherInService(Pkcs11Token asking) {
    return tokens.stream().anyMatch(other -> other != asking && other.circuit().isInService());
  }

  /// Action after the reinitialization of a module.
  interface Recovery {
    void run() throws TokenException;
  }
}
