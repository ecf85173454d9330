package dev.hmacd.ctl;

/// The request would have succeeded, which is no success: as with the AWS CLI, a script that
/// expects an answer must not go on without one.
final class DryRunSucceeded extends RuntimeException {
  private static final long serialVersionUID = 1;

  DryRunSucceeded() {
    super("DRY_RUN_OPERATION: the request would have succeeded, but --dry-run is set");
  }
}
