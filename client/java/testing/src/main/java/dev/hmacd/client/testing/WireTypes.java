package dev.hmacd.client.testing;

import dev.hmacd.v1.KeySpec;
import dev.hmacd.v1.MacAlgorithm;

/// Converts the client's types to those of the contract.
final class WireTypes {
  private WireTypes() {}

  static MacAlgorithm macAlgorithm(dev.hmacd.client.MacAlgorithm algorithm) {
    return MacAlgorithm.valueOf("MAC_ALGORITHM_" + algorithm);
  }

  /// The spec of the keys with an algorithm.
  static KeySpec keySpec(dev.hmacd.client.MacAlgorithm algorithm) {
    return switch (algorithm) {
      case HMAC_SHA_224 -> KeySpec.KEY_SPEC_HMAC_224;
      case HMAC_SHA_256 -> KeySpec.KEY_SPEC_HMAC_256;
      case HMAC_SHA_384 -> KeySpec.KEY_SPEC_HMAC_384;
      case HMAC_SHA_512 -> KeySpec.KEY_SPEC_HMAC_512;
      case UNKNOWN -> KeySpec.KEY_SPEC_UNSPECIFIED;
    };
  }
}
