package dev.hmacd.awskms;

/// Exception that carries an [AwsError] to the end of the request. Has no stack trace, because
/// clients can cause the exception at a high rate.
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
