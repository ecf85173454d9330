package dev.hmacd.client;

/// Which attempts of a call may be followed by another one.
enum Repetition {
  /// Each attempt: the call changes nothing.
  SAFE,
  /// An attempt that certainly did not reach a daemon: the call changes something.
  IF_NOT_SENT,
  /// None: the caller wants to know the state of the daemon now.
  NEVER
}
