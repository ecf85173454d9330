// Checks of hmacd-webhook.js against GitHub's own library, which has the same key as a secret.
//
// HMACD_SHARED_KEY names the key in hmacd, HMACD_SHARED_SECRET the file with its bytes.

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

// Receivers: one with the library and the secret, one that asks hmacd.
const library = receiver(async (request) => {
  const signature = request.headers['x-hub-signature-256'];
  return signature !== undefined && (await verify(secret, await text(request), signature));
});
const daemon = receiver(async (request) =>
  verifyWebhook(kms, key, await buffer(request), request.headers['x-hub-signature-256']));

function receiver(accepts) {
  return createServer(async (request, response) => {
    response.writeHead(await accepts(request).then((accepted) => (accepted ? 204 : 401), () => 503)).end();
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

/** Sends a webhook, and promises the status that it is answered with. */
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
  ['its body is longer than hmacd takes', longBody, () => sign(secret, longBody)],
  ['it has no body', '', () => sign(secret, body)],
  ['it has no signature', body, () => undefined],
  ['its signature has lost a byte', body, async () => (await sign(secret, body)).slice(0, -2)],
]) {
  test(`a webhook that the library signed is refused through hmacd when ${name}`, async () => {
    assert.equal(await deliver(daemon, sent, await signature()), 401);
  });
}
