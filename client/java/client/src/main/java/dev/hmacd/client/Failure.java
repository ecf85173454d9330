package dev.hmacd.client;

import com.google.rpc.ErrorInfo;
import io.grpc.Status;
import io.grpc.Status.Code;
import java.util.Map;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// What went wrong in an attempt, or before the first attempt.
///
/// @param text starts with the reason; one line
/// @param status the gRPC status, with its cause
/// @param metadata `ErrorInfo.metadata`; empty if the failure is not from a daemon
/// @param retryable whether the same call may succeed later
/// @param lasting whether there is no connection to a daemon, and waiting does not help: the
///   certificates or the target need a correction
/// @param tlsFault why TLS failed; null for another reason than [ErrorReason#TLS_FAILED]
record Failure(
    ErrorReason reason,
    String text,
    Status status,
    Map<String, String> metadata,
    boolean retryable,
    boolean lasting,
    @Nullable TlsFault tlsFault) {
  private static final Pattern CONTROLS = Pattern.compile("[\\p{Cc}\\p{Zl}\\p{Zp}]+");

  /// A failure that this library finds itself.
  ///
  /// @param what what is wrong, one line
  static Failure local(ErrorReason reason, Code code, String what) {
    return new Failure(
        reason,
        reason + ": " + what,
        code.toStatus(),
        Map.of(),
        isRetryable(reason),
        /* lasting= */ false,
        /* tlsFault= */ null);
  }

  /// An error of a daemon.
  ///
  /// @param hasRetryInfo whether the daemon gives a delay before a retry (`google.rpc.RetryInfo`).
  ///   It makes a reason of a newer daemon retryable.
  static Failure ofDaemon(ErrorInfo info, Status status, boolean hasRetryInfo) {
    ErrorReason reason = reason(info.getReason());
    String description = status.getDescription();
    String what = description == null ? status.getCode().name() : description;
    return new Failure(
        reason,
        oneLine(info.getReason() + ": " + what),
        status,
        info.getMetadataMap(),
        reason == ErrorReason.UNKNOWN ? hasRetryInfo : isRetryable(reason),
        /* lasting= */ false,
        /* tlsFault= */ null);
  }

  /// An error of gRPC that is not from a daemon.
  static Failure ofConnection(Status status) {
    ConnectionFailure failure = ConnectionFailure.of(status);
    return new Failure(
        failure.reason(),
        oneLine(failure.reason() + ": " + failure.text()),
        status,
        Map.of(),
        isRetryable(failure.reason()),
        !failure.transientFault(),
        failure.tlsFault());
  }

  private static boolean isRetryable(ErrorReason reason) {
    return switch (RetryAction.after(reason)) {
      case NEXT_TARGET -> reason != ErrorReason.TLS_FAILED;
      case BACK_OFF, ONCE_MORE -> true;
      case RECONNECT -> false;
      case NONE -> reason == ErrorReason.DEADLINE_EXCEEDED;
    };
  }

  /// A text of a peer, without control characters. So it cannot forge a line of a log.
  private static String oneLine(String text) {
    return CONTROLS.matcher(text).replaceAll(" ");
  }

  private static ErrorReason reason(String name) {
    try {
      return ErrorReason.valueOf(name);
    } catch (IllegalArgumentException e) {
      return ErrorReason.UNKNOWN;
    }
  }
}
