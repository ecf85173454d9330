package dev.hmacd.token;

import dev.hmacd.limit.Owner;

/// Callback for the outcome of a token operation: called exactly once, on a thread that must not
/// block. Must not throw: an exception is logged, and the caller gets no outcome.
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

  /// The principal that requested the operation. The principals share the token fairly.
  default Owner owner() {
    return Owner.DAEMON;
  }
}
