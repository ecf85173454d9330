package dev.hmacd.nimbus;

import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.proc.JWSKeySelector;
import com.nimbusds.jose.proc.SecurityContext;
import dev.hmacd.client.HmacdKey;
import dev.hmacd.jca.HmacdSecretKey;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Selects the key of a token by its `kid`. A token without an allowed `kid`, or with another `alg`
/// than that of its key, has no key, and is refused without a call. Thread-safe.
///
/// @param <C> the type of the security context, which is not used
public final class HmacdKeySelector<C extends SecurityContext> implements JWSKeySelector<C> {
  private final Map<String, Candidate> candidates;

  /// @param keys the allowed `kid`s, with the key of each: HMAC_SHA_256, HMAC_SHA_384 or
  ///   HMAC_SHA_512
  /// @throws IllegalArgumentException if JWS has no name for the algorithm of a key
  public HmacdKeySelector(Map<String, HmacdKey> keys) {
    Map<String, Candidate> byKid = new HashMap<>();
    keys.forEach(
        (kid, key) ->
            byKid.put(
                kid, new Candidate(JwsAlgorithms.of(key.algorithm()), new HmacdSecretKey(key))));
    this.candidates = Map.copyOf(byKid);
  }

  @Override
  public List<HmacdSecretKey> selectJWSKeys(JWSHeader header, @Nullable C context) {
    String kid = header.getKeyID();
    Candidate candidate = kid == null ? null : candidates.get(kid);
    return candidate == null || !candidate.algorithm().equals(header.getAlgorithm())
        ? List.of()
        : List.of(candidate.key());
  }

  private record Candidate(JWSAlgorithm algorithm, HmacdSecretKey key) {}
}
