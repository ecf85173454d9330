import assert from 'node:assert/strict';
import { test } from 'node:test';
import { signJwt, verifyJwt } from 'hmacd-client/jwt';
import { errors, jwtVerify, SignJWT } from 'jose';
import jsonwebtoken from 'jsonwebtoken';
import { fakeKey, like, secret, vectors } from './support.js';

const { claims, right, wrong, accepted } = vectors.jwt;
const sha = (alg) => `HMAC_SHA_${alg.slice(2)}`;

async function bound(t) {
  const { fake, client } = await fakeKey(t);
  return { fake, key: (alg) => client.key(sha(alg), sha(alg)), other: client.key('other', 'HMAC_SHA_256'), client };
}

const encode = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

for (const { alg, kid, token } of right) {
  test(`${alg}: the token of the vectors`, async (t) => {
    const { key } = await bound(t);
    assert.equal(await signJwt(claims, { key: key(alg), kid }), token);
    assert.deepEqual(await verifyJwt(token, { keys: { [kid]: key(alg) } }), claims);
  });
}

for (const { why, alg, token } of wrong) {
  test(`${why} is refused`, async (t) => {
    const { fake, key } = await bound(t);
    await assert.rejects(verifyJwt(token, { keys: { k1: key(alg) } }), errors.JOSEError);
    const calls = why === 'another key' ? 1 : 0;
    assert.equal(fake.calls.length, calls, 'only a signature of the right form needs a call');
  });
}

for (const { why, alg, token } of accepted) {
  test(`${why} is accepted`, async (t) => {
    const { key } = await bound(t);
    assert.deepEqual(await verifyJwt(token, { keys: { k1: key(alg) } }), claims);
  });
}

test('tokens of jose', async (t) => {
  const { key } = await bound(t);
  const token = await new SignJWT({ sub: 'a' })
    .setProtectedHeader({ alg: 'HS256', kid: 'k1' })
    .setIssuedAt()
    .sign(secret);
  assert.equal((await verifyJwt(token, { keys: { k1: key('HS256') } })).sub, 'a');
  const signed = await signJwt({ sub: 'b' }, { key: key('HS384'), kid: 'k1' });
  assert.equal((await jwtVerify(signed, secret, { algorithms: ['HS384'] })).payload.sub, 'b');
});

for (const alg of ['HS256', 'HS384', 'HS512']) {
  test(`${alg}: tokens of jsonwebtoken`, async (t) => {
    const { key, other } = await bound(t);
    const keys = { k1: key(alg) };
    const token = jsonwebtoken.sign({ sub: 'a' }, secret, { algorithm: alg, keyid: 'k1' });
    assert.equal((await verifyJwt(token, { keys })).sub, 'a');
    const signed = await signJwt({ sub: 'b' }, { key: keys.k1, kid: 'k1' });
    assert.equal(jsonwebtoken.verify(signed, secret, { algorithms: [alg] }).sub, 'b');
    const forged = await signJwt({ sub: 'b' }, { key: other, kid: 'k1' });
    assert.throws(() => jsonwebtoken.verify(forged, secret, { algorithms: ['HS256', alg] }), /invalid signature/);
  });
}

test('jose verifies the claims', async (t) => {
  const { key } = await bound(t);
  const keys = { k1: key('HS256') };
  const sign = (more) => signJwt({ sub: '4711', ...more }, { key: keys.k1, kid: 'k1' });
  const now = Math.floor(Date.now() / 1000);
  await assert.rejects(verifyJwt(await sign({ exp: now - 1 }), { keys }), errors.JWTExpired);
  await verifyJwt(await sign({ exp: now - 1 }), { keys, clockTolerance: 60 });
  await assert.rejects(verifyJwt(await sign({ nbf: now + 60 }), { keys }), errors.JWTClaimValidationFailed);
  await assert.rejects(verifyJwt(await sign({ iss: 'a' }), { keys, issuer: 'b' }), errors.JWTClaimValidationFailed);
  await assert.rejects(verifyJwt(await sign({ aud: 'a' }), { keys, audience: 'b' }), errors.JWTClaimValidationFailed);
  await assert.rejects(verifyJwt(await sign({}), { keys, requiredClaims: ['exp'] }), errors.JWTClaimValidationFailed);
  await assert.rejects(verifyJwt(await sign({}), { keys, typ: 'at+jwt' }), errors.JWTClaimValidationFailed);
  await verifyJwt(await sign({ iss: 'a', aud: 'b', exp: now + 60 }), { keys, issuer: 'a', audience: 'b', typ: 'JWT' });
});

test('the claims are not read before the signature is verified', async (t) => {
  const { key, other } = await bound(t);
  const token = await signJwt({ exp: 1 }, { key: other, kid: 'k1' });
  await assert.rejects(verifyJwt(token, { keys: { k1: key('HS256') } }), errors.JWSSignatureVerificationFailed);
});

test('an outage is not a bad signature', async (t) => {
  const { fake, key } = await bound(t);
  for (const reason of ['INTERNAL', 'ACCESS_DENIED', 'KEY_NOT_USABLE']) {
    fake.failNext(1, reason);
    await assert.rejects(verifyJwt(right[0].token, { keys: { k1: key('HS256') } }), (error) => {
      assert.equal(error instanceof errors.JOSEError, false);
      return like({ name: 'HmacdError', reason })(error);
    });
  }
});

const [header, payload, signature] = right[0].token.split('.');
for (const [name, token] of [
  ['no text', undefined],
  ['two parts', `${header}.${payload}`],
  ['four parts', `${right[0].token}.`],
  ['a header that is no JSON', `${encode('{')}.${payload}.${signature}`],
  ['a header that is a list', `${encode([])}.${payload}.${signature}`],
  ['alg none', `${encode({ alg: 'none', kid: 'k1' })}.${payload}.`],
  ['alg of another case', `${encode({ alg: 'hs256', kid: 'k1' })}.${payload}.${signature}`],
  ['no alg', `${encode({ kid: 'k1' })}.${payload}.${signature}`],
  ['no kid', `${encode({ alg: 'HS256' })}.${payload}.${signature}`],
  ['a kid that is no text', `${encode({ alg: 'HS256', kid: ['k1'] })}.${payload}.${signature}`],
  ['a kid of Object.prototype', `${encode({ alg: 'HS256', kid: 'constructor' })}.${payload}.${signature}`],
  ['crit of another extension', `${encode({ alg: 'HS256', kid: 'k1', crit: ['x'], x: 1 })}.${payload}.${signature}`],
  ['b64 without crit', `${encode({ alg: 'HS256', kid: 'k1', b64: false })}.${payload}.${signature}`],
  ['crit', `${encode({ alg: 'HS256', kid: 'k1', crit: ['b64'], b64: false })}.${payload}.${signature}`],
  ['a signature in base64', `${header}.${payload}.${Buffer.from(signature, 'base64url').toString('base64')}`],
  ['a signature with other unused bits', `${header}.${payload}.${signature.slice(0, -1)}N`],
  ['a short signature', `${header}.${payload}.${signature.slice(0, 20)}`],
]) {
  test(`a token with ${name} is refused without a call`, async (t) => {
    const { fake, key } = await bound(t);
    await assert.rejects(verifyJwt(token, { keys: { k1: key('HS256') } }), errors.JOSEError);
    assert.equal(fake.calls.length, 0);
  });
}

test('HMAC_SHA_224 has no JWTs, claims must be an object, and a kid is required', async (t) => {
  const { client, key } = await bound(t);
  const sha224 = client.key('HMAC_SHA_224', 'HMAC_SHA_224');
  await assert.rejects(signJwt({}, { key: sha224, kid: 'k1' }), TypeError);
  await assert.rejects(verifyJwt(right[0].token, { keys: { k1: sha224 } }), TypeError);
  await assert.rejects(signJwt('claims', { key: key('HS256'), kid: 'k1' }), TypeError);
  await assert.rejects(signJwt({}, { key: key('HS256') }), TypeError);
});
