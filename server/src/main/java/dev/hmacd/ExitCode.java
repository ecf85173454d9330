package dev.hmacd;

/// The exit codes of `hmacd`. Codes from 70 on are those of sysexits(3).
public enum ExitCode {
  OK(0, "Success, or stopped by a signal."),
  FAULT_FOUND(
      1,
      "hmacd check found a fault that does not prevent the start, or hmacd init found another key"
          + " under the label and id of a key."),
  USAGE(2, "Error in the command line."),
  /// `EX_SOFTWARE` of sysexits(3), after a printed stack trace.
  SOFTWARE(70, "Unexpected error."),
  /// `EX_TEMPFAIL` of sysexits(3).
  TEMPORARY(75, "A later start may succeed."),
  /// `EX_CONFIG` of sysexits(3). Also used after a refused PIN, because another start could lock
  /// the PIN.
  CONFIG(78, "An operator must act; until then, no start can succeed.");

  private final int code;
  private final String meaning;

  ExitCode(int code, String meaning) {
    this.code = code;
    this.meaning = meaning;
  }

  public int code() {
    return code;
  }

  /// The meaning of the exit code, as a sentence of the `--help` text.
  public String meaning() {
    return meaning;
  }
}
