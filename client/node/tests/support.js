// What several tests need: the shared vectors, and a fake with the key of the vectors.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import { anyPack, DurationSchema } from '@bufbuild/protobuf/wkt';
import { Metadata, Server, ServerCredentials, status } from '@grpc/grpc-js';
import { FakeHmacd } from 'hmacd-client/testing';
import { ErrorInfoSchema, RetryInfoSchema } from '../dist/gen/google/rpc/error_details_pb.js';
import { StatusSchema } from '../dist/gen/google/rpc/status_pb.js';

export const vectors = JSON.parse(readFileSync(new URL('../../vectors/vectors.json', import.meta.url), 'utf8'));
export const secret = Buffer.from(vectors.key, 'hex');
export const algorithms = ['HMAC_SHA_224', 'HMAC_SHA_256', 'HMAC_SHA_384', 'HMAC_SHA_512'];

/** Starts a fake with the key of the vectors under the name of each algorithm, and another key `other`. */
export async function startFake(t, listener) {
  const keys = Object.fromEntries(algorithms.map((algorithm) => [algorithm, { algorithm, secret }]));
  keys.other = { algorithm: 'HMAC_SHA_256', secret: Buffer.alloc(32, 7) };
  const fake = await FakeHmacd.start(keys, listener);
  t.after(() => fake.close());
  return fake;
}

/** A client of a new fake, and its key of HMAC_SHA_256. */
export async function fakeKey(t, settings) {
  const fake = await startFake(t);
  const client = fake.client(settings);
  return { fake, client, key: client.key('HMAC_SHA_256', 'HMAC_SHA_256') };
}

/**
 * Starts a server that refuses calls of MacService with the reasons in turn, which need not be in the contract.
 *
 * @param refusals each `{ reason, retry }`, with `retry` for a google.rpc.RetryInfo of 0 s
 */
export async function startRefusing(t, refusals, name = 'GenerateMac') {
  const path = mkdtempSync(join(tmpdir(), 'hmacd-tests-'));
  const server = new Server();
  const same = (bytes) => bytes;
  const method = {
    path: `/hmacd.v1.MacService/${name}`,
    requestStream: false,
    responseStream: false,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
  const left = [...refusals];
  server.addService({ method }, {
    method: (call, done) => {
      const { reason, retry } = left.shift();
      const details = [anyPack(ErrorInfoSchema, create(ErrorInfoSchema, { domain: 'hmacd.dev', reason }))];
      if (retry) {
        const retryDelay = create(DurationSchema);
        details.push(anyPack(RetryInfoSchema, create(RetryInfoSchema, { retryDelay })));
      }
      const metadata = new Metadata();
      metadata.set('grpc-status-details-bin', Buffer.from(toBinary(StatusSchema, create(StatusSchema, { details }))));
      done({ code: status.UNAVAILABLE, details: 'ordered by the test', metadata });
    },
  });
  const target = `unix:${join(path, 'sock')}`;
  await new Promise((resolve, reject) =>
    server.bindAsync(target, ServerCredentials.createInsecure(), (error) => (error ? reject(error) : resolve())),
  );
  t.after(() => server.forceShutdown());
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return { target, left };
}

/** Local reasons, which a daemon may not give. */
export const localReasons = ['CONNECTION_FAILED', 'TLS_FAILED', 'CANCELLED', 'CLOSED', 'INVALID_ARGUMENT'];

/** Reasons that a daemon may not give, or that are not in the contract, with the reason of the error of the client. */
export const unknownReasons = new Map([
  ...localReasons.map((reason) => [reason, 'UNKNOWN']),
  ['UNSPECIFIED', 'UNSPECIFIED'],
  ['NEW_REASON', 'NEW_REASON'],
]);

/** Checks the fields of an error: for assert.rejects. */
export function like(expected) {
  return (error) => {
    for (const [field, value] of Object.entries(expected)) {
      if (error[field] !== value) {
        throw new Error(`${field} is ${error[field]}, not ${value}`, { cause: error });
      }
    }
    return true;
  };
}

/** Waits up to 60 s for a condition, and returns its value. */
export async function eventually(condition) {
  for (const limit = performance.now() + 60_000; performance.now() < limit;) {
    const value = condition();
    if (value) {
      return value;
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error('the condition did not become true in 60 s');
}
