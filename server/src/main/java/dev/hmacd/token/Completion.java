package dev.hmacd.token;

/// Takes the outcome of a token operation, exactly once, on a thread that must not be blocked.
public interface Completion<T> {
  void done(T value);

  void failed(TokenException cause);

  /// Whether nobody waits for the outcome any more; then the token is not asked.
  default boolean isAbandoned() {
    return false;
  }
}
