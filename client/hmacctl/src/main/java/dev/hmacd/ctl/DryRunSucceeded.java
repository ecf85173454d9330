package dev.hmacd.ctl;

/// A successful dry run, which is an error as in the AWS CLI, so that a script that expects an
/// answer does not continue without one.
final class DryRunSucceeded extends RuntimeException {
  private static final long serialVersionUID = 1;

  DryRunSucceeded() {
    super("DRY_RUN_OPERATION: the request would have succeeded, but --dry-run is set");
  }
}
