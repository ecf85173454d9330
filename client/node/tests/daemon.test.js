// The daemon in the environment.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { HmacdClient, InvalidMac, TlsFailed } from 'hmacd-client';
import { KeyService, KeySpec } from 'hmacd-client/contract';
import { Authority } from './certificates.js';
import { algorithms, like } from './support.js';

const { HMACD_CA, HMACD_SOCKET, HMACD_TARGET } = process.env;
let client;
const names = {};

before(async () => {
  client = HmacdClient.fromEnv({ timeoutMillis: 60_000 }); // For a busy machine.
  for (const algorithm of algorithms) {
    const spec = { keySpec: KeySpec[algorithm.replace('SHA_', '')] };
    names[algorithm] = (await client.call(KeyService.method.createKey, spec)).keyMetadata.keyId;
  }
});
after(() => client.close());

const keyOf = (hmacd, algorithm = 'HMAC_SHA_256') => hmacd.key(names[algorithm], algorithm);

for (const algorithm of algorithms) {
  test(`${algorithm}: a MAC is verified, and a wrong one is InvalidMac`, async () => {
    const key = await client.openKey(names[algorithm]);
    assert.equal(key.algorithm, algorithm);
    const mac = await key.generate('hello');
    await key.verify('hello', mac);
    mac[0] ^= 1;
    await assert.rejects(key.verify('hello', mac), (error) => {
      assert.ok(error instanceof InvalidMac);
      assert.match(error.requestId, /^[0-9a-f-]{36}$/);
      return like({ reason: 'KMS_INVALID_MAC', attempts: 1, target: HMACD_TARGET })(error);
    });
  });
}

test('a message of 65536 bytes is permitted, a longer one is refused by the daemon, too', async (t) => {
  const patient = HmacdClient.fromEnv({ maxMessageBytes: 100_000, timeoutMillis: 60_000 });
  t.after(() => patient.close());
  await keyOf(patient).generate(Buffer.alloc(65_536, 'm'));
  await assert.rejects(
    keyOf(patient).generate(Buffer.alloc(65_537)),
    like({ reason: 'MESSAGE_TOO_LONG', limit: 65_536, size: 65_537, mayHaveRun: false }),
  );
});

for (const [name, message, bind, expected] of [
  ['an unknown key', 'hello', () => ['00000000-0000-4000-8000-000000000000', 'HMAC_SHA_256'], 'KEY_NOT_FOUND'],
  ['the algorithm of another spec', 'hello', () => [names.HMAC_SHA_256, 'HMAC_SHA_512'], 'INVALID_KEY_USAGE'],
  ['a reserved message', 'hmacd check value v1\0', () => [names.HMAC_SHA_256, 'HMAC_SHA_256'], 'RESERVED_MESSAGE'],
]) {
  test(`${name} is ${expected}`, async () => {
    const key = client.key(...bind());
    await assert.rejects(key.generate(message), like({ reason: expected, retryable: false, mayHaveRun: false }));
  });
}

test('other methods of the contract', async () => {
  const tags = [{ tagKey: 'team', tagValue: 'pay' }, { tagKey: 'cost' }];
  const created = await client.call(KeyService.method.createKey, {
    keySpec: KeySpec.HMAC_256,
    description: 'a test',
    tags,
  });
  const { keyId } = created.keyMetadata;
  const listed = await client.call(KeyService.method.listResourceTags, { keyId, pageSize: 50 });
  assert.deepEqual(
    listed.tags.map(({ tagKey, tagValue }) => [tagKey, tagValue]),
    [
      ['team', 'pay'],
      ['cost', ''],
    ],
  );
});

test('a client certificate of another authority is TlsFailed', async (t) => {
  const stranger = HmacdClient.fromEnv({ ca: HMACD_CA, ...new Authority(t).issue('stranger'), timeoutMillis: 2000 });
  t.after(() => stranger.close());
  await assert.rejects(keyOf(stranger).generate('hello'), (error) => {
    assert.ok(error instanceof TlsFailed, error);
    assert.match(error.message, /refused the client certificate/);
    return true;
  });
});

test('a Unix socket needs no certificates', { skip: HMACD_SOCKET === undefined }, async (t) => {
  const local = new HmacdClient({ targets: [`unix:${HMACD_SOCKET}`], timeoutMillis: 60_000 });
  t.after(() => local.close());
  await keyOf(local).verify('hello', await keyOf(local).generate('hello'));
});
