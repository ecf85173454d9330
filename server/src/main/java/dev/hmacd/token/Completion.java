package dev.hmacd.token;

import org.jspecify.annotations.Nullable;

/// Callback for the outcome of a token operation: called exactly once, on a thread that must not
/// block.
public interface Completion<T> {
  void done(T value);

  void failed(TokenException cause);

  /// Whether the caller is gone. The lane then does not run the operation.
  default boolean isAbandoned() {
    return false;
  }

  /// Whether the authorization of the operation ended while the operation waited. The lane calls
  /// this method immediately before the operation. If the result is true, the operation fails with
  /// [TokenException.Kind#WITHDRAWN]. Must not throw.
  default boolean isWithdrawn() {
    return false;
  }

  /// The principal of the operation. The number of operations of a principal in flight on a token
  /// is limited. Null for the daemon's own operations.
  default @Nullable Object owner() {
    return null;
  }
}
