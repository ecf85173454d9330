// Checks of AWS's SDK on the daemon that the environment names.
//
// HMACD_AKID2 and HMACD_SECRET2 are those of a caller who may do nothing.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { beforeEach, test } from 'node:test';
import { KMS, paginateListKeys } from '@aws-sdk/client-kms';

const { AWS_ACCESS_KEY_ID, HMACD_AKID2, HMACD_SECRET2 } = process.env;
const kms = new KMS();
let KeyId;
let input;

async function createKey() {
  const { KeyMetadata } = await kms.createKey({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' });
  return KeyMetadata.KeyId;
}

beforeEach(async () => {
  KeyId = await createKey();
  input = { KeyId, Message: Buffer.from('hello'), MacAlgorithm: 'HMAC_SHA_256' };
});

async function generate(changes) {
  return (await kms.generateMac({ ...input, ...changes })).Mac;
}

function isRefused(call, name) {
  return assert.rejects(call, (error) => {
    assert.deepEqual([error.name, error.$metadata?.httpStatusCode], [name, 400], error);
    return true;
  });
}

test('a MAC is verified', async () => {
  const Mac = await generate();
  assert.equal(Mac.length, 32);
  assert.equal((await kms.verifyMac({ ...input, Mac })).MacValid, true);
});

test('a wrong MAC is refused', async () => {
  const Mac = await generate();
  Mac[31] ^= 1;
  await isRefused(kms.verifyMac({ ...input, Mac }), 'KMSInvalidMacException');
});

for (const [what, changes, name] of [
  ['an unknown key', { KeyId: '00000000-0000-4000-8000-000000000000' }, 'NotFoundException'],
  ['the algorithm of another spec', { MacAlgorithm: 'HMAC_SHA_512' }, 'InvalidKeyUsageException'],
  ['a message of 4097 bytes', { Message: Buffer.alloc(4097) }, 'ValidationException'],
  ['a dry run', { DryRun: true }, 'DryRunOperationException'],
]) {
  test(`${what} is refused`, () => isRefused(generate(changes), name));
}

for (const [who, accessKeyId, secretAccessKey, name] of [
  ['a caller without rights', HMACD_AKID2, HMACD_SECRET2, 'AccessDeniedException'],
  ['a wrong secret', AWS_ACCESS_KEY_ID, 'not the secret', 'InvalidSignatureException'],
]) {
  test(`${who} is refused`, () =>
    isRefused(new KMS({ credentials: { accessKeyId, secretAccessKey } }).generateMac(input), name));
}

test('a disabled key is refused until it is enabled', async () => {
  const mac = await generate();
  await kms.disableKey({ KeyId });
  await isRefused(generate(), 'DisabledException');
  await kms.enableKey({ KeyId });
  assert.deepEqual(await generate(), mac);
});

test('a key that waits for its deletion is refused until that is cancelled', async () => {
  const { KeyState, DeletionDate } = await kms.scheduleKeyDeletion({ KeyId, PendingWindowInDays: 7 });
  assert.equal(KeyState, 'PendingDeletion');
  const days = (DeletionDate - Date.now()) / 86_400_000;
  assert.ok(days > 6.9 && days < 7.1, `${days} days`);
  await isRefused(generate(), 'KMSInvalidStateException');
  await kms.cancelKeyDeletion({ KeyId });
  await isRefused(generate(), 'DisabledException');
});

test('a key is described and listed', async () => {
  await kms.updateKeyDescription({ KeyId, Description: 'for orders' });
  const { KeyMetadata } = await kms.describeKey({ KeyId });
  assert.equal(KeyMetadata.Description, 'for orders');
  assert.deepEqual(KeyMetadata.MacAlgorithms, ['HMAC_SHA_256']);
  const listed = [];
  for await (const page of paginateListKeys({ client: kms, pageSize: 1 }, {})) {
    listed.push(...page.Keys.map((key) => key.KeyId));
  }
  assert.ok(listed.includes(KeyId));
});

test('an alias names the key that it points to now', async () => {
  const AliasName = `alias/${randomUUID()}`;
  const other = await createKey();
  await kms.createAlias({ AliasName, TargetKeyId: KeyId });
  assert.deepEqual(await generate({ KeyId: AliasName }), await generate());
  await kms.updateAlias({ AliasName, TargetKeyId: other });
  assert.deepEqual(await generate({ KeyId: AliasName }), await generate({ KeyId: other }));
  const { Aliases } = await kms.listAliases({ KeyId: other });
  assert.deepEqual(Aliases.map((alias) => alias.AliasName), [AliasName]);
  await kms.deleteAlias({ AliasName });
  await isRefused(generate({ KeyId: AliasName }), 'NotFoundException');
});

test('tags are set, listed and removed', async () => {
  const Tags = [{ TagKey: 'team', TagValue: 'billing' }];
  await kms.tagResource({ KeyId, Tags });
  assert.deepEqual((await kms.listResourceTags({ KeyId })).Tags, Tags);
  await kms.untagResource({ KeyId, TagKeys: ['team'] });
  assert.deepEqual((await kms.listResourceTags({ KeyId })).Tags, []);
});

test('random bytes differ', async () => {
  const one = await kms.generateRandom({ NumberOfBytes: 32 });
  const two = await kms.generateRandom({ NumberOfBytes: 32 });
  assert.equal(one.Plaintext.length, 32);
  assert.notDeepEqual(one.Plaintext, two.Plaintext);
});
