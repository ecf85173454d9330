package dev.hmacd.token;

import org.jspecify.annotations.Nullable;

/// Callback for the outcome of a token operation: called exactly once, on a thread that must not
/// block.
public interface Completion<T> {
  void done(T value);

  void failed(TokenException cause);

  /// Whether the caller no longer waits for the result. A lane does not start an abandoned
  /// operation.
  default boolean isAbandoned() {
    return false;
  }

  /// Whether the caller's authorization for a MAC has ended since the request. The lane calls this
  /// method before each C_SignInit, and fails a withdrawn MAC with [TokenException.Kind#WITHDRAWN].
  default boolean isWithdrawn() {
    return false;
  }

  /// The principal that requested the operation; null for the daemon's own operations. Each
  /// principal may have only a limited number of operations in flight on a token.
  default @Nullable Object owner() {
    return null;
  }
}
