package dev.hmacd.awskms;

/// Exception that carries an [AwsError] to the end of the request. It has no stack trace: the error
/// is the client's, and may occur at a high rate.
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
