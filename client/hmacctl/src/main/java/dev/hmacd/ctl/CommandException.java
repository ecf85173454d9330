package dev.hmacd.ctl;

/// A failure that a command explains itself, with its exit code and its hint.
final class CommandException extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final ExitCode exitCode;
  private final String hint;

  CommandException(ExitCode exitCode, String message, String hint) {
    super(message);
    this.exitCode = exitCode;
    this.hint = hint;
  }

  ExitCode exitCode() {
    return exitCode;
  }

  String hint() {
    return hint;
  }
}
