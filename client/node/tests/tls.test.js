// Mutual TLS, and the PEM files of a client.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, copyFileSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import fs, { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import { ServerCredentials } from '@grpc/grpc-js';
import { HmacdClient, TlsFailed } from 'hmacd-client';
import { TlsFileWatch } from '../dist/core/tls-file-watch.js';
import { Authority, convertKey, copies, folder, serverTls, writeShortKey } from './certificates.js';
import { like, startFake } from './support.js';

const address = '127.0.0.1:0';
let authority, otherAuthority, daemon, caller, otherCaller;

const cleanups = [];
before(() => {
  const scope = { after: (cleanup) => cleanups.push(cleanup) };
  authority = new Authority(scope);
  otherAuthority = new Authority(scope, 'other');
  daemon = authority.issue('127.0.0.1');
  caller = { ca: authority.ca, ...authority.issue('caller') };
  otherCaller = { ca: authority.ca, ...otherAuthority.issue('caller') };
});

after(() => cleanups.forEach((cleanup) => cleanup()));

function tlsFake(t, pair = daemon) {
  return startFake(t, { address, credentials: ServerCredentials.createSsl(...serverTls(authority, pair)) });
}

const keyOf = (client) => client.key('HMAC_SHA_256', 'HMAC_SHA_256');

function replace(files, by) {
  for (const [name, path] of Object.entries(files)) {
    copyFileSync(by[name], path);
  }
}

test('calls with mutual TLS', async (t) => {
  const fake = await tlsFake(t);
  const key = keyOf(fake.client(caller));
  await key.verify('hello', await key.generate('hello'));
});

for (const [name, cause, files, pair] of [
  ['a daemon of another authority', 'is not trusted', () => ({ ...caller, ca: otherAuthority.ca }), () => daemon],
  ['a daemon with another name', 'is for another name', () => caller, () => authority.issue('hmacd.example.org')],
  ['a daemon whose certificate has ended', 'has ended', () => caller, () => authority.issue('127.0.0.1', -1)],
]) {
  test(`${name} is TlsFailed`, async (t) => {
    const fake = await tlsFake(t, pair());
    const key = keyOf(fake.client({ ...files(), timeoutMillis: 2000 }));
    await assert.rejects(key.generate('hello'), (error) => {
      assert.ok(error instanceof TlsFailed, error);
      assert.ok(error.message.includes(cause), error.message);
      return like({ reason: 'TLS_FAILED', target: fake.target, retryable: false })(error);
    });
    assert.equal(fake.calls.length, 0);
  });
}

test('a daemon of an authority that has ended is TlsFailed', async (t) => {
  const ended = new Authority(t, 'ended', -1);
  const { certificate, privateKey } = ended.issue('127.0.0.1');
  const pair = { cert_chain: readFileSync(certificate), private_key: readFileSync(privateKey) };
  const fake = await startFake(t, { address, credentials: ServerCredentials.createSsl(null, [pair]) });
  const files = { ca: ended.ca, ...ended.issue('caller') };
  const client = fake.client({ ...files, timeoutMillis: 2000 });
  await assert.rejects(keyOf(client).generate('hello'), (error) => {
    assert.match(error.message, /^TLS_FAILED: the daemon's certificate has ended/);
    return like({ reason: 'TLS_FAILED', retryable: false })(error);
  });
  assert.match((await client.doctor())[0], /^failed: .*, daemon's certificate: ended, or not valid yet$/);
});

test('a peer that does not speak TLS is TlsFailed', async (t) => {
  const server = createServer((socket) => socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  // grpc-js resolves a name again after the failure, and then forgets the cause.
  const client = new HmacdClient({ targets: [`localhost:${server.address().port}`], ...caller, timeoutMillis: 2000 });
  t.after(() => client.close());
  await assert.rejects(keyOf(client).generate('hello'), (error) => {
    assert.ok(error instanceof TlsFailed, error);
    assert.match(error.message, /does not speak TLS/);
    return like({ mayHaveRun: false })(error);
  });
});

/** The error of a call to the server. */
async function errorFrom(t, server) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const client = new HmacdClient({ targets: [`127.0.0.1:${server.address().port}`], ...caller, timeoutMillis: 2000 });
  t.after(() => client.close());
  return keyOf(client)
    .generate('hello')
    .then(assert.fail, (error) => error);
}

test('an alert about the client certificate is TlsFailed', async (t) => {
  const unknownCa = Buffer.from('15030300020230', 'hex');
  const error = await errorFrom(
    t,
    createServer((socket) => socket.on('error', () => {}).once('data', () => socket.end(unknownCa))),
  );
  assert.ok(error instanceof TlsFailed, error);
  assert.match(error.message, /refused the client certificate/);
  like({ mayHaveRun: false })(error);
});

for (const [name, server] of [
  ['before', () => createServer((socket) => socket.on('error', () => {}).once('data', () => socket.destroy()))],
  [
    'after',
    () => {
      const pair = { cert: readFileSync(daemon.certificate), key: readFileSync(daemon.privateKey) };
      return createTlsServer({ ...pair, ALPNProtocols: ['h2'] }, (socket) => socket.on('error', () => {}).destroy());
    },
  ],
]) {
  test(`a connection that ends ${name} the end of its handshake without an alert is CONNECTION_FAILED`, async (t) => {
    const error = await errorFrom(t, server());
    like({ reason: 'CONNECTION_FAILED', mayHaveRun: false, retryable: true })(error);
  });
}

test('a port without a listener is CONNECTION_FAILED', async (t) => {
  const fake = await tlsFake(t);
  fake.stop();
  const key = keyOf(fake.client({ ...caller, timeoutMillis: 2000 }));
  await assert.rejects(key.generate('hello'), (error) => {
    assert.ok(error.message.startsWith(`CONNECTION_FAILED: connect ECONNREFUSED ${fake.target} (`), error.message);
    return like({ reason: 'CONNECTION_FAILED', mayHaveRun: false, retryable: true })(error);
  });
});

test('a call to a name that does not exist certainly did not run', async (t) => {
  const client = new HmacdClient({ targets: ['hmacd.invalid:8443'], ...caller, timeoutMillis: 1000 });
  t.after(() => client.close());
  await assert.rejects(keyOf(client).generate('hello'), like({ mayHaveRun: false, retryable: true }));
});

test('a call to a server that is silent ends at its deadline, and certainly did not run', async (t) => {
  const sockets = [];
  const server = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => sockets.forEach((socket) => socket.destroy()));
  t.after(() => server.close());
  const client = new HmacdClient({ targets: [`127.0.0.1:${server.address().port}`], ...caller, timeoutMillis: 300 });
  t.after(() => client.close());
  const start = performance.now();
  await assert.rejects(
    keyOf(client).generate('hello'),
    like({ reason: 'DEADLINE_EXCEEDED', attempts: 1, mayHaveRun: false }),
  );
  assert.ok(performance.now() - start >= 250, 'ended early'); // Not 300: the deadline uses another clock.
});

test('close ends a TLS handshake', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const client = new HmacdClient({ targets: [`127.0.0.1:${server.address().port}`], ...caller, timeoutMillis: 300 });
  const connected = once(server, 'connection');
  await assert.rejects(keyOf(client).generate('hello'), like({ reason: 'DEADLINE_EXCEEDED' }));
  const [socket] = await connected;
  t.after(() => socket.destroy());
  await client.close();
  await once(socket.on('error', () => {}).resume(), 'close', { signal: AbortSignal.timeout(60_000) });
});

test('private keys in PKCS#8, PKCS#1 and SEC1 are read', async (t) => {
  const fake = await tlsFake(t);
  const path = folder(t);
  const sec1 = convertKey(caller.privateKey, join(path, 'sec1'), 'ec');
  const withParameters = join(path, 'parameters');
  convertKey(caller.privateKey, withParameters, 'pkey', '-traditional');
  for (const privateKey of [caller.privateKey, sec1, withParameters]) {
    await keyOf(fake.client({ ...caller, privateKey })).generate('hello');
  }
});

for (const [name, setting, problem, change] of [
  ['a missing file', 'ca', /ENOENT/, (files) => ({ ca: `${files.ca}.none` })],
  [
    'a certificate that is no PEM',
    'certificate',
    /no certificate in PEM/,
    (files) => overwrite(files.certificate, 'none'),
  ],
  [
    'a damaged certificate',
    'ca',
    /damaged certificate/,
    (files) => overwrite(files.ca, '-----BEGIN CERTIFICATE-----\nMAAA\n-----END CERTIFICATE-----\n'),
  ],
  ['a certificate as the key', 'privateKey', /no private key/, (files) => ({ privateKey: files.certificate })],
  ['the key of another certificate', 'privateKey', /another key/, () => ({ privateKey: daemon.privateKey })],
  [
    'an encrypted key',
    'privateKey',
    /encrypted/,
    (files) => void convertKey(caller.privateKey, files.privateKey, 'pkey', '-aes256', '-passout', 'pass:secret'),
  ],
  ['a certificate that has ended', 'certificate', /ended at/, () => authority.issue('caller', -1)],
  ['a folder', 'ca', /EISDIR|not a regular file/, (files) => ({ ca: dirname(files.ca) })],
  ['a device without an end', 'ca', /is not a regular file/, () => ({ ca: '/dev/zero' })],
  [
    'a file of more than 1 MiB',
    'certificate',
    /has more than 1048576 bytes/,
    (files) => appendFileSync(files.certificate, Buffer.alloc((1 << 20) + 1 - statSync(files.certificate).size, '\n')),
  ],
  [
    'a sparse file of 1 TiB',
    'privateKey',
    /has more than 1048576 bytes/,
    (files) => truncateSync(files.privateKey, 2 ** 40),
  ],
  ['a key that is too short for TLS', 'certificate', /not usable for TLS/, (files) => writeShortKey(files)],
]) {
  test(`${name} is an error of the constructor`, (t) => {
    const files = copies(t, caller);
    const settings = { targets: ['localhost:1'], ...files, ...change(files) };
    assert.throws(
      () => new HmacdClient(settings),
      (error) =>
        like({ name: 'InvalidSetting', setting, value: settings[setting] })(error) && problem.test(error.message),
    );
  });
}

test('a file of 1 MiB is read', (t) => {
  const files = copies(t, caller);
  appendFileSync(files.ca, Buffer.alloc((1 << 20) - statSync(files.ca).size, '\n'));
  const client = new HmacdClient({ targets: ['localhost:1'], ...files });
  return client.close();
});

function makeFifo(path) {
  rmSync(path);
  execFileSync('mkfifo', [path]);
}

for (const setting of ['ca', 'certificate', 'privateKey']) {
  test(`a FIFO in the place of ${setting} does not block the constructor`, (t) => {
    const files = copies(t, caller);
    makeFifo(files[setting]);
    const source = `
      const { HmacdClient } = require('hmacd-client');
      try {
        HmacdClient.fromEnv();
      } catch (error) {
        console.log(error.message);
      }
    `;
    const { ca: HMACD_CA, certificate: HMACD_CERT, privateKey: HMACD_KEY } = files;
    const env = { ...process.env, HMACD_TARGET: 'localhost:1', HMACD_CA, HMACD_CERT, HMACD_KEY };
    const options = { env, timeout: 60_000, encoding: 'utf8' };
    const { stdout } = spawnSync(process.execPath, ['--eval', source], options);
    assert.match(stdout, new RegExp(`^INVALID_ARGUMENT: ${setting} is wrong: ${files[setting]} is not a regular file`));
  });
}

test('a FIFO blocks no call, no doctor and no thread of Node', async (t) => {
  const fake = await tlsFake(t);
  const files = copies(t, caller);
  const client = fake.client({ ...files, fileIntervalMillis: 1000, timeoutMillis: 60_000 });
  const key = keyOf(client);
  await key.generate('hello');
  makeFifo(files.privateKey);
  for (let i = 0; i < 5; i++) { // More than the threads of libuv.
    fake.failNext(1, 'UNAUTHENTICATED');
    await key.generate('hello');
  }
  assert.deepEqual(await client.doctor(), [`failed: ${fake.target}, files: ${files.privateKey} is not a regular file`]);
  await readFile(files.ca);
});

/** Makes the reads of files hang, as of a network file system. Returns their number, and the function that ends it. */
function hangReads(t) {
  const open = fs.open;
  let end;
  const ended = new Promise((resolve) => (end = resolve));
  t.after(() => end());
  const { mock } = t.mock.method(fs, 'open', async (...options) => {
    await ended;
    return open(...options);
  });
  return { count: () => mock.callCount(), end };
}

test('at most one read of the files is in flight', async (t) => {
  const files = copies(t, caller);
  let renewals = 0;
  const watch = new TlsFileWatch(files, 1, () => renewals++);
  t.after(() => watch.stop());
  const reads = hangReads(t);
  const first = watch.reload();
  const others = [watch.reload(), watch.inspect(), watch.reload()];
  for (let i = 0; i < 10; i++) {
    await new Promise((resolve) => setTimeout(resolve, 2)); // The timer of the watch.
  }
  assert.equal(reads.count(), 1);
  replace(files, { ca: authority.ca, ...authority.issue('renewed') });
  reads.end();
  await Promise.all([first, ...others]);
  assert.equal(renewals, 1);
  assert.deepEqual(watch.set.certificate, readFileSync(files.certificate));
});

test('a call waits for a read of the files until its deadline', async (t) => {
  const fake = await tlsFake(t);
  const client = fake.client({ ...caller, timeoutMillis: 60_000 });
  await keyOf(client).generate('hello');
  const reads = hangReads(t);
  fake.failNext(1, 'UNAUTHENTICATED');
  const error = await keyOf(client).generate('hello', { timeoutMillis: 3000 }).catch((caught) => caught);
  like({ reason: 'DEADLINE_EXCEEDED', attempts: 1, mayHaveRun: false })(error);
  assert.equal(reads.count(), 1);
});

test('doctor does not wait for a read of the files that does not end', async (t) => {
  const fake = await tlsFake(t);
  const client = fake.client({ ...caller, timeoutMillis: 500 });
  hangReads(t);
  assert.deepEqual(await client.doctor(), [`failed: ${fake.target}, files: the read of the files does not end`]);
});

function overwrite(path, content) {
  writeFileSync(path, content);
}

test('new files are used without a new client', async (t) => {
  const fake = await tlsFake(t);
  const files = copies(t, otherCaller); // The daemon refuses its certificate.
  const key = keyOf(fake.client({ ...files, fileIntervalMillis: 1000, timeoutMillis: 30_000 }));
  const call = key.generate('hello');
  replace(files, caller);
  assert.equal((await call).length, 32);
});

test('a renewal replaces the connection, and fails no call', async (t) => {
  const fake = await tlsFake(t);
  const files = copies(t, caller);
  const key = keyOf(fake.client({ ...files, fileIntervalMillis: 1000 }));
  await key.generate('hello');
  replace(files, { ca: authority.ca, ...authority.issue('renewed') });
  const limit = performance.now() + 60_000;
  while (fake.calls.at(-1).peer === fake.calls[0].peer) {
    assert.ok(performance.now() < limit, 'no new connection in 60 s');
    await Promise.all(Array.from({ length: 5 }, () => key.generate('hello')));
  }
});

test('the client keeps its certificate if the new files are not good', async (t) => {
  const fake = await tlsFake(t);
  const files = copies(t, caller);
  const client = fake.client({ ...files, fileIntervalMillis: 1000 });
  await keyOf(client).generate('hello');
  writeFileSync(files.privateKey, 'none');
  fake.failNext(1, 'UNAUTHENTICATED'); // The client reads the files.
  await keyOf(client).generate('hello');
  assert.equal(fake.calls.length, 3);
});

test('after UNAUTHENTICATED, the client makes the attempt again on a new connection, once', async (t) => {
  const fake = await tlsFake(t);
  const key = keyOf(fake.client(caller));
  await key.generate('hello');
  fake.failNext(1, 'UNAUTHENTICATED');
  await key.generate('hello');
  const peers = fake.calls.map((call) => call.peer);
  assert.equal(peers.length, 3);
  assert.equal(peers[0], peers[1]);
  assert.notEqual(peers[1], peers[2]);
  fake.failNext(2, 'UNAUTHENTICATED');
  await assert.rejects(key.generate('hello'), like({ reason: 'UNAUTHENTICATED', attempts: 2, mayHaveRun: false }));
});

test('after UNAUTHENTICATED, the client uses new files at once', async (t) => {
  const fake = await tlsFake(t);
  const files = copies(t, caller);
  const key = keyOf(fake.client({ ...files, fileIntervalMillis: 5000 }));
  await key.generate('hello');
  replace(files, { ...caller, ca: otherAuthority.ca }); // So that the next connection fails.
  fake.failNext(1, 'UNAUTHENTICATED');
  await assert.rejects(key.generate('hello', { timeoutMillis: 2000 }), like({ reason: 'TLS_FAILED' }));
});

test('a read of the files that ends after close opens no channel', async (t) => {
  const files = copies(t, caller);
  let renewals = 0;
  const watch = new TlsFileWatch(files, 5000, () => renewals++);
  replace(files, { ca: authority.ca, ...authority.issue('renewed') });
  const reading = watch.reload();
  watch.stop();
  await reading;
  assert.equal(renewals, 0);
});
