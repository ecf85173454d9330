package dev.hmacd.key;

/// What can be done with a key now, in the names of AWS KMS.
public enum KeyState {
  /// The registry knows the key, the token may or may not have its object yet.
  CREATING,
  ENABLED,
  DISABLED,
  /// The key is destroyed when its deletion date has come.
  PENDING_DELETION,
  /// The key is enabled, but its object is missing on the token or is not what it was. Seen when
  /// the key is used, and never written down.
  UNAVAILABLE
}
