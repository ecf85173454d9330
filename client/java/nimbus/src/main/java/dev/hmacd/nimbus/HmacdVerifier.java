package dev.hmacd.nimbus;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.JWSVerifier;
import com.nimbusds.jose.crypto.impl.BaseJWSProvider;
import com.nimbusds.jose.util.Base64URL;
import com.nimbusds.jose.util.JSONObjectUtils;
import dev.hmacd.client.HmacdException;
import dev.hmacd.client.HmacdKey;
import dev.hmacd.client.InvalidMacException;
import java.text.ParseException;
import java.util.Set;

/// Verifies signatures of a key of hmacd. Each verification is at most one call. Thread-safe.
public final class HmacdVerifier extends BaseJWSProvider implements JWSVerifier {
  private final HmacdKey key;

  /// @param key a key with HMAC_SHA_256, HMAC_SHA_384 or HMAC_SHA_512
  /// @throws IllegalArgumentException if JWS has no name for the algorithm of the key
  public HmacdVerifier(HmacdKey key) {
    super(Set.of(JwsAlgorithms.of(key.algorithm())));
    this.key = key;
  }

  /// Returns whether the signature is right. Without a call, returns false for a header with
  /// `crit`, for a payload that is not base64url (`b64` false), and for a signature that is not
  /// canonical base64url.
  ///
  /// @throws HmacdJoseException if there is no verdict
  /// @throws JOSEException if the header has another `alg` than that of the key
  @Override
  public boolean verify(JWSHeader header, byte[] signingInput, Base64URL signature)
      throws JOSEException {
    JwsAlgorithms.check(header.getAlgorithm(), key);
    byte[] mac = signature.decode();
    // The decoder ignores unused bits and unknown characters: several texts would be one token.
    if (hasExtension(header) || !Base64URL.encode(mac).equals(signature)) {
      return false;
    }
    try {
      key.verify(signingInput, mac);
      return true;
    } catch (InvalidMacException e) {
      return false;
    } catch (HmacdException e) {
      throw new HmacdJoseException(e);
    }
  }

  /// Whether the header has an extension of JWS (RFC 7515, section 4.1.11), such as the payload
  /// without base64url of RFC 7797. An empty `crit`, or one of null, is not valid.
  private static boolean hasExtension(JWSHeader header) {
    return header.getCriticalParams() != null
        || !header.isBase64URLEncodePayload()
        || hasCritOfNull(header);
  }

  /// Nimbus drops a `crit` of null from the header.
  private static boolean hasCritOfNull(JWSHeader header) {
    Base64URL text = header.getParsedBase64URL();
    try {
      return text != null && JSONObjectUtils.parse(text.decodeToString()).containsKey("crit");
    } catch (ParseException e) {
      return true; // Not a header.
    }
  }
}
