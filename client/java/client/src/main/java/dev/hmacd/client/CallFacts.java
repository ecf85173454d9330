package dev.hmacd.client;

import java.io.Serializable;

/// The circumstances of a call.
///
/// @param target the target of the last attempt; empty if there was none
/// @param attempts the number of attempts
/// @param mayHaveRun whether a daemon may have executed the call
/// @param requestId the request id of the last answer; empty if there was none
record CallFacts(String target, int attempts, boolean mayHaveRun, String requestId)
    implements Serializable {
  /// A call before its first attempt.
  static final CallFacts NO_ATTEMPT = new CallFacts("", 0, false, "");

  CallFacts attemptedAt(String target) {
    return new CallFacts(target, attempts + 1, mayHaveRun, requestId);
  }

  /// The end of an attempt.
  ///
  /// @param mayHaveRun whether a daemon may have executed the attempt
  /// @param requestId the request id of the answer; empty if there was none
  CallFacts ended(boolean mayHaveRun, String requestId) {
    return new CallFacts(
        target,
        attempts,
        this.mayHaveRun || mayHaveRun,
        requestId.isEmpty() ? this.requestId : requestId);
  }

  @Override
  public String toString() {
    return "("
        + (target.isEmpty() ? "no target" : "target " + target)
        + ", "
        + attempts
        + " attempts)";
  }
}
