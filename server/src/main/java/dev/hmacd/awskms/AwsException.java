package dev.hmacd.awskms;

/// Carries an [AwsError] up to the one place that answers the request. Has no stack trace: it is an
/// answer, not a fault of the program, and may come at a high rate.
final class AwsException extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final transient AwsError error;

  AwsException(AwsError error) {
    super(error.code(), null, false, false);
    this.error = error;
  }

  AwsError error() {
    return error;
  }
}
