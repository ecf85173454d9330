// Checksums of requests and responses.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  GenerateMacRequestSchema,
  GenerateMacResponseSchema,
  MacAlgorithm,
  RandomService,
  VerifyMacRequestSchema,
  VerifyMacResponseSchema,
} from 'hmacd-client/contract';
import { contractCall } from '../dist/core/contract-calls.js';
import { crc32c } from '../dist/core/crc32c.js';
import { generateMac, verifyMac } from '../dist/core/mac-calls.js';
import { vectors } from './support.js';

const message = Buffer.from('hello');
const mac = Buffer.alloc(32, 7);
const generated = {
  keyId: 'arn',
  mac,
  macAlgorithm: MacAlgorithm.HMAC_SHA_256,
  keyVersion: 1,
  macCrc32c: crc32c(mac),
  verifiedMessageCrc32c: true,
};
const verified = {
  keyId: 'arn',
  macValid: true,
  macAlgorithm: MacAlgorithm.HMAC_SHA_256,
  keyVersion: 1,
  verifiedMessageCrc32c: true,
  verifiedMacCrc32c: true,
};

test('CRC32C of the vectors', () => {
  for (const vector of vectors.macs) {
    assert.equal(crc32c(Buffer.from(vector.message, 'hex')), vector.message_crc32c);
  }
  assert.equal(crc32c(Buffer.alloc(0)), 0);
});

test('requests have the checksums of their message and MAC', () => {
  const generate = fromBinary(GenerateMacRequestSchema, generateMac('key', 'HMAC_SHA_256', message).request);
  assert.deepEqual([generate.keyId, generate.messageCrc32c], ['key', crc32c(message)]);
  const verify = fromBinary(VerifyMacRequestSchema, verifyMac('key', 'HMAC_SHA_256', message, mac).request);
  assert.deepEqual([verify.messageCrc32c, verify.macCrc32c], [crc32c(message), crc32c(mac)]);
});

const read = {
  generate: (response) =>
    generateMac('key', 'HMAC_SHA_256', message).read(
      toBinary(GenerateMacResponseSchema, create(GenerateMacResponseSchema, response)),
    ),
  verify: (response) =>
    verifyMac('key', 'HMAC_SHA_256', message, mac).read(
      toBinary(VerifyMacResponseSchema, create(VerifyMacResponseSchema, response)),
    ),
};

test('responses without damage', () => {
  assert.deepEqual(read.generate(generated), { mac: new Uint8Array(mac), arn: 'arn' });
  assert.equal(read.verify(verified), 'arn');
});

for (const [operation, response, change] of [
  ['generate', generated, { mac: Buffer.alloc(32, 8) }],
  ['generate', generated, { mac: Buffer.alloc(31, 7), macCrc32c: crc32c(Buffer.alloc(31, 7)) }],
  ['generate', generated, { macCrc32c: 0 }],
  ['generate', generated, { verifiedMessageCrc32c: false }],
  ['generate', generated, { macAlgorithm: MacAlgorithm.HMAC_SHA_512 }],
  ['generate', {}, {}],
  ['verify', verified, { macValid: false }],
  ['verify', verified, { verifiedMessageCrc32c: false }],
  ['verify', verified, { verifiedMacCrc32c: false }],
  ['verify', verified, { macAlgorithm: MacAlgorithm.HMAC_SHA_224 }],
  ['verify', {}, {}],
]) {
  test(`${operation}: a response with ${JSON.stringify(change).slice(0, 60)} is damaged`, () => {
    assert.throws(() => read[operation]({ ...response, ...change }), /damage in transit/);
  });
}

test('a response that is no message is damaged', () => {
  assert.throws(() => verifyMac('key', 'HMAC_SHA_256', message, mac).read(Buffer.from([0xff])));
});

test('random bytes without their checksum or number are damaged', () => {
  const { generateRandom } = RandomService.method;
  const { read } = contractCall(generateRandom, { numberOfBytes: 2 });
  const answer = (plaintext, plaintextCrc32c) =>
    read(toBinary(generateRandom.output, create(generateRandom.output, { plaintext, plaintextCrc32c })));
  const bytes = Uint8Array.of(1, 2);
  assert.deepEqual(answer(bytes, crc32c(bytes)).plaintext, bytes);
  assert.throws(() => answer(bytes, crc32c(bytes) ^ 1), /damage in transit/);
  assert.throws(() => answer(bytes.subarray(1), crc32c(bytes.subarray(1))), /damage in transit/);
});
