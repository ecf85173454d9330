package dev.hmacd.client;

import com.google.errorprone.annotations.ThreadSafe;

/// Gets each call of a client, for telemetry. An observation has no message, no MAC and no name of
/// a key.
@ThreadSafe
interface CallObserver {
  /// For a client without telemetry.
  CallObserver NONE = method -> (facts, errorType) -> {};

  /// Starts the observation of a call, on the thread of the caller.
  ///
  /// @param method the full name, for example `hmacd.v1.MacService/GenerateMac`
  Observation start(String method);

  /// The observation of one call.
  @FunctionalInterface
  interface Observation {
    /// Ends the observation. Only the first end counts.
    ///
    /// @param errorType the reason of the failure; empty after a success
    void end(CallFacts facts, String errorType);
  }
}
