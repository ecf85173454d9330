package dev.hmacd.client;

/// The deadline of the client or of the daemon passed before the answer. The reason is
/// [ErrorReason#DEADLINE_EXCEEDED].
public final class DeadlineExceededException extends HmacdException {
  private static final long serialVersionUID = 1;

  DeadlineExceededException(Failure failure, CallFacts facts) {
    super(failure, facts);
  }
}
