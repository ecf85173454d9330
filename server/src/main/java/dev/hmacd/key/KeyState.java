package dev.hmacd.key;

/// The state of a key, with the names of AWS KMS.
public enum KeyState {
  /// The key is in the registry. Its object may or may not be on the token yet.
  CREATING,
  ENABLED,
  DISABLED,
  /// The key is destroyed after its deletion date.
  PENDING_DELETION,
  /// The key is enabled, but its object is missing on the token, ambiguous, unfit, or another key.
  /// The state is observed at use, and never stored.
  UNAVAILABLE
}
