package dev.hmacd.client.testing;

import com.google.errorprone.annotations.Immutable;
import com.google.protobuf.Any;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import dev.hmacd.client.ErrorReason;
import io.grpc.Metadata;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;

/// An error of a daemon, as `error_reason.proto` specifies it.
///
/// @param info empty for an error that is not from a daemon
/// @param retryDelay of `google.rpc.RetryInfo`; empty if a retry is not permitted
/// @param forbidsRetry whether `grpc-retry-pushback-ms` is negative
@Immutable
record DaemonError(
    Code code, Optional<ErrorInfo> info, Optional<Duration> retryDelay, boolean forbidsRetry) {
  /// An error without a reason.
  static final DaemonError UNAVAILABLE =
      new DaemonError(Code.UNAVAILABLE, Optional.empty(), Optional.empty(), false);

  private static final String DOMAIN = "hmacd.dev";
  private static final Metadata.Key<String> PUSHBACK =
      Metadata.Key.of("grpc-retry-pushback-ms", Metadata.ASCII_STRING_MARSHALLER);

  static DaemonError of(ErrorReason reason) {
    return of(reason, Map.of());
  }

  /// @param metadata of `ErrorInfo`
  /// @throws IllegalArgumentException if the reason is one of the client only
  static DaemonError of(ErrorReason reason, Map<String, String> metadata) {
    Code code = code(reason);
    Optional<Duration> retryDelay = retryDelay(reason);
    return new DaemonError(
        code,
        Optional.of(
            ErrorInfo.newBuilder()
                .setDomain(DOMAIN)
                .setReason(reason.name())
                .putAllMetadata(metadata)
                .build()),
        retryDelay,
        retryDelay.isEmpty() && isCommonlyRetried(code));
  }

  DaemonError withRetryDelay(Duration delay) {
    return new DaemonError(code, info, Optional.of(delay), false);
  }

  DaemonError withoutRetry() {
    return new DaemonError(code, info, Optional.empty(), true);
  }

  StatusRuntimeException exception() {
    var status =
        com.google.rpc.Status.newBuilder()
            .setCode(code.value())
            .setMessage("the fake's error of a test");
    info.ifPresent(detail -> status.addDetails(Any.pack(detail)));
    retryDelay.ifPresent(delay -> status.addDetails(Any.pack(retryInfo(delay))));
    var trailers = new Metadata();
    if (forbidsRetry) {
      trailers.put(PUSHBACK, "-1");
    }
    return StatusProto.toStatusRuntimeException(status.build(), trailers);
  }

  private static RetryInfo retryInfo(Duration delay) {
    return RetryInfo.newBuilder()
        .setRetryDelay(
            com.google.protobuf.Duration.newBuilder()
                .setSeconds(delay.getSeconds())
                .setNanos(delay.getNano()))
        .build();
  }

  // No default branch: a new reason does not compile until it has a code.
  private static Code code(ErrorReason reason) {
    return switch (reason) {
      case UNAUTHENTICATED -> Code.UNAUTHENTICATED;
      case ACCESS_DENIED, TOKEN_OBJECT_RESERVED -> Code.PERMISSION_DENIED;
      case INVALID_FIELD,
          UNKNOWN_FIELD,
          CHECKSUM_MISMATCH,
          INVALID_PAGE_TOKEN,
          INVALID_KEY_ID,
          INVALID_TAG,
          INVALID_KEY_USAGE,
          KMS_INVALID_MAC,
          RESERVED_MESSAGE,
          MESSAGE_TOO_LONG ->
          Code.INVALID_ARGUMENT;
      case GRANT_TOKENS_NOT_SUPPORTED, KEY_VERSION_NOT_SUPPORTED, METHOD_NOT_FOUND ->
          Code.UNIMPLEMENTED;
      case KEY_NOT_FOUND,
          ALIAS_NOT_FOUND,
          ACCESS_KEY_NOT_FOUND,
          TOKEN_OBJECT_NOT_FOUND,
          SERVICE_NOT_FOUND ->
          Code.NOT_FOUND;
      case ALIAS_ALREADY_EXISTS, TOKEN_OBJECT_TAKEN -> Code.ALREADY_EXISTS;
      case KEY_NOT_USABLE,
          KEY_NOT_PENDING_DELETION,
          DRY_RUN_OPERATION,
          TOKEN_OBJECT_AMBIGUOUS,
          TOKEN_OBJECT_UNFIT,
          MECHANISM_NOT_SUPPORTED ->
          Code.FAILED_PRECONDITION;
      case TOKEN_BUSY, REGISTRY_BUSY, MEMORY_BUSY, REQUEST_TOO_LONG, LIMIT_EXCEEDED ->
          Code.RESOURCE_EXHAUSTED;
      case DEADLINE_EXCEEDED -> Code.DEADLINE_EXCEEDED;
      case TOKEN_UNAVAILABLE, KEY_UNAVAILABLE, REGISTRY_UNAVAILABLE, STOPPING -> Code.UNAVAILABLE;
      case INTERNAL -> Code.INTERNAL;
      case CONNECTION_FAILED,
          TLS_FAILED,
          CLOSED,
          INVALID_ARGUMENT,
          DRY_RUN_IGNORED,
          CANCELLED,
          UNKNOWN ->
          throw new IllegalArgumentException(
              "reason must be one of the daemon, and " + reason + " is one of the client");
    };
  }

  /// The delays of the daemon.
  private static Optional<Duration> retryDelay(ErrorReason reason) {
    return switch (reason) {
      case CHECKSUM_MISMATCH, STOPPING -> Optional.of(Duration.ZERO);
      case TOKEN_BUSY, REGISTRY_BUSY, MEMORY_BUSY -> Optional.of(Duration.ofMillis(50));
      case TOKEN_UNAVAILABLE -> Optional.of(Duration.ofMillis(500));
      case KEY_UNAVAILABLE, REGISTRY_UNAVAILABLE -> Optional.of(Duration.ofSeconds(1));
      default -> Optional.empty();
    };
  }

  /// Whether retry policies of gRPC commonly name a status code. Such an error forbids a retry if
  /// it does not permit one.
  private static boolean isCommonlyRetried(Code code) {
    return switch (code) {
      case RESOURCE_EXHAUSTED, DEADLINE_EXCEEDED, INTERNAL -> true;
      default -> false;
    };
  }
}
