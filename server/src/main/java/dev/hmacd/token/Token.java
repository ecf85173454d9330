package dev.hmacd.token;

import java.util.function.BooleanSupplier;

/// A token that holds HMAC keys. Thread-safe. Tests inject faults at this interface.
public interface Token {
  /// Result of C_GetTokenInfo when the token was first found; before, only the label or serial
  /// number of the selector.
  TokenInfo info();

  /// The token's circuit breaker.
  CircuitBreaker circuit();

  /// Opens a logged-in session for the caller. Only one session of the process logs in, because
  /// `C_Login` applies to the application. A refused PIN is not tried again before [#retryPin].
  TokenSession open() throws TokenException;

  /// Finalizes and initialises the module (`C_Finalize`, `C_Initialize`), and finds the token
  /// again. Ends all sessions. Does nothing if a call in the module does not return within a
  /// second, or if another token of the module is in service.
  ///
  /// @param needed asked before the wait for calls in the module, and again after it: the token may
  ///   have recovered
  /// @return false if a call did not return
  /// @throws TokenException if the module cannot be initialised, or the token is not found
  boolean reinitialize(BooleanSupplier needed) throws TokenException;

  /// Allows another login after a refused PIN, because an operator has corrected the PIN.
  void retryPin();
}
