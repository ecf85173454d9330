package dev.hmacd.jca;

import dev.hmacd.client.MacAlgorithm;

/// The algorithms by the names of JCA (Java Security Standard Algorithm Names).
enum HmacName {
  SHA_224("HmacSHA224", 28),
  SHA_256("HmacSHA256", 32),
  SHA_384("HmacSHA384", 48),
  SHA_512("HmacSHA512", 64);

  private final String text;
  private final int macBytes;

  HmacName(String text, int macBytes) {
    this.text = text;
    this.macBytes = macBytes;
  }

  static HmacName of(MacAlgorithm algorithm) {
    return switch (algorithm) {
      case HMAC_SHA_224 -> SHA_224;
      case HMAC_SHA_256 -> SHA_256;
      case HMAC_SHA_384 -> SHA_384;
      case HMAC_SHA_512 -> SHA_512;
      case UNKNOWN ->
          throw new IllegalArgumentException("MacAlgorithm.UNKNOWN must not be an argument");
    };
  }

  /// The length of a MAC in bytes.
  int macBytes() {
    return macBytes;
  }

  @Override
  public String toString() {
    return text;
  }
}
