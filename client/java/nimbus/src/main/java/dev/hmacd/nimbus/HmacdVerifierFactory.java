package dev.hmacd.nimbus;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.JWSVerifier;
import com.nimbusds.jose.KeyTypeException;
import com.nimbusds.jose.crypto.impl.BaseJWSProvider;
import com.nimbusds.jose.proc.JWSVerifierFactory;
import dev.hmacd.jca.HmacdSecretKey;
import java.security.Key;
import java.util.Set;

/// Creates an [HmacdVerifier] for each [HmacdSecretKey] of an [HmacdKeySelector]. Thread-safe.
public final class HmacdVerifierFactory extends BaseJWSProvider implements JWSVerifierFactory {
  public HmacdVerifierFactory() {
    super(Set.of(JWSAlgorithm.HS256, JWSAlgorithm.HS384, JWSAlgorithm.HS512));
  }

  /// Returns the verifier of a key.
  ///
  /// @throws KeyTypeException if the key is not an [HmacdSecretKey]
  /// @throws JOSEException if the header has another `alg` than that of the key
  @Override
  public JWSVerifier createJWSVerifier(JWSHeader header, Key key) throws JOSEException {
    if (!(key instanceof HmacdSecretKey secretKey)) {
      throw new KeyTypeException(HmacdSecretKey.class);
    }
    JwsAlgorithms.check(header.getAlgorithm(), secretKey.hmacdKey());
    return new HmacdVerifier(secretKey.hmacdKey());
  }
}
