package dev.hmacd.client;

import com.google.common.base.Throwables;
import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.Message;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.protobuf.StatusProto;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;

/// The end of an attempt without a usable answer.
///
/// @param answered whether a daemon has answered
/// @param sent whether a daemon may have received the request
/// @param mayHaveRun whether a daemon may have executed the request
/// @param requestId the request id of the answer; empty if the answer has none
/// @param retryAllowed false if the answer forbids a retry (`grpc-retry-pushback-ms: -1`)
/// @param retryDelay the delay before a retry in nanoseconds, if the answer has one
///   (`google.rpc.RetryInfo`, `grpc-retry-pushback-ms`)
record FailedAttempt(
    Failure failure,
    boolean answered,
    boolean sent,
    boolean mayHaveRun,
    String requestId,
    boolean retryAllowed,
    OptionalLong retryDelay) {
  private static final String DOMAIN = "hmacd.dev";

  /// The reasons of a daemon that do not precede the execution. A reason of a newer daemon is
  /// UNKNOWN.
  private static final Set<ErrorReason> MAY_HAVE_RUN =
      Set.of(
          ErrorReason.KMS_INVALID_MAC,
          ErrorReason.DRY_RUN_OPERATION,
          ErrorReason.MEMORY_BUSY,
          ErrorReason.DEADLINE_EXCEEDED,
          ErrorReason.TOKEN_UNAVAILABLE,
          ErrorReason.KEY_UNAVAILABLE,
          ErrorReason.REGISTRY_UNAVAILABLE,
          ErrorReason.STOPPING,
          ErrorReason.INTERNAL,
          ErrorReason.UNKNOWN);

  /// The damage of an answer that is not a message of the contract.
  static final String UNDECODABLE = "the answer cannot be decoded";

  private static final Metadata.Key<String> PUSHBACK =
      Metadata.Key.of("grpc-retry-pushback-ms", Metadata.ASCII_STRING_MARSHALLER);
  private static final long NANOS_PER_MILLI = 1_000_000;
  private static final long NANOS_PER_SECOND = 1_000_000_000;
  private static final long MAX_SECONDS = 86_400;

  static FailedAttempt of(Status status, Metadata trailers, boolean sent, String requestId) {
    if (isUndecodable(status)) {
      return damaged(UNDECODABLE, requestId);
    }
    com.google.rpc.Status details = details(status, trailers);
    Optional<ErrorInfo> info =
        detail(details, ErrorInfo.class).filter(found -> found.getDomain().equals(DOMAIN));
    OptionalLong retryDelay = retryDelay(details);
    Failure failure =
        info.map(found -> Failure.ofDaemon(found, status, retryDelay.isPresent()))
            .orElseGet(() -> Failure.ofConnection(status));
    OptionalLong pushback = pushback(trailers);
    return new FailedAttempt(
        failure,
        info.isPresent(),
        sent,
        info.isPresent() ? MAY_HAVE_RUN.contains(failure.reason()) : sent,
        requestId,
        pushback.orElse(0) >= 0,
        pushback.isPresent() ? pushback : retryDelay);
  }

  /// An exception that no step expects.
  ///
  /// @param sent whether a daemon may have received the request
  static FailedAttempt unexpected(Throwable cause, boolean sent) {
    return new FailedAttempt(
        Failure.unexpected(cause),
        /* answered= */ false,
        sent,
        /* mayHaveRun= */ sent,
        /* requestId= */ "",
        /* retryAllowed= */ false,
        OptionalLong.empty());
  }

  /// Whether the answer is not a message of the contract. gRPC then cancels the call itself.
  private static boolean isUndecodable(Status status) {
    Throwable cause = status.getCause();
    return status.getCode() == Status.Code.CANCELLED
        && cause != null
        && Throwables.getCausalChain(cause).stream()
            .anyMatch(InvalidProtocolBufferException.class::isInstance);
  }

  /// An answer that was damaged in transit.
  ///
  /// @param what the damage, one line
  static FailedAttempt damaged(String what, String requestId) {
    Failure failure = Failure.local(ErrorReason.CHECKSUM_MISMATCH, Status.Code.DATA_LOSS, what);
    return new FailedAttempt(
        failure,
        /* answered= */ true,
        /* sent= */ true,
        /* mayHaveRun= */ true,
        requestId,
        /* retryAllowed= */ true,
        OptionalLong.empty());
  }

  private static com.google.rpc.Status details(Status status, Metadata trailers) {
    try {
      com.google.rpc.Status details = StatusProto.fromStatusAndTrailers(status, trailers);
      return details == null ? com.google.rpc.Status.getDefaultInstance() : details;
    } catch (IllegalArgumentException e) { // Malformed, or of another status code.
      return com.google.rpc.Status.getDefaultInstance();
    }
  }

  private static <T extends Message> Optional<T> detail(
      com.google.rpc.Status details, Class<T> type) {
    for (Any detail : details.getDetailsList()) {
      if (detail.is(type)) {
        try {
          return Optional.of(detail.unpack(type));
        } catch (InvalidProtocolBufferException e) {
          return Optional.empty(); // The status code is still reported.
        }
      }
    }
    return Optional.empty();
  }

  private static OptionalLong retryDelay(com.google.rpc.Status details) {
    return detail(details, RetryInfo.class)
        .map(RetryInfo::getRetryDelay)
        .map(
            delay ->
                OptionalLong.of(
                    Math.max(
                        0,
                        Math.max(0, Math.min(delay.getSeconds(), MAX_SECONDS)) * NANOS_PER_SECOND
                            + delay.getNanos())))
        .orElse(OptionalLong.empty());
  }

  /// The delay in nanoseconds; negative if the daemon forbids a retry, also with a value that is
  /// not a number (gRFC A6).
  private static OptionalLong pushback(Metadata trailers) {
    String value = trailers.get(PUSHBACK);
    if (value == null) {
      return OptionalLong.empty();
    }
    try {
      long millis = Long.parseLong(value);
      return OptionalLong.of(Math.max(-1, Math.min(millis, MAX_SECONDS * 1000)) * NANOS_PER_MILLI);
    } catch (NumberFormatException e) {
      return OptionalLong.of(-1);
    }
  }
}
