package dev.hmacd.client;

/// The spec of a key. A key that the daemon creates has the length of the hash's output.
public enum KeySpec {
  /// For [MacAlgorithm#HMAC_SHA_224].
  HMAC_224,
  /// For [MacAlgorithm#HMAC_SHA_256].
  HMAC_256,
  /// For [MacAlgorithm#HMAC_SHA_384].
  HMAC_384,
  /// For [MacAlgorithm#HMAC_SHA_512].
  HMAC_512,
  /// A value of a newer daemon that this client does not know. Refused as an argument.
  UNKNOWN
}
