package dev.hmacd.key;

/// The state of a key, named as in AWS KMS.
public enum KeyState {
  /// The key is in the registry. The object of the key may or may not be on the token yet.
  CREATING,
  ENABLED,
  DISABLED,
  /// The key is destroyed after its deletion date.
  PENDING_DELETION,
  /// The key is enabled, but not usable on the token: the object is missing, several objects match,
  /// the attributes do not permit MACs, or the object is another key. The daemon detects this state
  /// at the use of a key, and never stores this state.
  UNAVAILABLE
}
