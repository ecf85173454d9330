// Processes, worker threads, and both module systems.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import * as esm from 'hmacd-client';
import * as webhooks from 'hmacd-client/webhooks';
import { Authority } from './certificates.js';
import { startFake } from './support.js';

const program = `
  const { HmacdClient } = require('hmacd-client');
  const client = new HmacdClient({ targets: [process.env.FAKE] });
  client.key('HMAC_SHA_256', 'HMAC_SHA_256').generate('hello').then((mac) => console.log(mac.length));
`;

function run(t, source, env) {
  const stdio = ['ignore', 'pipe', 'inherit'];
  const child = spawn(process.execPath, ['--eval', source], { env: { ...process.env, ...env }, stdio });
  t.after(() => child.kill());
  return child;
}

test('an open client does not keep the process alive', async (t) => {
  const fake = await startFake(t);
  const child = run(t, program, { FAKE: fake.target });
  const output = await child.stdout.toArray();
  const [code] = child.exitCode === null ? await once(child, 'exit') : [child.exitCode];
  assert.deepEqual([Buffer.concat(output).toString(), code], ['32\n', 0]);
});

test('a call in flight keeps the process alive: while it waits for a connection, and in a back-off', async (t) => {
  const fake = await startFake(t);
  fake.failNext(1, 'TOKEN_BUSY', { retryDelayMillis: 100 });
  fake.stop();
  const child = run(t, `console.log('started');${program}`, { FAKE: fake.target });
  await once(child.stdout, 'data');
  await fake.start();
  assert.equal(Buffer.concat(await child.stdout.toArray()).toString(), '32\n');
  assert.equal(fake.calls.length, 2);
});

for (const [name, end] of [
  ['an open client', ''],
  ['a closed client', 'await client.close();'],
]) {
  test(`a TLS handshake of ${name} with a silent server does not keep the process alive`, async (t) => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    server.on('connection', (socket) => t.after(() => socket.destroy()));
    const authority = new Authority(t);
    const { certificate, privateKey } = authority.issue('caller');
    const source = `(async () => {
      const { HmacdClient } = require('hmacd-client');
      const client = HmacdClient.fromEnv({ timeoutMillis: 300 });
      const key = client.key('HMAC_SHA_256', 'HMAC_SHA_256');
      console.log(await key.generate('hello').catch((error) => error.reason));
      ${end}
    })();`;
    const child = run(t, source, {
      HMACD_TARGET: `127.0.0.1:${server.address().port}`,
      HMACD_CA: authority.ca,
      HMACD_CERT: certificate,
      HMACD_KEY: privateKey,
    });
    const output = child.stdout.toArray();
    const [code] = await once(child, 'exit', { signal: AbortSignal.timeout(60_000) });
    assert.deepEqual([Buffer.concat(await output).toString(), code], ['DEADLINE_EXCEEDED\n', 0]);
  });
}

test('a worker thread has its own client', async (t) => {
  const fake = await startFake(t);
  const worker = new Worker(program, { eval: true, env: { ...process.env, FAKE: fake.target }, stdout: true });
  const output = await worker.stdout.toArray();
  assert.equal(output.join(''), '32\n');
});

test('a client cannot be sent to a worker thread', async (t) => {
  const fake = await startFake(t);
  const copy = structuredClone(fake.client());
  assert.equal(copy.key, undefined);
});

test('ESM and CommonJS have the same classes', () => {
  const require = createRequire(import.meta.url);
  for (const [name, value] of Object.entries(require('hmacd-client'))) {
    assert.equal(esm[name], value, name);
  }
  assert.equal(typeof esm.HmacdClient, 'function');
  assert.equal(require('hmacd-client/webhooks').github, webhooks.github);
  assert.equal(typeof require('hmacd-client/jwt').signJwt, 'function');
  assert.equal(typeof require('hmacd-client/testing').FakeHmacd, 'function');
  assert.equal(typeof require('hmacd-client/contract').KeyService, 'object');
});
