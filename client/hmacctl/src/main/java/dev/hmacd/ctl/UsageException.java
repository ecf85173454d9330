package dev.hmacd.ctl;

/// An error in the command line.
final class UsageException extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final String hint;

  UsageException(String message) {
    this(message, "");
  }

  /// @param hint what the user can do, in addition to the help of the command; empty for nothing
  UsageException(String message, String hint) {
    super(message);
    this.hint = hint;
  }

  String hint() {
    return hint;
  }
}
