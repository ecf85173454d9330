package dev.hmacd;

/// Gets the results of the steps that precede the service of the daemon.
public interface StartReport {
  /// Reports a step that passed.
  ///
  /// @param step short name of the step
  default void passed(String step, String detail) {}

  /// Reports a limitation that does not prevent the start.
  default void warned(String step, String detail) {}

  /// Reports a fault that does not prevent the start, for example of one of several tokens.
  default void tolerated(String step, String detail) {}

  /// Reports a failure that prevents the start.
  void failed(String step, StartException failure);
}
