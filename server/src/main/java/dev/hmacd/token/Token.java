package dev.hmacd.token;

/// A token that holds HMAC keys. Thread-safe. The seam at which tests inject faults.
public interface Token {
  /// What the token says of itself; read once, when it was found.
  TokenInfo info();

  /// Opens a session of its own for the caller, logged in. Of all sessions of the process only one
  /// logs in (`C_Login` holds for the application), and a PIN that was refused is never tried
  /// again.
  TokenSession open() throws TokenException;
}
