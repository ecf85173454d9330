package dev.hmacd.usecase;

/// Callback for the outcome of a use case: one call of one method, on any thread.
public interface Reply<T> {
  void succeed(T value);

  void fail(Failure failure);

  /// Whether the caller has gone. The use case need not start its work then.
  default boolean isAbandoned() {
    return false;
  }
}
