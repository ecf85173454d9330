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

  /// Whether the authorization of a MAC ended since its request. The lane asks before each
  /// C_SignInit, and fails a withdrawn MAC with [TokenException.Kind#WITHDRAWN].
  default boolean isWithdrawn() {
    return false;
  }

  /// The principal of the operation. The number of operations of a principal in flight on a token
  /// is limited. Null for the daemon's own operations.
  default @Nullable Object owner() {
    return null;
  }
}
