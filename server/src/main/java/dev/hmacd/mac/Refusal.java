package dev.hmacd.mac;

/// Carries a [Failure] up to the one place that answers the call. Has no stack trace: a refusal is
/// an answer, not a fault of the program, and may come at a high rate.
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
