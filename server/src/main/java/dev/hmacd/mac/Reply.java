package dev.hmacd.mac;

/// Where a use case leaves its outcome: one call of one method, on whatever thread has it.
public interface Reply<T> {
  void succeed(T value);

  void fail(Failure failure);

  /// Whether the caller has gone; then work that has not begun need not begin.
  default boolean isAbandoned() {
    return false;
  }
}
