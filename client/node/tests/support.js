// What several tests need: the shared vectors, and a fake with the key of the vectors.

import { readFileSync } from 'node:fs';
import { FakeHmacd } from 'hmacd-client/testing';

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
