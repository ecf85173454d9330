// Checks of the gRPC client, on the daemon that the environment names.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { after, before, test } from 'node:test';
import grpc from '@grpc/grpc-js';
import { connect, credentialsFromEnv, reason } from './hmacd-grpc.js';

const { HMACD_CA, HMACD_TARGET } = process.env;
const message = Buffer.from('hello');
const macAlgorithm = 'MAC_ALGORITHM_HMAC_SHA_256';
let hmacd;
let keyId;

before(async () => {
  hmacd = connect(HMACD_TARGET, credentialsFromEnv());
  ({ keyMetadata: { keyId } } = await hmacd.createKey({ keySpec: 'KEY_SPEC_HMAC_256' }));
});
after(() => hmacd.close());

function isRefused(call, code, expected) {
  return assert.rejects(call, (error) => {
    assert.deepEqual([grpc.status[error.code], reason(error)], [code, expected]);
    return true;
  });
}

test('a MAC is verified', async () => {
  const { mac } = await hmacd.generateMac({ keyId, message, macAlgorithm });
  assert.equal(mac.length, 32);
  const { macValid } = await hmacd.verifyMac({ keyId, message, macAlgorithm, mac });
  assert.equal(macValid, true);
});

test('a wrong MAC is refused', async () => {
  const { mac } = await hmacd.generateMac({ keyId, message, macAlgorithm });
  mac[31] ^= 1;
  await isRefused(hmacd.verifyMac({ keyId, message, macAlgorithm, mac }), 'INVALID_ARGUMENT', 'KMS_INVALID_MAC');
});

for (const [name, change, code, expected] of [
  ['an unknown key', { keyId: '00000000-0000-4000-8000-000000000000' }, 'NOT_FOUND', 'KEY_NOT_FOUND'],
  ['the algorithm of another spec', { macAlgorithm: 'MAC_ALGORITHM_HMAC_SHA_512' }, 'INVALID_ARGUMENT', 'INVALID_KEY_USAGE'],
  ['a message of 4097 bytes', { message: Buffer.alloc(4097) }, 'INVALID_ARGUMENT', 'INVALID_FIELD'],
]) {
  test(`${name} is refused`, () =>
    isRefused(hmacd.generateMac({ keyId, message, macAlgorithm, ...change }), code, expected));
}

test('a caller without a certificate is not let in', async (t) => {
  const nobody = connect(HMACD_TARGET, grpc.credentials.createSsl(readFileSync(HMACD_CA)));
  t.after(() => nobody.close());
  await isRefused(nobody.listKeys({}), 'UNAVAILABLE', undefined);
});

test('a call ends at its deadline when nobody answers', async (t) => {
  const sockets = [];
  const silent = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  t.after(() => {
    silent.close();
    sockets.forEach((socket) => socket.destroy());
  });
  const patient = connect(`127.0.0.1:${silent.address().port}`, credentialsFromEnv(), 300);
  t.after(() => patient.close());
  const start = performance.now();
  await isRefused(patient.listKeys({}), 'DEADLINE_EXCEEDED', undefined);
  assert.ok(performance.now() - start >= 250, 'ended early'); // Not 300: the deadline is of another clock.
});
