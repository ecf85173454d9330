package dev.hmacd.key;

/// What can be done with a key now, in the names of AWS KMS.
public enum KeyState {
  /// The registry knows the key, the token may or may not have its object yet.
  CREATING,
  ENABLED,
  /// The object is missing on the token or is not what it was. Never deleted for that.
  UNAVAILABLE
}
