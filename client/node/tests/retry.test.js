import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Retries, RetryBudget } from '../dist/core/retry.js';

const failure = (reason, more = {}) => ({ reason, transport: false, notSent: false, retryForbidden: false, ...more });
const transport = failure('CONNECTION_FAILED', { transport: true });
const retries = (random = 0.5, repeatable = true, budget = new RetryBudget()) =>
  new Retries(repeatable, budget, () => random);

for (const reason of [
  'TOKEN_UNAVAILABLE',
  'KEY_UNAVAILABLE',
  'REGISTRY_UNAVAILABLE',
  'TOKEN_BUSY',
  'REGISTRY_BUSY',
  'MEMORY_BUSY',
]) {
  test(`${reason}: the back-off is random, and its limit doubles up to 1 s`, () => {
    const call = retries(0.5);
    const delays = Array.from({ length: 7 }, () => call.next(failure(reason), 60_000, true).delayMillis);
    assert.deepEqual(delays, [25, 50, 100, 200, 400, 500, 500]);
    assert.equal(retries(0).next(failure(reason), 60_000, true).delayMillis, 0);
  });
}

for (const reason of ['CHECKSUM_MISMATCH', 'UNAUTHENTICATED']) {
  test(`${reason}: once more`, () => {
    const call = retries();
    assert.deepEqual(call.next(failure(reason), 60_000, true), {
      delayMillis: 0,
      reload: reason === 'UNAUTHENTICATED',
    });
    assert.equal(call.next(failure(reason), 60_000, true), 'fail');
  });
}

for (const reason of ['KMS_INVALID_MAC', 'ACCESS_DENIED', 'INTERNAL', 'DEADLINE_EXCEEDED', 'SOME_NEW_REASON']) {
  test(`${reason}: no retry`, () => assert.equal(retries().next(failure(reason), 60_000, true), 'fail'));
}

test('a transport failure: at once on another target, after a back-off without one', () => {
  assert.equal(retries().next(transport, 60_000, true).delayMillis, 0);
  assert.equal(retries().next(transport, 60_000, false).delayMillis, 25);
  const stopping = failure('STOPPING', { transport: true, retryDelayMillis: 700 });
  assert.equal(retries().next(stopping, 60_000, true).delayMillis, 0);
  assert.equal(retries().next(stopping, 60_000, false).delayMillis, 725);
});

for (const reason of ['TOKEN_BUSY', 'SOME_NEW_REASON', 'UNSPECIFIED']) {
  test(`${reason}: the delay of the daemon is added to the back-off, and 0 means no wait`, () => {
    const unknown = reason !== 'TOKEN_BUSY';
    const busy = failure(reason, { unknown, retryDelayMillis: 700 });
    const call = retries(0.5);
    const delays = Array.from({ length: 3 }, () => call.next(busy, 60_000, true).delayMillis);
    assert.deepEqual(delays, [725, 750, 800]);
    const atOnce = failure(reason, { unknown, retryDelayMillis: 0 });
    assert.equal(retries().next(atOnce, 60_000, false).delayMillis, 0);
  });
}

test('a known reason with a delay of the daemon keeps its rule', () => {
  for (const reason of ['ACCESS_DENIED', 'INTERNAL', 'KMS_INVALID_MAC']) {
    assert.equal(retries().next(failure(reason, { retryDelayMillis: 0 }), 60_000, true), 'fail', reason);
  }
});

test('an attempt is not started if its back-off ends after the deadline', () => {
  const busy = failure('TOKEN_BUSY', { retryDelayMillis: 700 });
  assert.equal(retries().next(busy, 725, true), 'fail');
  assert.equal(retries().next(busy, 726, true).delayMillis, 725);
});

test('the daemon can forbid a retry', () => {
  assert.equal(retries().next(failure('TOKEN_BUSY', { retryForbidden: true }), 60_000, true), 'fail');
});

test('a change is attempted once', () => {
  assert.equal(retries(0.5, false).next(transport, 60_000, true), 'fail');
  assert.equal(retries(0.5, false).next(failure('TOKEN_BUSY'), 60_000, true), 'fail');
});

test('the budget permits 100 retries, and ten successes give one more', () => {
  const budget = new RetryBudget();
  const next = (problem) => retries(0.5, true, budget).next(problem, 60_000, true);
  for (let i = 0; i < 100; i++) {
    assert.notEqual(next(transport), 'fail');
  }
  assert.equal(next(transport), 'fail');
  assert.notEqual(next({ ...transport, notSent: true }), 'fail', 'an attempt without a connection takes no token');
  for (let i = 0; i < 11; i++) {
    budget.succeeded();
  }
  assert.notEqual(next(transport), 'fail');
  assert.equal(next(transport), 'fail');
});

test('the budget has at most 100 tokens', () => {
  const budget = new RetryBudget();
  budget.succeeded();
  assert.equal(Array.from({ length: 101 }, () => budget.take()).filter(Boolean).length, 100);
});
