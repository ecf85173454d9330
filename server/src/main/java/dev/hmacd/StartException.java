package dev.hmacd;

import dev.hmacd.file.FileException;
import dev.hmacd.registry.RegistryException;
import dev.hmacd.token.TokenException;
import dev.hmacd.transport.ListenException;
import java.util.List;
import java.util.concurrent.CompletionException;
import org.jspecify.annotations.Nullable;

/// Failure of the daemon's start, with one or more messages for the operator.
public final class StartException extends Exception {
  private static final long serialVersionUID = 1;

  private final transient List<String> problems;
  private final ExitCode exitCode;

  public StartException(String message, ExitCode exitCode) {
    this(message, exitCode, null);
  }

  public StartException(String message, ExitCode exitCode, @Nullable Throwable cause) {
    this(List.of(message), exitCode, cause);
  }

  /// @param problems one or more messages, each of which stands alone
  public StartException(List<String> problems, ExitCode exitCode, @Nullable Throwable cause) {
    super(String.join("\n", problems), cause);
    this.problems = List.copyOf(problems);
    this.exitCode = exitCode;
  }

  /// A step of a start.
  interface Step {
    void run() throws StartException, TokenException, ListenException, FileException;
  }

  /// Performs a step of a start, and converts its foreseen failures.
  ///
  /// @throws StartException also for failures of the registry
  static void convert(Step step) throws StartException {
    try {
      step.run();
    } catch (TokenException e) {
      throw of(e);
    } catch (RegistryException e) {
      throw of(e);
    } catch (CompletionException e) {
      throw of(e);
    } catch (ListenException e) {
      throw of(e);
    } catch (FileException e) {
      throw of(e);
    }
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

  /// Converts the failure to use files of the configuration.
  public static StartException of(FileException e) {
    return new StartException(e.problems(), ExitCode.CONFIG, e);
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

  /// The messages. Each message stands alone.
  public List<String> problems() {
    return problems;
  }
}
