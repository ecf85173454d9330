package dev.hmacd.client;

/// The origin of a key.
public enum KeyOrigin {
  /// The HSM made the key at the daemon's request.
  GENERATED,
  /// A key ceremony put the key on the token, and an administrator adopted it.
  ADOPTED,
  /// A value of a newer daemon that this client does not know.
  UNKNOWN
}
