package dev.hmacd.client;

import com.google.rpc.ErrorInfo;
import io.grpc.Status;
import io.grpc.Status.Code;
import java.util.HashMap;
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

  /// An exception that no step of a call expects.
  static Failure unexpected(Throwable cause) {
    return new Failure(
        ErrorReason.UNKNOWN,
        ErrorReason.UNKNOWN + ": an unexpected " + cause.getClass().getName() + " in this client",
        Status.UNKNOWN.withCause(cause),
        Map.of(),
        /* retryable= */ false,
        /* lasting= */ false,
        /* tlsFault= */ null);
  }

  /// An error of a daemon. A reason of this client alone is a reason that the client does not know.
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
        oneLine(info.getMetadataMap()),
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
  static String oneLine(String text) {
    return CONTROLS.matcher(text).replaceAll(" ");
  }

  private static Map<String, String> oneLine(Map<String, String> texts) {
    Map<String, String> lines = new HashMap<>();
    texts.forEach((key, value) -> lines.put(oneLine(key), oneLine(value)));
    return lines;
  }

  private static ErrorReason reason(String name) {
    try {
      ErrorReason reason = ErrorReason.valueOf(name);
      return reason.isLocal() ? ErrorReason.UNKNOWN : reason;
    } catch (IllegalArgumentException e) {
      return ErrorReason.UNKNOWN;
    }
  }
}
