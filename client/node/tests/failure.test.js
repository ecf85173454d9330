// The failure of an attempt, read from a gRPC error.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create, toBinary } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { Metadata, status } from '@grpc/grpc-js';
import { HmacdClient, HmacdError } from 'hmacd-client';
import { failureOf, isRetryable } from '../dist/core/failure.js';
import { ErrorInfoSchema } from '../dist/gen/google/rpc/error_details_pb.js';
import { StatusSchema } from '../dist/gen/google/rpc/status_pb.js';
import { eventually, like, startRefusing, unknownReasons } from './support.js';

/** The failure with an ErrorInfo of hmacd. */
function failure(info, details) {
  const packed = anyPack(ErrorInfoSchema, create(ErrorInfoSchema, { domain: 'hmacd.dev', ...info }));
  const metadata = new Metadata();
  const bytes = toBinary(StatusSchema, create(StatusSchema, { details: [packed] }));
  metadata.set('grpc-status-details-bin', Buffer.from(bytes));
  return failureOf({ code: status.UNAVAILABLE, details, metadata }, false);
}

test('a reason and a text of a peer are one line', () => {
  const found = failure({ reason: 'TOKEN_BUSY\nforged\x1b[31m' }, 'a\r\nb\x7f');
  assert.equal(found.reason, 'TOKEN_BUSY forged [31m');
  const error = new HmacdError({ ...found, retryable: false, target: '', attempts: 0 });
  assert.equal(error.message, 'TOKEN_BUSY forged [31m: a b (no target, 0 attempts)');
});

test('a size that is not valid is 0', () => {
  for (const number of ['many', '-1', '1e3', '']) {
    const { limit, size } = failure({ reason: 'MESSAGE_TOO_LONG', metadata: { maximum: number, given: number } }, '');
    assert.deepEqual([limit, size], [0, 0], number);
  }
});

test('only checks before the execution exclude it', () => {
  for (const reason of ['MESSAGE_TOO_LONG', 'REQUEST_TOO_LONG', 'ALIAS_NOT_FOUND', 'LIMIT_EXCEEDED', 'CHECKSUM_MISMATCH', 'TOKEN_BUSY']) {
    assert.equal(failure({ reason }, '').mayHaveRun, false, reason);
  }
  for (const reason of ['KMS_INVALID_MAC', 'MEMORY_BUSY', 'STOPPING', 'NEW_REASON', 'UNSPECIFIED', '5']) {
    assert.equal(failure({ reason }, '').mayHaveRun, true, reason);
  }
});

test('an unknown reason is retryable only with a mark of the daemon', () => {
  const found = failure({ reason: 'NEW_REASON' }, '');
  assert.equal(isRetryable(found), false);
  assert.equal(isRetryable({ ...found, retryDelayMillis: 0 }), true);
  assert.equal(isRetryable({ ...failure({ reason: 'ACCESS_DENIED' }, ''), retryDelayMillis: 0 }), false);
});

for (const [reason, known] of unknownReasons) {
  test(`${reason} of a daemon is an unknown reason`, async (t) => {
    const refusals = [{ reason }, ...Array.from({ length: 30 }, () => ({ reason, retry: true }))];
    const { target, left } = await startRefusing(t, refusals);
    const client = new HmacdClient({ targets: [target], timeoutMillis: 60_000 });
    t.after(() => client.close());
    const key = client.key('k', 'HMAC_SHA_256');
    await assert.rejects(
      key.generate('m'),
      like({ name: 'HmacdError', reason: known, retryable: false, mayHaveRun: true, attempts: 1 }),
    );
    // With RetryInfo, the client makes the next attempt.
    const abort = new AbortController();
    const call = key.generate('m', { signal: abort.signal });
    await eventually(() => left.length <= 20);
    abort.abort();
    await assert.rejects(call);
  });
}

test('the reasons of a daemon that are also local keep their types', async (t) => {
  const { target } = await startRefusing(t, [{ reason: 'DEADLINE_EXCEEDED' }, { reason: 'MESSAGE_TOO_LONG' }]);
  const client = new HmacdClient({ targets: [target] });
  t.after(() => client.close());
  const key = client.key('k', 'HMAC_SHA_256');
  await assert.rejects(key.generate('m'), like({ name: 'DeadlineExceeded', retryable: true, attempts: 1 }));
  await assert.rejects(key.generate('m'), like({ name: 'MessageTooLong', retryable: false, attempts: 1 }));
});

test('the local reasons that are retryable', () => {
  for (const [reason, expected] of [
    ['CONNECTION_FAILED', true],
    ['DEADLINE_EXCEEDED', true],
    ['TLS_FAILED', false],
    ['CANCELLED', false],
    ['CLOSED', false],
    ['MESSAGE_TOO_LONG', false],
    ['INVALID_ARGUMENT', false],
  ]) {
    assert.equal(isRetryable({ reason }), expected, reason);
  }
});

test('a damaged detail is no reason, and no exception', () => {
  const details = ['ErrorInfo', 'RetryInfo'].map((type) => ({
    typeUrl: `type.googleapis.com/google.rpc.${type}`,
    value: Uint8Array.of(0x0a, 0x7f), // A field that is longer than the rest.
  }));
  const metadata = new Metadata();
  const bytes = toBinary(StatusSchema, create(StatusSchema, { details }));
  metadata.set('grpc-status-details-bin', Buffer.from(bytes));
  const found = failureOf({ code: status.INVALID_ARGUMENT, details: 'damaged', metadata }, false);
  assert.equal(found.reason, 'CONNECTION_FAILED');
});
