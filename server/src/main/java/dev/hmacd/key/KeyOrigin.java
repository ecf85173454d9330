package dev.hmacd.key;

/// Where a key came from.
public enum KeyOrigin {
  /// The HSM made it at the daemon's request.
  GENERATED,
  /// A key ceremony put it on the token.
  ADOPTED
}
