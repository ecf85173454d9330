package dev.hmacd.client;

/// The spec of a key, which decides its MAC algorithm. A key that the daemon creates is as long as
/// the output of the algorithm's hash.
public enum KeySpec {
  /// Spec of keys for [MacAlgorithm#HMAC_SHA_224].
  HMAC_224,
  /// Spec of keys for [MacAlgorithm#HMAC_SHA_256].
  HMAC_256,
  /// Spec of keys for [MacAlgorithm#HMAC_SHA_384].
  HMAC_384,
  /// Spec of keys for [MacAlgorithm#HMAC_SHA_512].
  HMAC_512,
  /// A value of a newer daemon that this client does not know. Methods refuse this value as an
  /// argument.
  UNKNOWN
}
