package dev.hmacd.nimbus;

import static java.nio.charset.StandardCharsets.US_ASCII;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JOSEObjectType;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.proc.BadJOSEException;
import com.nimbusds.jose.proc.SecurityContext;
import com.nimbusds.jose.util.Base64URL;
import com.nimbusds.jwt.JWT;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.JWTParser;
import com.nimbusds.jwt.SignedJWT;
import com.nimbusds.jwt.proc.BadJWTException;
import com.nimbusds.jwt.proc.DefaultJWTProcessor;
import dev.hmacd.client.HmacdException;
import dev.hmacd.client.HmacdKey;
import dev.hmacd.client.InvalidMacException;
import java.text.ParseException;
import java.util.Map;

/// Signs and verifies JSON Web Tokens in one call.
///
/// ```java
/// String token = HmacdJwt.sign(key, "k1", claims);
/// JWTClaimsSet verified = HmacdJwt.verify(Map.of("k1", key), token);
/// ```
public final class HmacdJwt {
  private HmacdJwt() {}

  /// Returns a signed token. Its header has `alg`, `kid` and `typ` JWT.
  ///
  /// @param key a key with HMAC_SHA_256, HMAC_SHA_384 or HMAC_SHA_512
  /// @param kid the name of the key in the header
  /// @throws HmacdException if the call failed
  /// @throws IllegalArgumentException if JWS has no name for the algorithm of the key
  public static String sign(HmacdKey key, String kid, JWTClaimsSet claims) {
    var header =
        new JWSHeader.Builder(JwsAlgorithms.of(key.algorithm()))
            .type(JOSEObjectType.JWT)
            .keyID(kid)
            .build();
    byte[] content = new SignedJWT(header, claims).getSigningInput();
    return new String(content, US_ASCII)
        + "."
        + Base64URL.encode(key.generate(content).toByteArray());
  }

  /// Returns the claims of a token only if its signature is right, and it is valid now: `exp` is
  /// not in the past, and `nbf` not in the future. Both have a tolerance of 60 s, and are optional.
  ///
  /// @param keys the allowed `kid`s, with the key of each: HMAC_SHA_256, HMAC_SHA_384 or
  ///   HMAC_SHA_512
  /// @throws InvalidMacException if the token is refused
  /// @throws HmacdException (any other) if there is no verdict
  /// @throws IllegalArgumentException if JWS has no name for the algorithm of a key
  public static JWTClaimsSet verify(Map<String, HmacdKey> keys, String token) {
    var processor = new DefaultJWTProcessor<SecurityContext>();
    processor.setJWSKeySelector(new HmacdKeySelector<>(keys));
    processor.setJWSVerifierFactory(new HmacdVerifierFactory());
    JWT parsed = parse(token);
    try {
      return processor.process(parsed, null);
    } catch (BadJWTException e) {
      throw InvalidMacException.withoutCall(
          "the token is not valid now, or its claims are malformed");
    } catch (BadJOSEException e) {
      throw InvalidMacException.withoutCall("no key has made the signature of the token");
    } catch (HmacdJoseException e) {
      throw e.call();
    } catch (JOSEException e) {
      throw InvalidMacException.withoutCall("Nimbus refused the token");
    }
  }

  private static JWT parse(String token) {
    try {
      return JWTParser.parse(token);
    } catch (ParseException | IllegalArgumentException e) {
      throw InvalidMacException.withoutCall("the token is malformed");
    }
  }
}
