// The calls of a client, with the fake.

import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { Closed, DeadlineExceeded, HmacdClient, HmacdError, InvalidMac, MessageTooLong } from 'hmacd-client';
import { KeyService, KeySpec, MacService } from 'hmacd-client/contract';
import { Caller } from '../dist/core/caller.js';
import { Picker } from '../dist/core/picker.js';
import { algorithms, eventually, fakeKey, like, startFake, vectors } from './support.js';

test('the MACs of the vectors', async (t) => {
  const fake = await startFake(t);
  const client = fake.client();
  for (const { algorithm, message, mac } of vectors.macs) {
    const key = client.key(algorithm, algorithm);
    const bytes = Buffer.from(message, 'hex');
    assert.equal((await key.generate(bytes)).toString('hex'), mac);
    await key.verify(bytes, Buffer.from(mac, 'hex'));
  }
});

test('a string is the message of its UTF-8 bytes', async (t) => {
  const { key } = await fakeKey(t);
  for (const { text, utf8, mac } of vectors.texts) {
    assert.equal((await key.generate(text)).toString('hex'), mac, text);
    assert.equal((await key.generate(Buffer.from(utf8, 'hex'))).toString('hex'), mac, text);
    await key.verify(text, Buffer.from(mac, 'hex'));
  }
});

test('all views of bytes are sent unchanged', async (t) => {
  const { key } = await fakeKey(t);
  const mac = await key.generate('hello');
  const all = Buffer.from('[hello]');
  for (const bytes of [
    new Uint8Array(Buffer.from('hello')),
    all.subarray(1, 6),
    new Uint8Array(all.buffer, all.byteOffset + 1, 5),
  ]) {
    assert.deepEqual(await key.generate(bytes), mac);
  }
});

for (const [name, message] of [
  ['a number', 5],
  ['no message', undefined],
  ['an array of numbers', [104, 101]],
  ['an ArrayBuffer', new ArrayBuffer(5)],
  ['16-bit numbers', new Uint16Array([104, 101])],
  ['a string with a lone surrogate', 'a\ud800'],
]) {
  test(`${name} is refused as a message, without a call`, async (t) => {
    const { fake, key } = await fakeKey(t);
    await assert.rejects(key.generate(message), TypeError);
    await assert.rejects(key.verify(message, Buffer.alloc(32)), TypeError);
    assert.equal(fake.calls.length, 0);
  });
}

test('a MAC that is text is refused, and is not a wrong MAC', async (t) => {
  const { fake, key } = await fakeKey(t);
  const mac = await key.generate('hello');
  for (const encoding of ['hex', 'base64', 'latin1']) {
    await assert.rejects(key.verify('hello', mac.toString(encoding)), TypeError);
  }
  assert.equal(fake.calls.length, 1);
});

test('an empty message and one over the limit are refused without a call', async (t) => {
  const { fake, key } = await fakeKey(t, { maxMessageBytes: 5 });
  const empty = { reason: 'INVALID_ARGUMENT', attempts: 0, mayHaveRun: false };
  const message = 'INVALID_ARGUMENT: the message is empty (no target, 0 attempts)';
  await assert.rejects(key.generate(''), like({ ...empty, message }));
  await assert.rejects(key.generate('hello!'), (error) => {
    assert.ok(error instanceof MessageTooLong);
    return like({ reason: 'MESSAGE_TOO_LONG', limit: 5, size: 6, attempts: 0, retryable: false })(error);
  });
  await key.generate('hello');
  assert.equal(fake.calls.length, 1);
});

test('a wrong MAC is InvalidMac', async (t) => {
  const { fake, key } = await fakeKey(t);
  const mac = await key.generate('hello');
  mac[31] ^= 1;
  await assert.rejects(key.verify('hello', mac), (error) => {
    assert.ok(error instanceof InvalidMac);
    return like({ reason: 'KMS_INVALID_MAC', attempts: 1, target: fake.target, retryable: false })(error);
  });
  for (const length of [0, 16, 31, 33]) {
    await assert.rejects(key.verify('hello', Buffer.alloc(length)), InvalidMac);
  }
  assert.equal(fake.calls.length, 2, 'a MAC of another length needs no call');
});

test('a key has the ARN of the last answer', async (t) => {
  const { key, client } = await fakeKey(t);
  assert.equal(key.arn, '');
  await key.generate('hello');
  assert.match(key.arn, /^arn:aws:kms:.*HMAC_SHA_256$/);
  for (const algorithm of algorithms) {
    const opened = await client.openKey(algorithm);
    assert.deepEqual([opened.algorithm, opened.arn.endsWith(algorithm)], [algorithm, true]);
  }
  await assert.rejects(client.openKey('none'), like({ reason: 'KEY_NOT_FOUND' }));
});

for (const [name, algorithm] of [
  ['', 'HMAC_SHA_256'],
  ['k'.repeat(2049), 'HMAC_SHA_256'],
  [5, 'HMAC_SHA_256'],
  ['k', 'HS256'],
  ['k', undefined],
]) {
  test(`the key ${String(name).slice(0, 5)} with ${algorithm} is refused`, async (t) => {
    const { client } = await fakeKey(t);
    assert.throws(() => client.key(name, algorithm), TypeError);
  });
}

test('requests have checksums, a deadline and the user agent', async (t) => {
  const { fake, key } = await fakeKey(t);
  const before = Date.now();
  await key.generate('hello', { timeoutMillis: 4000 });
  const [{ deadline, userAgent }] = fake.calls;
  assert.ok(deadline > before && deadline <= Date.now() + 4000);
  assert.match(userAgent, /^hmacd-node\/\d+\.\d+\.\d+ /);
});

for (const operation of ['generate', 'verify']) {
  test(`${operation}: an answer with damage is asked for once more`, async (t) => {
    const { fake, key } = await fakeKey(t);
    const mac = await key.generate('hello');
    fake.damageNext(1);
    await key[operation]('hello', operation === 'verify' ? mac : undefined);
    assert.equal(fake.calls.length, 3);
    fake.damageNext(2);
    const call = key[operation]('hello', operation === 'verify' ? mac : undefined);
    await assert.rejects(call, (error) => {
      assert.equal(error instanceof InvalidMac, false);
      return like({ reason: 'CHECKSUM_MISMATCH', attempts: 2, mayHaveRun: true, retryable: true })(error);
    });
  });
}

test('damage that the daemon detects is CHECKSUM_MISMATCH after the second attempt', async (t) => {
  const { fake, key } = await fakeKey(t);
  fake.failNext(1, 'CHECKSUM_MISMATCH');
  await key.generate('hello');
  fake.failNext(2, 'CHECKSUM_MISMATCH');
  await assert.rejects(key.generate('hello'), like({ reason: 'CHECKSUM_MISMATCH', attempts: 2, mayHaveRun: false }));
});

test('a busy daemon is asked again', async (t) => {
  const { fake, key } = await fakeKey(t);
  fake.failNext(2, 'TOKEN_BUSY', { retryDelayMillis: 1 });
  await key.generate('hello');
  assert.equal(fake.calls.length, 3);
});

test('a forbidden retry, and a delay past the deadline, fail at once', async (t) => {
  const { fake, key } = await fakeKey(t);
  fake.failNext(1, 'TOKEN_BUSY', { retryForbidden: true });
  await assert.rejects(
    key.generate('hello'),
    like({ reason: 'TOKEN_BUSY', attempts: 1, mayHaveRun: false, retryable: true }),
  );
  fake.failNext(1, 'TOKEN_BUSY', { retryDelayMillis: 60_000 });
  await assert.rejects(key.generate('hello'), like({ reason: 'TOKEN_BUSY', attempts: 1 }));
});

test('a message that is too long for the daemon is MessageTooLong with both lengths', async (t) => {
  const { key } = await fakeKey(t, { maxMessageBytes: 100_000 });
  await key.generate(Buffer.alloc(65_536));
  await assert.rejects(key.generate(Buffer.alloc(65_537)), (error) => {
    assert.ok(error instanceof MessageTooLong);
    const expected = { reason: 'MESSAGE_TOO_LONG', limit: 65_536, size: 65_537, attempts: 1 };
    return like({ ...expected, retryable: false, mayHaveRun: false })(error);
  });
});

test('a request that is too long for the daemon is MessageTooLong', async (t) => {
  const { fake, key } = await fakeKey(t);
  fake.failNext(1, 'REQUEST_TOO_LONG', { metadata: { maximum: '100' } });
  await assert.rejects(key.generate('hello'), (error) => {
    assert.ok(error instanceof MessageTooLong);
    // The length of the request: the name of the key, the message, the algorithm and the checksum.
    return like({ reason: 'REQUEST_TOO_LONG', limit: 100, size: 2 + 12 + 2 + 5 + 2 + 5, attempts: 1 })(error);
  });
});

test('each reason of the daemon without a verdict is another error than InvalidMac', async (t) => {
  const { fake, key } = await fakeKey(t);
  const mac = await key.generate('hello');
  for (const reason of ['INTERNAL', 'ACCESS_DENIED', 'KEY_NOT_FOUND', 'KEY_NOT_USABLE', 'RESERVED_MESSAGE']) {
    fake.failNext(1, reason);
    await assert.rejects(key.verify('hello', mac), (error) => {
      assert.equal(error.name, 'HmacdError');
      return like({ reason, attempts: 1, mayHaveRun: reason === 'INTERNAL', retryable: false })(error);
    });
  }
});

test('a call ends at the earlier of its own deadline and that of the settings', async (t) => {
  const { fake, key } = await fakeKey(t, { timeoutMillis: 3_600_000 });
  fake.ignoreNext(1);
  await assert.rejects(key.generate('hello', { timeoutMillis: 50 }), DeadlineExceeded);
  const impatient = fake.client({ timeoutMillis: 50 }).key(key.name, key.algorithm);
  fake.ignoreNext(1);
  await assert.rejects(impatient.generate('hello', { timeoutMillis: 3_600_000 }), DeadlineExceeded);
});

test('an unanswered call may have run', async (t) => {
  const { fake, key } = await fakeKey(t);
  await key.generate('hello');
  fake.ignoreNext(1);
  const call = key.generate('hello', { timeoutMillis: 1000 });
  await assert.rejects(call, like({ reason: 'DEADLINE_EXCEEDED', attempts: 1, mayHaveRun: true, retryable: true }));
});

test('a change of the system time does not move the deadline of a call that waits', { timeout: 60_000 }, async (t) => {
  const { fake, key } = await fakeKey(t, { timeoutMillis: 500 });
  fake.stop();
  const call = assert.rejects(key.generate('hello'), like({ mayHaveRun: false }));
  const now = Date.now;
  t.mock.method(Date, 'now', () => now() - 3_600_000);
  await call;
});

test('AbortSignal.timeout is a deadline', async (t) => {
  const { fake, key } = await fakeKey(t);
  fake.ignoreNext(1);
  await assert.rejects(key.generate('hello', { signal: AbortSignal.timeout(50) }), DeadlineExceeded);
});

test('cancellation is sent to the daemon', async (t) => {
  const { fake, key } = await fakeKey(t);
  await key.generate('hello');
  fake.ignoreNext(1);
  const controller = new AbortController();
  const call = key.generate('hello', { signal: controller.signal });
  const [, arrived] = await eventually(() => fake.calls.length === 2 && fake.calls);
  controller.abort();
  await assert.rejects(call, like({ reason: 'CANCELLED', attempts: 1, mayHaveRun: true, retryable: false }));
  assert.equal(await arrived.ended, 'cancelled');
});

test('cancellation ends a back-off', async (t) => {
  const { fake, key } = await fakeKey(t, { timeoutMillis: 3_600_000 });
  fake.failNext(1, 'TOKEN_BUSY', { retryDelayMillis: 3_000_000 });
  const controller = new AbortController();
  const call = key.generate('hello', { signal: controller.signal });
  await eventually(() => fake.calls.length === 1);
  await fake.calls[0].ended;
  controller.abort();
  await assert.rejects(call, like({ reason: 'CANCELLED', attempts: 1 }));
});

for (const [name, options, reason] of [
  ['the deadline', () => ({ timeoutMillis: 50 }), 'DEADLINE_EXCEEDED'],
  ['cancellation', (signal) => ({ signal }), 'CANCELLED'],
]) {
  test(`${name} also ends a read of the files`, { timeout: 60_000 }, async () => {
    const late = { reason: 'DEADLINE_EXCEEDED', text: 'late', notSent: true };
    const failures = [{ reason: 'UNAUTHENTICATED', answered: true, notSent: true }, late];
    const connection = { attempt: () => Promise.resolve({ failure: failures.shift() }) };
    const controller = new AbortController();
    const renew = () => new Promise(() => setTimeout(() => controller.abort(), 100)); // Never ends.
    const channels = { current: () => connection, renew };
    const targets = [{ name: 'target' }];
    const settings = { targets, timeoutMillis: 3_600_000, attemptTimeoutMillis: 1000, telemetry: {} };
    const caller = new Caller(settings, channels, new Picker(1, Math.random), Math.random);
    const call = caller.call({ path: '/a/b', repeatable: true, size: 0 }, options(controller.signal));
    await assert.rejects(call, like({ reason }));
  });
}

for (const [repeatable, limit] of [
  [true, 1000],
  [false, 3_600_000],
]) {
  test(`an attempt of a ${repeatable ? 'read' : 'change'} has ${limit} ms`, async () => {
    const given = [];
    const attempt = ({ deadline }) => {
      given.push(deadline - performance.now());
      return Promise.resolve({ response: new Uint8Array(), requestId: '' });
    };
    const channels = { current: () => ({ attempt }) };
    const targets = [{ name: 'one' }, { name: 'two' }];
    const settings = { targets, timeoutMillis: 3_600_000, attemptTimeoutMillis: 1000, telemetry: {} };
    const caller = new Caller(settings, channels, new Picker(2, Math.random), Math.random);
    await caller.call({ path: '/a/b', repeatable, size: 0, read: () => undefined });
    assert.equal(given.length, 1);
    assert.ok(given[0] <= limit && (repeatable || given[0] > 1000), `${given}`);
  });
}

test('many calls share a signal, without a warning or a listener that stays', async (t) => {
  const { key } = await fakeKey(t);
  const warnings = [];
  const onWarning = (warning) => warnings.push(warning.name);
  process.on('warning', onWarning);
  t.after(() => process.off('warning', onWarning));
  const { signal } = new AbortController();
  await Promise.all(Array.from({ length: 50 }, () => key.generate('hello', { signal })));
  assert.deepEqual(warnings, []);
  assert.equal(getEventListeners(signal, 'abort').length, 0);
});

test('a cancelled call makes no attempt', async (t) => {
  const { fake, key } = await fakeKey(t);
  await assert.rejects(
    key.generate('hello', { signal: AbortSignal.abort() }),
    like({ reason: 'CANCELLED', attempts: 0, mayHaveRun: false }),
  );
  assert.equal(fake.calls.length, 0);
});

for (const options of [
  { timeout: 5 },
  { signal: {} },
  { timeoutMillis: 0 },
  { timeoutMillis: 'soon' },
  { timeoutMillis: NaN },
]) {
  test(`the options ${JSON.stringify(options)} are refused`, async (t) => {
    const { fake, key } = await fakeKey(t);
    await assert.rejects(
      key.generate('hello', options),
      (error) => error instanceof TypeError || error instanceof RangeError,
    );
    assert.equal(fake.calls.length, 0);
  });
}

test('close waits for calls in flight, and refuses new ones', async (t) => {
  const { fake, client, key } = await fakeKey(t);
  fake.delayNext(1, 100);
  const call = key.generate('hello');
  const closing = client.close();
  await assert.rejects(
    key.generate('hello'),
    (error) => error instanceof Closed && like({ attempts: 0, mayHaveRun: false })(error),
  );
  assert.equal((await call).length, 32);
  await closing;
  await client.close();
});

test('close cancels a call that takes too long', async (t) => {
  const { fake, client, key } = await fakeKey(t, { timeoutMillis: 60_000 });
  await key.generate('hello');
  fake.ignoreNext(1);
  const call = key.generate('hello');
  const failed = assert.rejects(
    call,
    (error) => error instanceof Closed && like({ attempts: 1, mayHaveRun: true })(error),
  );
  await eventually(() => fake.calls.length === 2);
  const setTimer = t.mock.method(globalThis, 'setTimeout', () => 0);
  const closing = client.close();
  setTimer.mock.restore();
  const [[cancelAll, limit]] = setTimer.mock.calls.map((made) => made.arguments);
  assert.equal(limit, 5000);
  cancelAll();
  await failed;
  await closing;
  assert.equal(await fake.calls[1].ended, 'cancelled');
});

test('an error has no control characters', () => {
  const error = new HmacdError({ reason: 'INTERNAL', text: 'a\r\n\u001b[2Jb\u0085c', target: '', attempts: 0 });
  assert.equal(error.message, 'INTERNAL: a [2Jb c (no target, 0 attempts)');
});

test('an error is one line, and can be serialized without a message, a MAC or a key', async (t) => {
  const { fake, key } = await fakeKey(t);
  fake.failNext(1, 'ACCESS_DENIED');
  await assert.rejects(key.generate('top secret'), (error) => {
    assert.ok(error instanceof HmacdError);
    assert.equal(error.message, `ACCESS_DENIED: ordered by the test (target ${fake.target}, 1 attempts)`);
    const json = JSON.parse(JSON.stringify(error));
    const { requestId, ...others } = json;
    assert.match(requestId, /^[0-9a-f-]{36}$/);
    assert.deepEqual(others, {
      name: 'HmacdError',
      message: error.message,
      reason: 'ACCESS_DENIED',
      retryable: false,
      mayHaveRun: false,
      target: fake.target,
      attempts: 1,
    });
    return true;
  });
});

test('other methods of the contract: a wrong request is refused, and also MacService', async (t) => {
  const { fake, client } = await fakeKey(t);
  const { createKey, listKeys, describeKey } = KeyService.method;
  for (const [method, request] of [
    [listKeys, { page: 1 }],
    [listKeys, { page_size: 1 }],
    [listKeys, { pageSize: '1' }],
    [listKeys, { pageSize: 2 ** 31 }],
    [describeKey, { keyId: 5 }],
    [describeKey, { keyId: 'a\ud800' }],
    [describeKey, undefined],
    [createKey, { keySpec: 'HMAC_256' }],
    [createKey, { keySpec: KeySpec.HMAC_256, tags: [{ tagKey: 'a', tagvalue: 'b' }] }],
    [createKey, { keySpec: KeySpec.HMAC_256, tags: { tagKey: 'a' } }],
    [createKey, { keySpec: KeySpec.HMAC_256, tags: ['a'] }],
    [KeyService.method.adoptKey, { objectId: 'c2VjcmV0' }],
    [MacService.method.verifyMac, {}],
  ]) {
    await assert.rejects(client.call(method, request), (error) => {
      assert.ok(error instanceof TypeError, error);
      assert.doesNotMatch(error.message, /c2VjcmV0/);
      return true;
    });
  }
  assert.equal(fake.calls.length, 0);
});
