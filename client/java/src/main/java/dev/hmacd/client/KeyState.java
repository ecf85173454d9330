package dev.hmacd.client;

/// What can be done with a key now.
public enum KeyState {
  /// The key is being made on the token; it cannot be used yet.
  CREATING,
  /// The key can be used.
  ENABLED,
  /// The key cannot be used until it is enabled again.
  DISABLED,
  /// The key cannot be used, and is destroyed at its deletion time.
  PENDING_DELETION,
  /// The key's object is missing on the token, or is not what it was: the key cannot be used now.
  UNAVAILABLE,
  /// One that a newer daemon has and this client does not know.
  UNKNOWN
}
