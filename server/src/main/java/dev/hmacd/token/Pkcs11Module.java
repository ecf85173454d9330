package dev.hmacd.token;

import com.google.errorprone.annotations.ThreadSafe;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/// A PKCS#11 module and the tokens that are used through it. `C_Finalize` ends the sessions of all
/// of them, so it is for the module to decide when that may be.
@ThreadSafe
@SuppressWarnings("ThreadSafe") // Its parts are thread-safe.
final class Pkcs11Module {
  /// How long a call may take to leave the module before it is finalized.
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

  /// As [#load]; a module that does not let itself be initialised, as those of a network HSM that
  /// is away, is initialised later, by [#reinitialize].
  static Pkcs11Module loadEvenIfAway(Path file, Optional<String> initArgs) throws TokenException {
    return new Pkcs11Module(Cryptoki.loadEvenIfAway(file, initArgs));
  }

  Cryptoki cryptoki() {
    return cryptoki;
  }

  /// What the sessions of all its tokens have in common.
  Handles.OfModule handles() {
    return handles;
  }

  void add(Pkcs11Token token) {
    tokens.add(token);
  }

  /// Finalizes and initialises the module while nobody is in it, if it is needed then, and none of
  /// its tokens is in service but the one that asks.
  ///
  /// @param then done before anybody else is let in
  /// @return false when somebody does not leave the module in time
  boolean reinitialize(Pkcs11Token asking, BooleanSupplier needed, Recovery then)
      throws TokenException {
    // Before the lock, too: who waits for it holds up the calls of all tokens of the module.
    if (!needed.getAsBoolean() || worksBeside(asking)) {
      return true;
    }
    try {
      if (!handles.alone().tryLock(LEAVING.toNanos(), TimeUnit.NANOSECONDS)) {
        return false;
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      return false;
    }
    try {
      if (!needed.getAsBoolean() || worksBeside(asking)) {
        return true;
      }
      handles.finalizing();
      tokens.forEach(Pkcs11Token::finalizing);
      cryptoki.reinitialize();
      then.run();
      return true;
    } finally {
      handles.alone().unlock();
    }
  }

  private boolean worksBeside(Pkcs11Token asking) {
    return tokens.stream().anyMatch(other -> other != asking && other.circuit().isInService());
  }

  /// What follows when a module was initialised anew.
  interface Recovery {
    void run() throws TokenException;
  }
}
