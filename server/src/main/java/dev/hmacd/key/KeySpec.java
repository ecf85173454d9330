package dev.hmacd.key;

/// The kind of a key, named as in AWS KMS. Each key spec has exactly one algorithm.
public enum KeySpec {
  HMAC_224(MacAlgorithm.HMAC_SHA_224),
  HMAC_256(MacAlgorithm.HMAC_SHA_256),
  HMAC_384(MacAlgorithm.HMAC_SHA_384),
  HMAC_512(MacAlgorithm.HMAC_SHA_512);

  private final MacAlgorithm algorithm;

  KeySpec(MacAlgorithm algorithm) {
    this.algorithm = algorithm;
  }

  public MacAlgorithm algorithm() {
    return algorithm;
  }

  /// Length in bytes of a key that the daemon generates: the output length of the hash (RFC 2104,
  /// section 3).
  public int keyBytes() {
    return algorithm.macBytes();
  }
}
