package dev.hmacd.usecase;

/// Callback for the outcome of a use case. The use case calls one method once, on any thread.
public interface Reply<T> {
  /// Replies with a result.
  ///
  /// @param check runs at the release of the answer
  void succeed(T value, ReleaseCheck check);

  /// Replies with a result, without a release check.
  default void succeed(T value) {
    succeed(value, ReleaseCheck.NONE);
  }

  /// Replies with a failure.
  ///
  /// @param check runs at the release of the error: a failure can disclose what a result would,
  ///   such as that a MAC is not valid
  void fail(Failure failure, ReleaseCheck check);

  default void fail(Failure failure) {
    fail(failure, ReleaseCheck.NONE);
  }

  /// Whether the caller has disconnected, so that the use case need not start its work.
  default boolean isAbandoned() {
    return false;
  }
}
