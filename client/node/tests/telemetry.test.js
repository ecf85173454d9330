import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProxyTracerProvider, SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { HmacdClient } from 'hmacd-client';
import { Authority } from './certificates.js';
import { fakeKey, like, startRefusing, unknownReasons } from './support.js';

/** A tracer and a meter that keep what they get. */
function recorder() {
  const spans = [];
  const records = [];
  const tracer = {
    startSpan(name, { kind, attributes }) {
      const span = { name, kind, attributes, ended: 0 };
      spans.push(span);
      return {
        setAttributes: (more) => Object.assign(span.attributes, more),
        setStatus: ({ code }) => (span.code = code),
        end: () => span.ended++,
      };
    },
  };
  const meter = {
    createHistogram: (name, { unit }) => ({
      record: (value, attributes) => records.push({ name, unit, value, attributes }),
    }),
  };
  return { spans, records, tracer, meter };
}

const common = { 'rpc.system': 'grpc', 'rpc.service': 'hmacd.v1.MacService' };

test('one span and one duration for each call, with all attempts', async (t) => {
  const { spans, records, tracer, meter } = recorder();
  const { fake, key } = await fakeKey(t, { tracer, meter });
  fake.failNext(1, 'TOKEN_BUSY', { retryDelayMillis: 1 });
  await key.generate('hello');
  await assert.rejects(key.verify('hello', Buffer.alloc(32)));
  const path = fake.target.slice('unix:'.length);
  const [generate, verify] = [
    { ...common, 'rpc.method': 'GenerateMac', 'server.address': path },
    { ...common, 'rpc.method': 'VerifyMac', 'server.address': path, 'error.type': 'KMS_INVALID_MAC' },
  ];
  const kind = SpanKind.CLIENT;
  assert.deepEqual(spans, [
    { name: 'hmacd.v1.MacService/GenerateMac', kind, attributes: { ...generate, 'hmacd.attempts': 2 }, ended: 1 },
    {
      name: 'hmacd.v1.MacService/VerifyMac',
      kind,
      attributes: { ...verify, 'hmacd.attempts': 1 },
      code: SpanStatusCode.ERROR,
      ended: 1,
    },
  ]);
  assert.deepEqual(
    records.map(({ name, unit, attributes }) => ({ name, unit, attributes })),
    [generate, verify].map((attributes) => ({ name: 'rpc.client.duration', unit: 'ms', attributes })),
  );
  assert.ok(records.every(({ value }) => value > 0));
});

test('unknown reasons of a daemon have one error.type', async (t) => {
  const { spans, records, tracer, meter } = recorder();
  const reasons = [...unknownReasons.keys(), 'x'.repeat(100), 'INTERNAL'];
  const { target } = await startRefusing(t, reasons.map((reason) => ({ reason })));
  const client = new HmacdClient({ targets: [target], tracer, meter });
  t.after(() => client.close());
  const key = client.key('k', 'HMAC_SHA_256');
  for (const reason of reasons) {
    await assert.rejects(key.generate('m'), like({ reason: unknownReasons.get(reason) ?? reason }));
  }
  const expected = [...reasons.slice(1).map(() => 'UNKNOWN'), 'INTERNAL'];
  assert.deepEqual(spans.map(({ attributes }) => attributes['error.type']), expected);
  assert.deepEqual(records.map(({ attributes }) => attributes['error.type']), expected);
});

test('a cancelled call has a span without a target', async (t) => {
  const { spans, tracer } = recorder();
  const { key } = await fakeKey(t, { tracer });
  await assert.rejects(key.generate('hello', { signal: AbortSignal.abort() }));
  const [{ attributes, ended }] = spans;
  assert.deepEqual(['server.address' in attributes, attributes['hmacd.attempts'], ended], [false, 0, 1]);
  assert.equal(attributes['error.type'], 'CANCELLED');
});

test("OpenTelemetry's own tracer", async (t) => {
  const { key } = await fakeKey(t, { tracer: new ProxyTracerProvider().getTracer('test') });
  assert.equal((await key.generate('hello')).length, 32);
});

for (const [target, expected] of [
  ['hmacd.example.org:1', ['hmacd.example.org', 1]],
  ['[::1]:1', ['::1', 1]],
]) {
  test(`${target} has an address and a port`, async (t) => {
    const { spans, tracer } = recorder();
    const authority = new Authority(t);
    const files = { ca: authority.ca, ...authority.issue('caller') };
    const client = new HmacdClient({ targets: [target], tracer, timeoutMillis: 1, ...files });
    t.after(() => client.close());
    await assert.rejects(client.key('k', 'HMAC_SHA_256').generate('m'));
    const [{ attributes }] = spans;
    assert.deepEqual([attributes['server.address'], attributes['server.port']], expected);
  });
}
