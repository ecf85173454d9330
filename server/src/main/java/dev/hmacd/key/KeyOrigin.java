package dev.hmacd.key;

/// The origin of a key.
public enum KeyOrigin {
  /// The HSM generated the key for the daemon.
  GENERATED,
  /// A key ceremony put the key on the token.
  ADOPTED
}
