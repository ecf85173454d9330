package dev.hmacd.client;

/// Where a key came from.
public enum KeyOrigin {
  /// The HSM made the key at the daemon's request.
  GENERATED,
  /// A key ceremony put the key on the token, and an administrator adopted it.
  ADOPTED,
  /// One that a newer daemon has and this client does not know.
  UNKNOWN
}
