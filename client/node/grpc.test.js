// Tests of the gRPC client, with the daemon in the environment.

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

// proto-loader alone would decode these strings as base64, some of them to the same bytes.
test('a message that is text is refused', async () => {
  for (const text of ['order4711amount100', 'order4711amount101', 'aGVsbG8=', '', 'pay 100 EUR']) {
    const request = { keyId, message: text, macAlgorithm };
    await assert.rejects(hmacd.generateMac(request), TypeError, text);
    await assert.rejects(hmacd.verifyMac({ ...request, mac: Buffer.alloc(32) }), TypeError, text);
  }
});

test('a MAC that is text is refused, and not reported as a wrong MAC', async () => {
  const { mac } = await hmacd.generateMac({ keyId, message, macAlgorithm });
  for (const encoding of ['hex', 'base64', 'latin1']) {
    const request = { keyId, message, macAlgorithm, mac: mac.toString(encoding) };
    await assert.rejects(hmacd.verifyMac(request), TypeError, encoding);
  }
});

test('all types of byte arrays are sent unchanged', async () => {
  const { mac } = await hmacd.generateMac({ keyId, message, macAlgorithm });
  const all = Buffer.from('[hello]');
  const view = new Uint8Array(all.buffer, all.byteOffset + 1, 5);
  for (const bytes of [new Uint8Array(message), all.subarray(1, 6), view]) {
    assert.deepEqual((await hmacd.generateMac({ keyId, message: bytes, macAlgorithm })).mac, mac);
  }
});

for (const [name, change] of [
  ['a message in a misspelt field', { message: undefined, mesage: message }],
  ['a field in the spelling of the contract, not in camel case', { dry_run: true }],
  ['a misspelt dry run that is false', { dryrun: false }],
  ['a flag that is text', { dryRun: 'false' }],
  ['a message of 16-bit numbers', { message: new Uint16Array([0x0168, 0x0165]) }],
  ['a message that is a list of numbers', { message: [104, 357] }],
  ['a message that is an ArrayBuffer', { message: new ArrayBuffer(5) }],
  ['a misspelt algorithm', { macAlgorithm: 'HMAC_SHA_256' }],
  ['a key id that is a number', { keyId: 4711 }],
  ['a key id that is an array', { keyId: ['alias/orders'] }],
  ['a checksum above 32 bits', { messageCrc32c: 2 ** 32 + 1 }],
]) {
  test(`${name} is refused`, () =>
    assert.rejects(hmacd.generateMac({ keyId, message, macAlgorithm, ...change }), TypeError));
}

test('a misspelt field of a tag is refused', async () => {
  const tags = [{ tagKey: 'team', tagvalue: 'pay' }];
  await assert.rejects(hmacd.createKey({ keySpec: 'KEY_SPEC_HMAC_256', tags }), TypeError);
});

test('a request with all types of fields is sent', async () => {
  const tags = [{ tagKey: 'team', tagValue: 'pay' }, { tagKey: 'cost', tagValue: '' }];
  const spec = { keySpec: 'KEY_SPEC_HMAC_256', description: 'of a test', tags };
  const created = await hmacd.createKey(spec);
  const target = created.keyMetadata.keyId;
  assert.deepEqual((await hmacd.listResourceTags({ keyId: target, pageSize: 50 })).tags, [
    { tagKey: 'team', tagValue: 'pay' },
    { tagKey: 'cost' },
  ]);
  const messageCrc32c = 0x9a71bb4c;
  const optional = { grantTokens: [], messageCrc32c, dryRun: true };
  const dryRun = hmacd.generateMac({ keyId: target, message, macAlgorithm, ...optional });
  await isRefused(dryRun, 'FAILED_PRECONDITION', 'DRY_RUN_OPERATION');
});

test('a caller without a certificate is refused', async (t) => {
  const nobody = connect(HMACD_TARGET, grpc.credentials.createSsl(readFileSync(HMACD_CA)));
  t.after(() => nobody.close());
  await isRefused(nobody.listKeys({}), 'UNAVAILABLE', undefined);
});

test('a call to a silent server ends at its deadline', async (t) => {
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
  assert.ok(performance.now() - start >= 250, 'ended early'); // Not 300: the deadline uses another clock.
});
