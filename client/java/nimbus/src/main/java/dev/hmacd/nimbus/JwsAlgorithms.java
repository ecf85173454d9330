package dev.hmacd.nimbus;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSAlgorithm;
import dev.hmacd.client.HmacdKey;
import dev.hmacd.client.MacAlgorithm;

/// The algorithms of JWS (RFC 7518, section 3.2).
final class JwsAlgorithms {
  private JwsAlgorithms() {}

  /// The algorithm of a key.
  ///
  /// @throws IllegalArgumentException if JWS has no name for the algorithm
  static JWSAlgorithm of(MacAlgorithm algorithm) {
    return switch (algorithm) {
      case HMAC_SHA_256 -> JWSAlgorithm.HS256;
      case HMAC_SHA_384 -> JWSAlgorithm.HS384;
      case HMAC_SHA_512 -> JWSAlgorithm.HS512;
      case HMAC_SHA_224, UNKNOWN ->
          throw new IllegalArgumentException("JWS has no name for " + algorithm);
    };
  }

  /// Checks that the algorithm of a header is that of the key.
  static void check(JWSAlgorithm ofHeader, HmacdKey key) throws JOSEException {
    JWSAlgorithm ofKey = of(key.algorithm());
    if (!ofHeader.equals(ofKey)) {
      throw new JOSEException(
          "the alg of the header must be that of the key, " + ofKey + ": " + ofHeader);
    }
  }
}
