package dev.hmacd.client;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.ErrorInfo;
import io.grpc.Status;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.util.HashMap;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// A call that failed: the one exception of this library. Branch on [#reason()].
///
/// The message is for people and has the reason first; it never holds messages or MACs.
public final class HmacdException extends RuntimeException {
  private static final long serialVersionUID = 1;
  private static final String DOMAIN = "hmacd.dev";

  private final ErrorReason reason;
  private final Code code;
  // A HashMap, which can be serialized as exceptions must be; never changed.
  private final HashMap<String, String> metadata;

  HmacdException(ErrorReason reason, Code code, String text) {
    this(reason, code, Map.of(), reason + ": " + text, null);
  }

  private HmacdException(
      ErrorReason reason,
      Code code,
      Map<String, String> metadata,
      String message,
      @Nullable Throwable cause) {
    super(message, cause);
    this.reason = reason;
    this.code = code;
    this.metadata = new HashMap<>(metadata);
  }

  static HmacdException of(StatusRuntimeException failure) {
    Status status = failure.getStatus();
    Optional<ErrorInfo> info = errorInfo(failure);
    return new HmacdException(
        info.map(known -> reason(known.getReason())).orElseGet(() -> reason(status.getCode())),
        status.getCode(),
        info.map(ErrorInfo::getMetadataMap).orElse(Map.of()),
        info.map(ErrorInfo::getReason).orElseGet(() -> reason(status.getCode()).name())
            + ": "
            + text(status),
        failure);
  }

  /// Why the call failed.
  public ErrorReason reason() {
    return reason;
  }

  /// The gRPC status code.
  public Code code() {
    return code;
  }

  /// `ErrorInfo.metadata`, unmodifiable; [ErrorReason] says which keys a reason has.
  public Map<String, String> metadata() {
    return Map.copyOf(metadata);
  }

  /// Whether the same request may succeed later, with back-off. That is not to say that it may be
  /// sent twice: a `createKey` that was not answered may have made a key.
  public boolean retryable() {
    return switch (reason) {
      case CHECKSUM_MISMATCH,
          TOKEN_BUSY,
          REGISTRY_BUSY,
          DEADLINE_EXCEEDED,
          TOKEN_UNAVAILABLE,
          KEY_UNAVAILABLE,
          REGISTRY_UNAVAILABLE,
          STOPPING,
          UNREACHABLE,
          ANSWER_DAMAGED ->
          true;
      case UNKNOWN -> code == Code.UNAVAILABLE;
      default -> false;
    };
  }

  /// Whether request or answer was damaged on its way, so that asking again at once is the remedy.
  boolean damagedOnItsWay() {
    return reason == ErrorReason.CHECKSUM_MISMATCH || reason == ErrorReason.ANSWER_DAMAGED;
  }

  private static Optional<ErrorInfo> errorInfo(StatusRuntimeException failure) {
    com.google.rpc.Status status = StatusProto.fromThrowable(failure);
    if (status == null) {
      return Optional.empty();
    }
    for (Any detail : status.getDetailsList()) {
      if (detail.is(ErrorInfo.class)) {
        try {
          ErrorInfo info = detail.unpack(ErrorInfo.class);
          if (info.getDomain().equals(DOMAIN)) {
            return Optional.of(info);
          }
        } catch (InvalidProtocolBufferException e) {
          return Optional.empty(); // as good as none: the status code is still told
        }
      }
    }
    return Optional.empty();
  }

  private static ErrorReason reason(String name) {
    try {
      return ErrorReason.valueOf(name);
    } catch (IllegalArgumentException e) {
      return ErrorReason.UNKNOWN;
    }
  }

  /// The reason of an error that did not come from the daemon, or from none that follows the
  /// contract.
  private static ErrorReason reason(Code code) {
    return switch (code) {
      case UNAVAILABLE -> ErrorReason.UNREACHABLE;
      case DEADLINE_EXCEEDED -> ErrorReason.DEADLINE_EXCEEDED;
      case CANCELLED -> ErrorReason.CANCELLED;
      default -> ErrorReason.UNKNOWN;
    };
  }

  /// What a failed connection is described as has the gist in its first line and in the last cause;
  /// between them stands Netty's pipeline.
  private static String text(Status status) {
    String text =
        status.getDescription() == null ? status.getCode().name() : status.getDescription();
    Throwable cause = status.getCause();
    if (cause == null) {
      return text;
    }
    while (cause.getCause() != null) {
      cause = cause.getCause();
    }
    String gist = text.lines().findFirst().orElse("");
    return cause.getMessage() == null ? gist : gist + ": " + cause.getMessage();
  }
}
