package dev.hmacd.usecase;

/// The outcome of a call. Metrics and logs have the same outcomes for all edges.
public sealed interface Outcome {
  /// The caller gets the result.
  Outcome ANSWERED = new Answered();

  /// The client cancelled the call, or the client's connection ended before the call had another
  /// outcome.
  Outcome CANCELLED = new Cancelled();

  /// The transport did not accept the answer, because the stream had ended.
  Outcome NOT_SENT = new NotSent();

  /// Name of the outcome in metrics and logs: `OK`, the reason of the failure, `CANCELLED` or
  /// `NOT_SENT`.
  String reason();

  record Answered() implements Outcome {
    @Override
    public String reason() {
      return "OK";
    }
  }

  /// The call was denied, refused, or failed.
  record Failed(Failure failure) implements Outcome {
    @Override
    public String reason() {
      return failure.reason();
    }
  }

  record Cancelled() implements Outcome {
    @Override
    public String reason() {
      return "CANCELLED";
    }
  }

  record NotSent() implements Outcome {
    @Override
    public String reason() {
      return "NOT_SENT";
    }
  }
}
