import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { after, before, test } from 'node:test';
import { ServerCredentials } from '@grpc/grpc-js';
import { HmacdClient } from 'hmacd-client';
import { Authority, copies, serverTls } from './certificates.js';
import { startFake } from './support.js';

let authority, otherAuthority, caller;
const cleanups = [];
before(() => {
  const scope = { after: (cleanup) => cleanups.push(cleanup) };
  authority = new Authority(scope);
  otherAuthority = new Authority(scope, 'other');
  caller = { ca: authority.ca, ...authority.issue('caller') };
});
after(() => cleanups.forEach((cleanup) => cleanup()));

function tlsFake(t, pair = authority.issue('127.0.0.1')) {
  const credentials = ServerCredentials.createSsl(...serverTls(authority, pair));
  return startFake(t, { address: '127.0.0.1:0', credentials });
}

async function doctor(t, settings) {
  const client = new HmacdClient({ timeoutMillis: 30_000, ...settings });
  t.after(() => client.close());
  return client.doctor();
}

test('targets that are well: over TLS and over a Unix socket', async (t) => {
  const [tls, unix] = [await tlsFake(t), await startFake(t)];
  const [first, second] = await doctor(t, { targets: [tls.target, unix.target], ...caller });
  const end = /\d{4}-\d\d-\d\dT[\d:.]+Z/.source;
  const facts = `TLSv1.3, the daemon's certificate ends at ${end}, the client's certificate ends at ${end}, SERVING`;
  assert.match(first, new RegExp(`^ok: ${tls.target}, ${facts}$`));
  assert.equal(second, `ok: ${unix.target}, SERVING`);
  assert.equal(tls.calls.length + unix.calls.length, 0);
});

test('the files', async (t) => {
  const { target } = await tlsFake(t);
  const files = copies(t, caller);
  const client = new HmacdClient({ targets: [target], ...files });
  t.after(() => client.close());
  writeFileSync(files.privateKey, 'none');
  const [line] = await client.doctor();
  assert.equal(line, `failed: ${target}, files: ${files.privateKey} has no private key in PKCS#8, PKCS#1 or SEC1`);
});

test('a name that does not exist', async (t) => {
  const [line] = await doctor(t, { targets: ['hmacd.invalid:8443'], ...caller });
  assert.match(line, /^failed: hmacd\.invalid:8443, name: hmacd\.invalid was not found \(E\w+\)$/);
});

test('a refused connection, over TCP and to a Unix socket', async (t) => {
  const [tls, unix] = [await tlsFake(t), await startFake(t)];
  [tls, unix].forEach((fake) => fake.stop());
  const lines = await doctor(t, { targets: [tls.target, unix.target], ...caller });
  assert.equal(lines[0], `failed: ${tls.target}, connection: refused`);
  assert.match(lines[1], /, connection: (refused|failed \(ENOENT\))$/);
});

test('a peer that does not speak TLS', async (t) => {
  const server = createServer((socket) => socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const [line] = await doctor(t, { targets: [`127.0.0.1:${server.address().port}`], ...caller });
  assert.match(line, /, TLS: the peer does not answer as a TLS server$/);
});

for (const [name, pair, settings, expected] of [
  ['a daemon that is not trusted', undefined, () => ({ ca: otherAuthority.ca }), /certificate: not trusted/],
  ['a daemon whose certificate has ended', () => authority.issue('127.0.0.1', -1), () => ({}), /certificate: ended/],
  [
    'a daemon with another name',
    () => authority.issue('hmacd.example.org'),
    () => ({}),
    /name: its certificate is not for 127/,
  ],
  ['a refused client certificate', undefined, () => otherAuthority.issue('caller'), /, client certificate: /],
]) {
  test(name, async (t) => {
    const fake = await tlsFake(t, pair?.());
    const [line] = await doctor(t, { targets: [fake.target], ...caller, ...settings() });
    assert.match(line, expected);
    assert.match(line, /^failed: /);
  });
}
