package dev.hmacd.usecase;

/// Exception with a [Failure] of a call. Has no stack trace, because clients can cause refusals at
/// a high rate.
public final class Refusal extends RuntimeException {
  private static final long serialVersionUID = 1;

  private final transient Failure failure;

  public Refusal(Failure failure) {
    super(failure.getClass().getSimpleName(), null, false, false);
    this.failure = failure;
  }

  public Failure failure() {
    return failure;
  }
}
