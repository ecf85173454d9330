package dev.hmacd;

import dev.hmacd.registry.RegistryException;
import dev.hmacd.token.TokenException;
import dev.hmacd.transport.ListenException;
import java.io.IOException;
import java.util.concurrent.CompletionException;
import org.jspecify.annotations.Nullable;

/// The daemon cannot start. The message is for the operator.
public final class StartException extends Exception {
  private static final long serialVersionUID = 1;

  /// sysexits(3) EX_SOFTWARE: an unexpected error.
  public static final int SOFTWARE = 70;

  /// sysexits(3) EX_TEMPFAIL: a restart may help.
  public static final int TEMPORARY = 75;

  /// sysexits(3) EX_CONFIG: a restart does not help, and could lock the token's PIN.
  public static final int CONFIG = 78;

  private final int exitCode;

  public StartException(@Nullable String message, int exitCode, @Nullable Throwable cause) {
    super(message, cause);
    this.exitCode = exitCode;
  }

  /// The token cannot be used: temporarily, or until an operator corrects the PIN.
  public static StartException of(TokenException e) {
    return new StartException(e.getMessage(), e.isPinRefused() ? CONFIG : TEMPORARY, e);
  }

  /// An address or a file cannot be used. Only an address may become usable without an operator.
  static StartException of(IOException e) {
    boolean temporary = e instanceof ListenException listen && listen.isTemporary();
    return new StartException(String.valueOf(e.getMessage()), temporary ? TEMPORARY : CONFIG, e);
  }

  /// The registry cannot be used: temporarily, or until an operator acts.
  public static StartException of(RegistryException e) {
    return new StartException(e.getMessage(), e.needsOperator() ? CONFIG : TEMPORARY, e);
  }

  /// A change or read of the registry failed while the daemon started.
  ///
  /// @throws CompletionException if the cause is not a registry failure
  public static StartException of(CompletionException e) {
    if (e.getCause() instanceof RegistryException cause) {
      return of(cause);
    }
    throw e;
  }

  /// The exit code of a process that ends after a failure.
  public static int exitCode(Throwable failure) {
    return failure instanceof StartException e ? e.exitCode() : SOFTWARE;
  }

  public int exitCode() {
    return exitCode;
  }
}
