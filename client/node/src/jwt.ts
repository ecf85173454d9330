/** JSON Web Tokens (RFC 7519) with HS256, HS384 and HS512, with jose. */
import {
  base64url,
  decodeProtectedHeader,
  errors,
  UnsecuredJWT,
  type JWTClaimVerificationOptions,
  type JWTPayload,
} from 'jose';
import type { MacAlgorithm } from './core/algorithms.js';
import type { CallOptions } from './core/caller.js';
import { InvalidMac } from './core/errors.js';
import type { MacKey } from './key.js';

const algs: Readonly<Partial<Record<MacAlgorithm, string>>> = {
  HMAC_SHA_256: 'HS256',
  HMAC_SHA_384: 'HS384',
  HMAC_SHA_512: 'HS512',
};

/** A key that signs tokens, and its name in the header. */
export interface JwtSigner extends CallOptions {
  readonly key: MacKey;
  readonly kid: string;
}

/** The keys that may have signed a token, and jose's rules for its claims. */
export interface JwtVerifier extends JWTClaimVerificationOptions, CallOptions {
  /** The allowed keys by `kid`. */
  readonly keys: Readonly<Record<string, MacKey>>;
}

/**
 * Signs a token with the claims, in the compact form of a JWS.
 *
 * @param claims as in jose: `exp`, `iat` and `nbf` are seconds since 1970
 * @throws HmacdError if the call fails
 * @throws TypeError for claims that are not those of a JWT, a missing kid, or a key of HMAC_SHA_224
 */
export async function signJwt(claims: JWTPayload, { key, kid, signal, timeoutMillis }: JwtSigner): Promise<string> {
  if (typeof kid !== 'string') {
    throw new TypeError('kid must be a string');
  }
  const header = { alg: algOf(key), typ: 'JWT', kid };
  const [, payload] = new UnsecuredJWT(claims).encode().split('.');
  const signed = `${base64url.encode(JSON.stringify(header))}.${payload}`;
  const mac = await key.generate(signed, { signal, timeoutMillis });
  return `${signed}.${base64url.encode(mac)}`;
}

/**
 * Verifies a token: its header, its signature, and then its claims with jose. Returns the claims.
 *
 * The algorithm is that of the key, never that of the token.
 *
 * @throws JOSEError (of jose) if the token is not valid: `JWSInvalid`, `JWKSNoMatchingKey` for an unknown `kid`,
 *   `JOSEAlgNotAllowed`, `JWSSignatureVerificationFailed`, `JWTExpired`, `JWTClaimValidationFailed`
 * @throws HmacdError if there is no verdict
 */
export async function verifyJwt(token: string, verifier: JwtVerifier): Promise<JWTPayload> {
  const { keys, signal, timeoutMillis, ...claimRules } = verifier;
  const [encodedHeader, payload, signature, ...others] = typeof token === 'string' ? token.split('.') : [];
  if (payload === undefined || signature === undefined || others.length > 0) {
    throw new errors.JWSInvalid('the token is not a text of three parts');
  }
  const { alg, kid, typ, crit, b64 = true } = headerOf(token);
  if (crit !== undefined || b64 !== true) {
    throw new errors.JOSENotSupported('the header has a critical extension, or the payload is text');
  }
  if (typeof kid !== 'string' || !Object.hasOwn(keys, kid)) {
    throw new errors.JWKSNoMatchingKey();
  }
  const key = keys[kid]!;
  if (alg !== algOf(key)) {
    throw new errors.JOSEAlgNotAllowed('the token has another algorithm than that of its key');
  }
  try {
    await key.verify(`${encodedHeader}.${payload}`, signatureBytes(signature), { signal, timeoutMillis });
  } catch (error) {
    throw error instanceof InvalidMac ? new errors.JWSSignatureVerificationFailed() : error;
  }
  return checkedClaims(payload, typ, claimRules);
}

function algOf({ algorithm }: MacKey): string {
  const alg = algs[algorithm];
  if (alg === undefined) {
    throw new TypeError(`JWTs have no algorithm for ${algorithm}`);
  }
  return alg;
}

function headerOf(token: string): ReturnType<typeof decodeProtectedHeader> {
  try {
    return decodeProtectedHeader(token);
  } catch {
    throw new errors.JWSInvalid('the header of the token is not a JSON object in base64url');
  }
}

function signatureBytes(signature: string): Uint8Array {
  const bytes = Buffer.from(signature, 'base64url');
  if (bytes.toString('base64url') !== signature) {
    throw new errors.JWSInvalid('the signature is not base64url');
  }
  return bytes;
}

// jose verifies claims only together with a signature, for which it needs the key, or of a token without a signature.
// The signature is verified above.
function checkedClaims(payload: string, typ: string | undefined, rules: JWTClaimVerificationOptions): JWTPayload {
  const header = base64url.encode(JSON.stringify({ alg: 'none', typ }));
  return UnsecuredJWT.decode(`${header}.${payload}.`, rules).payload;
}
