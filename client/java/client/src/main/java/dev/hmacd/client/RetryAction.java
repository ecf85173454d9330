package dev.hmacd.client;

/// What a call does after a failed attempt, by the reason of the failure (`client/BEHAVIOR.md`,
/// rule 6).
enum RetryAction {
  /// The call fails.
  NONE,
  /// Suspends the target, and attempts the call at the next usable target.
  NEXT_TARGET,
  /// Attempts the call at the next target, after a back-off.
  BACK_OFF,
  /// Attempts the call once more: request or answer was damaged in transit.
  ONCE_MORE,
  /// Reads the PEM files, opens a new channel to the target, and attempts the call once more.
  RECONNECT;

  /// The action after a failure. Without a known reason, the daemon decides whether there is a
  /// retry ([Failure#retryable]).
  static RetryAction after(Failure failure) {
    return failure.reason() == ErrorReason.UNKNOWN && failure.retryable()
        ? BACK_OFF
        : after(failure.reason());
  }

  // No default branch: a new reason does not compile until it has an action.
  static RetryAction after(ErrorReason reason) {
    return switch (reason) {
      case STOPPING, CONNECTION_FAILED, TLS_FAILED -> NEXT_TARGET;
      case TOKEN_UNAVAILABLE,
          KEY_UNAVAILABLE,
          REGISTRY_UNAVAILABLE,
          TOKEN_BUSY,
          REGISTRY_BUSY,
          MEMORY_BUSY ->
          BACK_OFF;
      case CHECKSUM_MISMATCH -> ONCE_MORE;
      case UNAUTHENTICATED -> RECONNECT;
      case ACCESS_DENIED,
          INVALID_FIELD,
          UNKNOWN_FIELD,
          GRANT_TOKENS_NOT_SUPPORTED,
          KEY_VERSION_NOT_SUPPORTED,
          INVALID_PAGE_TOKEN,
          INVALID_KEY_ID,
          KEY_NOT_FOUND,
          ALIAS_NOT_FOUND,
          ALIAS_ALREADY_EXISTS,
          LIMIT_EXCEEDED,
          KEY_NOT_PENDING_DELETION,
          INVALID_TAG,
          ACCESS_KEY_NOT_FOUND,
          KEY_NOT_USABLE,
          INVALID_KEY_USAGE,
          KMS_INVALID_MAC,
          DRY_RUN_OPERATION,
          RESERVED_MESSAGE,
          TOKEN_OBJECT_NOT_FOUND,
          TOKEN_OBJECT_AMBIGUOUS,
          TOKEN_OBJECT_UNFIT,
          TOKEN_OBJECT_TAKEN,
          TOKEN_OBJECT_RESERVED,
          MECHANISM_NOT_SUPPORTED,
          MESSAGE_TOO_LONG,
          REQUEST_TOO_LONG,
          METHOD_NOT_FOUND,
          SERVICE_NOT_FOUND,
          DEADLINE_EXCEEDED,
          INTERNAL,
          CANCELLED,
          CLOSED,
          INVALID_ARGUMENT,
          DRY_RUN_IGNORED,
          UNKNOWN ->
          NONE;
    };
  }
}
