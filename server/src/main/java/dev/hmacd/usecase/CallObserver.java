package dev.hmacd.usecase;

/// Listener for the end of every call. Called on event loops, lanes and the registry's thread. Must
/// return quickly and must not throw.
public interface CallObserver {
  /// Reports the end of a call.
  ///
  /// @param method e.g. `GenerateMac`
  /// @param reason `OK`; the reason of the error, over the AWS edge its AWS code; `CANCELLED` if
  ///   the client has gone; `NOT_SENT` if the gRPC edge could not send the reply
  void ended(String method, String reason, long nanos);
}
