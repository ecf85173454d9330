// Several targets, and outages of them.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DeadlineExceeded, InvalidMac } from 'hmacd-client';
import { eventually, like, startFake } from './support.js';

async function pair(t, settings) {
  const fakes = [await startFake(t), await startFake(t)];
  const client = fakes[0].client({ targets: fakes.map((fake) => fake.target), ...settings });
  return { fakes, key: client.key('HMAC_SHA_256', 'HMAC_SHA_256') };
}

const counts = (fakes) => fakes.map((fake) => fake.calls.length);

test('calls take the targets in turn', async (t) => {
  const { fakes, key } = await pair(t);
  for (let i = 0; i < 10; i++) {
    await key.generate('hello');
  }
  assert.deepEqual(counts(fakes), [5, 5]);
});

test('a target that is down fails no call', async (t) => {
  const { fakes, key } = await pair(t);
  fakes[0].stop();
  for (let i = 0; i < 10; i++) {
    await key.verify('hello', await key.generate('hello'));
  }
  assert.deepEqual(counts(fakes), [0, 20]);
});

test('a target that dies during a call fails no call', async (t) => {
  const { fakes, key } = await pair(t);
  await key.generate('hello');
  await key.generate('hello');
  fakes[0].ignoreNext(10);
  const calls = Array.from({ length: 10 }, () => key.generate('hello'));
  await eventually(() => counts(fakes)[0] >= 6);
  fakes[0].stop();
  assert.ok((await Promise.all(calls)).every((mac) => mac.length === 32));
});

test('a target that does not answer costs the attempt timeout, and is suspended', async (t) => {
  const { fakes, key } = await pair(t, { timeoutMillis: 60_000 });
  await key.generate('hello');
  await key.generate('hello');
  fakes[0].ignoreNext(100);
  for (let i = 0; i < 3; i++) {
    await key.generate('hello');
  }
  assert.ok(counts(fakes)[1] >= 4);
});

for (const reason of ['STOPPING', 'TOKEN_UNAVAILABLE', 'KEY_UNAVAILABLE', 'TOKEN_BUSY', 'CONNECTION_FAILED']) {
  test(`after ${reason}, the next target has the call`, async (t) => {
    const { fakes, key } = await pair(t);
    fakes[0].failNext(1, reason);
    await key.generate('hello');
    assert.deepEqual(counts(fakes), [1, 1]);
  });
}

test('a wrong MAC is not asked of the other target', async (t) => {
  const { fakes, key } = await pair(t);
  await assert.rejects(key.verify('hello', Buffer.alloc(32)), InvalidMac);
  assert.deepEqual(counts(fakes), [1, 0]);
});

test('without a target, verify has no verdict: the cause, and that no daemon had the call', async (t) => {
  const { fakes, key } = await pair(t, { timeoutMillis: 2000 });
  fakes.forEach((fake) => fake.stop());
  await assert.rejects(key.verify('hello', Buffer.alloc(32)), (error) => {
    assert.equal(error instanceof InvalidMac, false);
    assert.ok(error.attempts >= 1);
    return like({ reason: 'CONNECTION_FAILED', mayHaveRun: false, retryable: true })(error);
  });
});

for (const started of [0, 1]) {
  test(`a call without a usable target takes the first daemon that starts: target ${started}`, async (t) => {
    const { fakes, key } = await pair(t, { timeoutMillis: 60_000 });
    fakes.forEach((fake) => fake.stop());
    await assert.rejects(key.generate('hello', { timeoutMillis: 300 }));
    const call = key.generate('hello');
    await fakes[started].start();
    assert.equal((await call).length, 32);
  });
}

test('a call waits for the start of its only daemon', async (t) => {
  const fake = await startFake(t);
  const key = fake.client({ timeoutMillis: 60_000 }).key('HMAC_SHA_256', 'HMAC_SHA_256');
  fake.stop();
  const call = key.generate('hello');
  await fake.start();
  assert.equal((await call).length, 32);
});

test('a client finds its daemon again after a restart', async (t) => {
  const fake = await startFake(t);
  const key = fake.client({ timeoutMillis: 60_000 }).key('HMAC_SHA_256', 'HMAC_SHA_256');
  await key.generate('hello');
  fake.stop();
  await fake.start();
  await key.generate('hello');
  assert.equal(fake.calls.length, 2);
});

test('a daemon that dies with the answer may have executed the call', async (t) => {
  const fake = await startFake(t);
  const key = fake.client({ timeoutMillis: 1000 }).key('HMAC_SHA_256', 'HMAC_SHA_256');
  await key.generate('hello');
  fake.ignoreNext(1);
  const failed = assert.rejects(key.generate('hello'), (error) => {
    assert.equal(error instanceof DeadlineExceeded, false);
    return like({ reason: 'CONNECTION_FAILED', mayHaveRun: true })(error);
  });
  await eventually(() => fake.calls.length === 2);
  fake.stop();
  await failed;
});
