package dev.hmacd.client;

import com.google.rpc.ErrorInfo;
import io.grpc.Status;
import io.grpc.Status.Code;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// What went wrong in an attempt, or before the first attempt.
///
/// @param text starts with the reason; one line
/// @param status the gRPC status, with its cause
/// @param metadata `ErrorInfo.metadata`; empty if the failure is not from a daemon
/// @param retryable whether the same call may succeed later
/// @param tlsFault why TLS failed; null for another reason than [ErrorReason#TLS_FAILED]
record Failure(
    ErrorReason reason,
    String text,
    Status status,
    Map<String, String> metadata,
    boolean retryable,
    @Nullable TlsFault tlsFault) {
  /// A failure that this library finds itself.
  ///
  /// @param what what is wrong, one line
  static Failure local(ErrorReason reason, Code code, String what) {
    return new Failure(
        reason,
        reason + ": " + what,
        code.toStatus(),
        Map.of(),
        isRetryable(reason, code),
        /* tlsFault= */ null);
  }

  /// An error of a daemon.
  static Failure ofDaemon(ErrorInfo info, Status status) {
    ErrorReason reason = reason(info.getReason());
    String description = status.getDescription();
    String what = description == null ? status.getCode().name() : description;
    return new Failure(
        reason,
        info.getReason() + ": " + String.join(" ", what.lines().toList()),
        status,
        info.getMetadataMap(),
        isRetryable(reason, status.getCode()),
        /* tlsFault= */ null);
  }

  /// An error of gRPC that is not from a daemon.
  static Failure ofConnection(Status status) {
    ConnectionFailure failure = ConnectionFailure.of(status);
    return new Failure(
        failure.reason(),
        failure.reason() + ": " + failure.text(),
        status,
        Map.of(),
        failure.transientFault() && isRetryable(failure.reason(), status.getCode()),
        failure.tlsFault());
  }

  /// Whether there is no connection to a daemon, and waiting does not help: the certificates or the
  /// target need a correction.
  boolean isLastingConnectionFailure() {
    return !retryable && RetryAction.after(reason) == RetryAction.NEXT_TARGET;
  }

  private static boolean isRetryable(ErrorReason reason, Code code) {
    return switch (RetryAction.after(reason)) {
      case NEXT_TARGET, BACK_OFF, ONCE_MORE -> true;
      case RECONNECT -> false;
      case NONE ->
          reason == ErrorReason.DEADLINE_EXCEEDED
              || (reason == ErrorReason.UNKNOWN && code == Code.UNAVAILABLE);
    };
  }

  private static ErrorReason reason(String name) {
    try {
      return ErrorReason.valueOf(name);
    } catch (IllegalArgumentException e) {
      return ErrorReason.UNKNOWN;
    }
  }
}
