package dev.hmacd.client;

/// The client is closed, or was closed during the call. The reason is [ErrorReason#CLOSED].
public final class ClosedException extends HmacdException {
  private static final long serialVersionUID = 1;

  ClosedException(Failure failure, CallFacts facts) {
    super(failure, facts);
  }
}
