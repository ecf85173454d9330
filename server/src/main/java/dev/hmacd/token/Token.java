package dev.hmacd.token;

import java.util.function.BooleanSupplier;

/// A token that holds HMAC keys. Thread-safe. The seam at which tests inject faults.
public interface Token {
  /// What the token says of itself; read once, when it was found. Before that, what it is looked
  /// for by.
  TokenInfo info();

  /// Whether it is in service.
  Circuit circuit();

  /// Opens a session of its own for the caller, logged in. Of all sessions of the process only one
  /// logs in (`C_Login` holds for the application), and a PIN that was refused is never tried
  /// again.
  TokenSession open() throws TokenException;

  /// Finalizes the module and initialises it anew (`C_Finalize`, `C_Initialize`), and finds the
  /// token again. All sessions are gone then. Does nothing while a call is in the module that does
  /// not return within a second, nor while another token of the same module is in service.
  ///
  /// @param needed asked when nobody is in the module any more: the token may be back by then
  /// @return false when a call did not return
  /// @throws TokenException when the module does not come back, or the token is not there
  boolean reinitialize(BooleanSupplier needed) throws TokenException;

  /// Lets a PIN that was refused be tried once more: an operator says that it has been mended.
  void retryPin();
}
