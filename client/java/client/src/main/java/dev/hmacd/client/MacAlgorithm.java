package dev.hmacd.client;

/// HMAC (RFC 2104) with a SHA-2 hash. Each [KeySpec] has exactly one algorithm.
public enum MacAlgorithm {
  /// MACs of 28 bytes, under keys of spec [KeySpec#HMAC_224].
  HMAC_SHA_224,
  /// MACs of 32 bytes, under keys of spec [KeySpec#HMAC_256].
  HMAC_SHA_256,
  /// MACs of 48 bytes, under keys of spec [KeySpec#HMAC_384].
  HMAC_SHA_384,
  /// MACs of 64 bytes, under keys of spec [KeySpec#HMAC_512].
  HMAC_SHA_512,
  /// A value of a newer daemon that this client does not know. Methods refuse this value as an
  /// argument.
  UNKNOWN;

  /// The length of a MAC in bytes.
  int macBytes() {
    return switch (this) {
      case HMAC_SHA_224 -> 28;
      case HMAC_SHA_256 -> 32;
      case HMAC_SHA_384 -> 48;
      case HMAC_SHA_512 -> 64;
      case UNKNOWN ->
          throw new IllegalArgumentException("MacAlgorithm.UNKNOWN must not be an argument");
    };
  }
}
