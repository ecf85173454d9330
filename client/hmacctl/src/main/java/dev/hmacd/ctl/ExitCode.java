package dev.hmacd.ctl;

/// The exit codes of hmacctl. Scripts branch on the codes, so a code never changes its meaning.
enum ExitCode {
  OK(0, "The request succeeded."),
  MAC_DOES_NOT_MATCH(1, "verify-mac: the MAC does not match the message."),
  USAGE(2, "A local fault: the command line, a setting of the environment, or a file."),
  DENIED(3, "The caller or the daemon is not authenticated, or the caller has no permission."),
  NOT_FOUND(4, "There is no such key, alias or token object."),
  REFUSED(5, "The request is refused. Correct it."),
  UNAVAILABLE(6, "The daemon or its token is unavailable now. Try again later."),
  DEADLINE_EXCEEDED(7, "The deadline (--timeout) passed. Try again."),
  DRY_RUN_OPERATION(8, "With --dry-run: the request would have succeeded."),
  INTERNAL(9, "A fault of the daemon or of hmacctl."),
  NOTHING_SELECTED(10, "The request succeeded, but the answer has nothing for --query.");

  final int code;
  final String meaning;

  ExitCode(int code, String meaning) {
    this.code = code;
    this.meaning = meaning;
  }
}
