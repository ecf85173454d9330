package dev.hmacd;

import dev.hmacd.key.RegistryException;
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

  /// The registry cannot be used: now, or ever as it is configured.
  public static StartException of(RegistryException e) {
    boolean foreign = e.kind() == RegistryException.Kind.FOREIGN;
    return new StartException(e.getMessage(), foreign ? CONFIG : TEMPORARY, e);
  }

  public int exitCode() {
    return exitCode;
  }
}
