package dev.hmacd.client;

/// The state of a key, which decides the possible operations.
public enum KeyState {
  /// The daemon is creating the key on the token; the key cannot be used yet.
  CREATING,
  /// The key can be used.
  ENABLED,
  /// The key cannot be used until it is enabled again.
  DISABLED,
  /// The key cannot be used, and is destroyed at its deletion time.
  PENDING_DELETION,
  /// The key's object is missing on the token, or has changed: the key cannot be used now.
  UNAVAILABLE,
  /// A value of a newer daemon that this client does not know.
  UNKNOWN
}
