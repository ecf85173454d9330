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

/// The failure of a call. Branch on [#reason()].
///
/// The exception message is for people and starts with the reason. The exception message never
/// contains message bytes or MACs.
public final class HmacdException extends RuntimeException {
  private static final long serialVersionUID = 1;
  private static final String DOMAIN = "hmacd.dev";

  private final ErrorReason reason;
  private final Code code;
  // A HashMap, because exceptions must be serializable. The map is never changed.
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
    if (info.isEmpty()) {
      ConnectionFailure connection = ConnectionFailure.of(status);
      return new HmacdException(
          connection.reason(),
          status.getCode(),
          Map.of(),
          connection.reason() + ": " + connection.text(),
          failure);
    }
    ErrorInfo ofDaemon = info.get();
    String text = status.getDescription();
    return new HmacdException(
        reason(ofDaemon.getReason()),
        status.getCode(),
        ofDaemon.getMetadataMap(),
        ofDaemon.getReason() + ": " + (text == null ? status.getCode().name() : text),
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

  /// `ErrorInfo.metadata`, unmodifiable. [ErrorReason] documents the metadata keys of each reason.
  public Map<String, String> metadata() {
    return Map.copyOf(metadata);
  }

  /// Whether the same request may succeed later, with back-off. A repetition is not always safe: a
  /// `createKey` without an answer may have created a key.
  public boolean retryable() {
    return switch (reason) {
      case CHECKSUM_MISMATCH,
          MEMORY_BUSY,
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

  /// Whether request or answer was damaged in transit, so that an immediate retry is the remedy.
  boolean damagedInTransit() {
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
          return Optional.empty(); // The status code is still reported.
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
}
