package dev.hmacd.awskms;

/// Exception that carries an [AwsError] to the end of the request. It has no stack trace: it is not
/// a fault of the program, and may occur at a high rate.
public final class AwsException extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final transient AwsError error;

  public AwsException(AwsError error) {
    super(error.code(), null, false, false);
    this.error = error;
  }

  public AwsError error() {
    return error;
  }
}
