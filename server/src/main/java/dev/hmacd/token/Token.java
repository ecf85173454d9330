package dev.hmacd.token;

import java.util.function.BooleanSupplier;

/// A token that holds HMAC keys. Thread-safe. Tests implement this interface to inject faults.
public interface Token {
  /// Result of C_GetTokenInfo when the token was first found; until then, only the label or serial
  /// number of the selector.
  TokenInfo info();

  /// The token's circuit breaker.
  CircuitBreaker circuit();

  /// Opens a logged-in session for the caller. Only one session of the process calls `C_Login`,
  /// because a login applies to the whole application. A refused PIN is not tried again before
  /// [#retryPin].
  TokenSession open() throws TokenException;

  /// Finalizes and initialises the module (`C_Finalize`, `C_Initialize`), and finds the token
  /// again. Ends all sessions of the module. Does nothing if a running call does not return within
  /// a second, or if another token of the module is in service.
  ///
  /// @param needed whether the reinitialization is still needed; called before and after the wait
  ///   for running calls, because the token may have recovered
  /// @return false if a running call did not return in time
  /// @throws TokenException if the module cannot be initialised, or the token is not found
  boolean reinitialize(BooleanSupplier needed) throws TokenException;

  /// Allows another login after a refused PIN, because an operator has corrected the PIN.
  void retryPin();
}
