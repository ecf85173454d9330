// Tests of hmacd-webhook.js against GitHub's own library, which has the same key as a secret.
//
// HMACD_SHARED_KEY is the name of the key in hmacd, HMACD_SHARED_SECRET the file with its bytes.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { buffer, text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { KMSClient } from '@aws-sdk/client-kms';
import { sign, verify } from '@octokit/webhooks-methods';
import { signWebhook, verifyWebhook } from './hmacd-webhook.js';

const { HMACD_SHARED_KEY: key, HMACD_SHARED_SECRET } = process.env;
const secret = readFileSync(HMACD_SHARED_SECRET, 'utf8');
const body = '{"action":"opened","number":4711}';
const otherBody = '{"action":"closed","number":4711}';
const kms = new KMSClient();

// Receivers: one with the library and the secret, one with hmacd.
const library = receiver(async (request) => {
  const signature = request.headers['x-hub-signature-256'];
  return signature !== undefined && (await verify(secret, await text(request), signature));
});
const daemon = receiver(async (request) =>
  verifyWebhook(kms, key, await buffer(request), request.headers['x-hub-signature-256']));

function receiver(accepts) {
  return createServer(async (request, response) => {
    const status = await accepts(request).then(
      (accepted) => (accepted ? 204 : 401),
      (error) => (error instanceof RangeError ? 413 : 503),
    );
    response.writeHead(status).end();
  });
}

before(async () => {
  for (const server of [library, daemon]) {
    await once(server.listen(0, '127.0.0.1'), 'listening');
  }
});
after(() => {
  library.close();
  daemon.close();
  kms.destroy();
});

/** Sends a webhook. Resolves to the status of the answer. */
async function deliver(server, sent, signature) {
  const headers = { connection: 'close', 'content-type': 'application/json' };
  if (signature !== undefined) {
    headers['x-hub-signature-256'] = signature;
  }
  const url = `http://127.0.0.1:${server.address().port}/`;
  return (await fetch(url, { method: 'POST', headers, body: sent, signal: AbortSignal.timeout(10_000) })).status;
}

test('a webhook that hmacd signed is accepted by the library', async () => {
  const signature = await signWebhook(kms, key, Buffer.from(body));
  assert.equal(await deliver(library, body, signature), 204);
});

test('a webhook that hmacd signed is refused by the library when its body was changed', async () => {
  const signature = await signWebhook(kms, key, Buffer.from(body));
  assert.equal(await deliver(library, otherBody, signature), 401);
});

test('a webhook that the library signed is accepted through hmacd', async () => {
  assert.equal(await deliver(daemon, body, await sign(secret, body)), 204);
});

const longBody = 'b'.repeat(4097);
for (const [name, sent, signature] of [
  ['its body was changed', otherBody, () => sign(secret, body)],
  ['it has no signature', body, () => undefined],
  ['its signature has lost a byte', body, async () => (await sign(secret, body)).slice(0, -2)],
]) {
  test(`a webhook that the library signed is refused through hmacd when ${name}`, async () => {
    assert.equal(await deliver(daemon, sent, await signature()), 401);
  });
}

for (const [name, sent] of [
  ['is too long', longBody],
  ['is empty', ''],
]) {
  test(`a webhook whose body ${name} is not reported as a wrong signature`, async () => {
    assert.equal(await deliver(daemon, sent, await sign(secret, body)), 413);
    assert.equal(await deliver(daemon, sent, undefined), 401);
  });
}

test('an outage is not reported as a wrong signature', async () => {
  const closed = createServer();
  await once(closed.listen(0, '127.0.0.1'), 'listening');
  const endpoint = `http://127.0.0.1:${closed.address().port}`;
  await new Promise((done) => closed.close(done));
  const nobody = new KMSClient({ endpoint, maxAttempts: 1 });
  const signature = await sign(secret, body);
  await assert.rejects(verifyWebhook(nobody, key, Buffer.from(body), signature));
  nobody.destroy();
  const unknown = verifyWebhook(kms, 'alias/no-such-key', Buffer.from(body), signature);
  await assert.rejects(unknown, { name: 'NotFoundException' });
});

test('a body that is not bytes is refused', async () => {
  const signature = await sign(secret, body);
  const others = [body, JSON.parse(body), [...Buffer.from(body)], new Uint16Array(1), undefined];
  for (const other of others) {
    await assert.rejects(signWebhook(kms, key, other), TypeError);
    await assert.rejects(verifyWebhook(kms, key, other, signature), TypeError);
  }
});
