package dev.hmacd.key;

/// HMAC (RFC 2104) with a SHA-2 hash, named as in AWS KMS.
public enum MacAlgorithm {
  HMAC_SHA_224(28),
  HMAC_SHA_256(32),
  HMAC_SHA_384(48),
  HMAC_SHA_512(64);

  private final int macBytes;

  MacAlgorithm(int macBytes) {
    this.macBytes = macBytes;
  }

  /// The length of a MAC in bytes; MACs are never truncated.
  public int macBytes() {
    return macBytes;
  }
}
