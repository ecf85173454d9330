package dev.hmacd.usecase;

/// Callback for the outcome of a use case. The use case calls exactly one method of the reply,
/// once, on any thread.
public interface Reply<T> {
  /// Replies with a result.
  ///
  /// @param check authorization check that runs at the release of the answer
  void succeed(T value, Reauthorization check);

  /// Replies with a result, without a reauthorization.
  default void succeed(T value) {
    succeed(value, Reauthorization.NONE);
  }

  /// Replies with a failure.
  ///
  /// @param check authorization check that runs at the release of the failure; a failure can
  ///   disclose a result, such as that a MAC is not valid
  void fail(Failure failure, Reauthorization check);

  default void fail(Failure failure) {
    fail(failure, Reauthorization.NONE);
  }

  /// Whether the caller has disconnected, so that the use case need not start its work.
  default boolean isAbandoned() {
    return false;
  }
}
