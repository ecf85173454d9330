package dev.hmacd;

import org.jspecify.annotations.Nullable;

/// The daemon cannot start; the message is for the operator.
public final class StartException extends Exception {
  private static final long serialVersionUID = 1;

  /// sysexits(3) EX_TEMPFAIL: starting again may help.
  public static final int TEMPORARY = 75;

  /// sysexits(3) EX_CONFIG: starting again does not help, and could lock the token's PIN.
  public static final int CONFIG = 78;

  private final int exitCode;

  public StartException(@Nullable String message, int exitCode, @Nullable Throwable cause) {
    super(message, cause);
    this.exitCode = exitCode;
  }

  public int exitCode() {
    return exitCode;
  }
}
