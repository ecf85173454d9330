package dev.hmacd;

import dev.hmacd.file.FileException;
import dev.hmacd.registry.RegistryException;
import dev.hmacd.token.TokenException;
import dev.hmacd.transport.ListenException;
import java.util.concurrent.CompletionException;
import org.jspecify.annotations.Nullable;

/// Failure of the daemon's start, with a message for the operator.
public final class StartException extends Exception {
  private static final long serialVersionUID = 1;

  private final ExitCode exitCode;

  public StartException(String message, ExitCode exitCode) {
    this(message, exitCode, null);
  }

  public StartException(String message, ExitCode exitCode, @Nullable Throwable cause) {
    super(message, cause);
    this.exitCode = exitCode;
  }

  private static StartException of(Exception cause, boolean needsOperator) {
    return new StartException(
        String.valueOf(cause.getMessage()),
        needsOperator ? ExitCode.CONFIG : ExitCode.TEMPORARY,
        cause);
  }

  /// Converts the failure of a token: temporary, or permanent until an operator acts.
  public static StartException of(TokenException e) {
    return of(e, e.needsOperator());
  }

  /// Converts the failure to listen on an address, which may become usable without an operator.
  static StartException of(ListenException e) {
    return of(e, !e.isTemporary());
  }

  /// Converts the failure to use a file of the configuration.
  static StartException of(FileException e) {
    return of(e, true);
  }

  /// Converts the failure of the registry: temporary, or permanent until an operator acts.
  public static StartException of(RegistryException e) {
    return of(e, e.needsOperator());
  }

  /// Converts the failure of a registry operation during the start.
  ///
  /// @throws CompletionException the given exception, if its cause is not a [RegistryException]
  public static StartException of(CompletionException e) {
    if (e.getCause() instanceof RegistryException cause) {
      return of(cause);
    }
    throw e;
  }

  /// The exit code of a process that ends after a failure. Every failure other than a
  /// [StartException] is unexpected.
  public static ExitCode exitCode(Throwable failure) {
    return failure instanceof StartException e ? e.exitCode() : ExitCode.SOFTWARE;
  }

  public ExitCode exitCode() {
    return exitCode;
  }
}
