/// JSON Web Tokens (RFC 7519) and JWS (RFC 7515) with keys of hmacd, for Nimbus JOSE + JWT.
///
/// [HmacdJwt][dev.hmacd.nimbus.HmacdJwt] signs and verifies in one call. In an application with a
/// processor of its own, [HmacdSigner][dev.hmacd.nimbus.HmacdSigner] signs. A `DefaultJWTProcessor`
/// with [HmacdKeySelector][dev.hmacd.nimbus.HmacdKeySelector] and
/// [HmacdVerifierFactory][dev.hmacd.nimbus.HmacdVerifierFactory] verifies. The key decides the
/// algorithm (HS256, HS384 or HS512), never the token.
@NullMarked
package dev.hmacd.nimbus;

import org.jspecify.annotations.NullMarked;
