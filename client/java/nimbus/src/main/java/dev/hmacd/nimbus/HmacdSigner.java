package dev.hmacd.nimbus;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.JWSSigner;
import com.nimbusds.jose.crypto.impl.BaseJWSProvider;
import com.nimbusds.jose.util.Base64URL;
import dev.hmacd.client.HmacdException;
import dev.hmacd.client.HmacdKey;
import java.util.Set;

/// Signs with a key of hmacd. Each signature is one call. The signed part of a token has at most
/// [HmacdKey#maxMessageBytes] bytes. Thread-safe.
public final class HmacdSigner extends BaseJWSProvider implements JWSSigner {
  private final HmacdKey key;

  /// @param key a key with HMAC_SHA_256, HMAC_SHA_384 or HMAC_SHA_512
  /// @throws IllegalArgumentException if JWS has no name for the algorithm of the key
  public HmacdSigner(HmacdKey key) {
    super(Set.of(JwsAlgorithms.of(key.algorithm())));
    this.key = key;
  }

  /// Returns the signature.
  ///
  /// @throws HmacdJoseException if the call failed
  /// @throws JOSEException if the header has another `alg` than that of the key
  @Override
  public Base64URL sign(JWSHeader header, byte[] signingInput) throws JOSEException {
    JwsAlgorithms.check(header.getAlgorithm(), key);
    try {
      return Base64URL.encode(key.generate(signingInput).toByteArray());
    } catch (HmacdException e) {
      throw new HmacdJoseException(e);
    }
  }
}
