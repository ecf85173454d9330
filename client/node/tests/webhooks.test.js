import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, request } from 'node:http';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { HmacdClient, HmacdError, InvalidMac } from 'hmacd-client';
import { github, slack, standardWebhooks, stripe, verifyWebhooks } from 'hmacd-client/webhooks';
import { fakeKey, like, startRefusing, vectors } from './support.js';

const { body, time } = vectors.webhooks;
const schemes = { github, stripe, slack, standard: standardWebhooks };
const at = (seconds) => new Date(seconds * 1000);

async function keys(t, settings) {
  const { fake, client, key } = await fakeKey(t, settings);
  return { fake, client, key, other: client.key('other', 'HMAC_SHA_256') };
}

for (const [name, scheme] of Object.entries(schemes)) {
  const headers = vectors.webhooks[name];

  test(`${name}: the signature of the vectors`, async (t) => {
    const { key } = await keys(t);
    assert.deepEqual(await scheme.sign(body, key, { now: at(time), id: 'msg_1' }), headers);
    await scheme.verify(headers, Buffer.from(body), key, { now: at(time) });
  });

  test(`${name}: headers of Node, in lower case, and of fetch`, async (t) => {
    const { key } = await keys(t);
    const lower = Object.fromEntries(Object.entries(headers).map(([header, value]) => [header.toLowerCase(), value]));
    await scheme.verify(lower, body, key, { now: at(time) });
    await scheme.verify(new Headers(headers), body, key, { now: at(time) });
  });

  test(`${name}: a signature of now`, async (t) => {
    const { key } = await keys(t);
    await scheme.verify(await scheme.sign(body, key), body, key);
  });

  test(`${name}: one of several keys is enough`, async (t) => {
    const { key, other } = await keys(t);
    await scheme.verify(headers, body, [other, key], { now: at(time) });
    await scheme.verify(headers, body, [key, other], { now: at(time) });
    await assert.rejects(scheme.verify(headers, body, [other], { now: at(time) }), InvalidMac);
    await assert.rejects(scheme.verify(headers, body, [], { now: at(time) }), TypeError);
  });

  test(`${name}: another body`, async (t) => {
    const { key } = await keys(t);
    await assert.rejects(scheme.verify(headers, `${body} `, key, { now: at(time) }), InvalidMac);
  });

  for (const missing of Object.keys(headers)) {
    test(`${name}: without ${missing}`, async (t) => {
      const { fake, key } = await keys(t);
      const { [missing]: removed, ...rest } = headers;
      await assert.rejects(scheme.verify(rest, body, key, { now: at(time) }), InvalidMac);
      const twice = { ...rest, [missing.toLowerCase()]: [removed, removed] };
      await assert.rejects(scheme.verify(twice, body, key, { now: at(time) }), InvalidMac);
      assert.equal(fake.calls.length, 0);
    });
  }

  if (name !== 'github') {
    test(`${name}: the tolerance is 300 s in both directions`, async (t) => {
      const { key } = await keys(t);
      for (const now of [time - 300, time + 300]) {
        await scheme.verify(headers, body, key, { now: at(now) });
      }
      for (const now of [time - 301, time + 301, NaN]) {
        await assert.rejects(scheme.verify(headers, body, key, { now: at(now) }), InvalidMac);
      }
    });
  }

  test(`${name}: an outage is no verdict, unless another key matches`, async (t) => {
    const { fake, key, other } = await keys(t);
    fake.failNext(1, 'INTERNAL');
    await assert.rejects(scheme.verify(headers, body, [key, other], { now: at(time) }), (error) => {
      assert.equal(error instanceof InvalidMac, false);
      return like({ reason: 'INTERNAL' })(error);
    });
    fake.failNext(1, 'INTERNAL');
    await scheme.verify(headers, body, [other, key], { now: at(time) });
  });

  test(`${name}: a key of another algorithm is refused, and is not a wrong signature`, async (t) => {
    const { client } = await keys(t);
    const sha512 = client.key('HMAC_SHA_512', 'HMAC_SHA_512');
    const isRefused = (error) => error instanceof HmacdError && !(error instanceof InvalidMac);
    await assert.rejects(scheme.verify(headers, body, sha512, { now: at(time) }), isRefused);
    await assert.rejects(scheme.sign(body, sha512), isRefused);
  });
}

const hex = vectors.webhooks.github['X-Hub-Signature-256'].slice('sha256='.length);
const stripeHex = vectors.webhooks.stripe['Stripe-Signature'].split('v1=')[1];
const { standard } = vectors.webhooks;
const base64 = standard['webhook-signature'].slice('v1,'.length);

for (const [name, header, values] of [
  [
    'github',
    'X-Hub-Signature-256',
    ['', hex, `sha1=${hex}`, `sha256=${hex}0`, `sha256=${hex} `],
  ],
  [
    'stripe',
    'Stripe-Signature',
    [
      '',
      `v1=${stripeHex}`,
      `t=${time}`,
      `t=${time},v0=${stripeHex}`,
      `t=${time},t=${time},v1=${stripeHex}`,
      `t=0${time},v1=${stripeHex}`,
      `t=${time},v1=${stripeHex},v1=zz`,
    ],
  ],
  ['slack', 'X-Slack-Signature', ['', 'v0=', 'v1=00']],
  ['slack', 'X-Slack-Request-Timestamp', ['', '-1', `${time}.0`, '1e9', 'NaN']],
  ['standard', 'webhook-id', ['', 'a.b', 'a b', 'm'.repeat(257)]],
  ['standard', 'webhook-timestamp', ['', `+${time}`]],
  ['standard', 'webhook-signature', ['', base64, `v1a,${base64}`, `v1,${base64.slice(0, -1)}`, `v1,${base64}x`, 'v1,']],
]) {
  for (const value of values) {
    test(`${name}: ${header} ${value.slice(0, 20)} is malformed`, async (t) => {
      const { fake, key } = await keys(t);
      const headers = { ...vectors.webhooks[name], [header]: value };
      await assert.rejects(schemes[name].verify(headers, body, key, { now: at(time) }), InvalidMac);
      assert.equal(fake.calls.length, 0);
    });
  }
}

for (const { format, why, accepted, headers } of vectors.webhooks.variants) {
  test(`${format}: ${why} is ${accepted ? 'accepted' : 'refused'}`, async (t) => {
    const { fake, key } = await keys(t);
    const verification = schemes[format].verify(headers, body, key, { now: at(time) });
    await (accepted ? verification : assert.rejects(verification, InvalidMac));
    assert.equal(fake.calls.length, accepted ? 1 : 0);
  });
}

test('reserved content has a wrong signature', async (t) => {
  const { fake, key, other } = await keys(t);
  const verify = () => github.verify(vectors.webhooks.github, body, [other, key], { now: at(time) });
  fake.failNext(2, 'RESERVED_MESSAGE');
  await assert.rejects(verify(), (error) => {
    assert.ok(error instanceof InvalidMac, error);
    return like({ target: fake.target, attempts: 1 })(error);
  });
  fake.failNext(1, 'RESERVED_MESSAGE');
  fake.failNext(1, 'INTERNAL');
  await assert.rejects(verify(), like({ reason: 'INTERNAL' }));
});

test('several signatures of a header: one that matches is enough, and their number is limited', async (t) => {
  const { fake, key } = await keys(t);
  const wrong = Buffer.alloc(32).toString('base64');
  const verify = (signatures) =>
    standardWebhooks.verify({ ...standard, 'webhook-signature': signatures.join(' ') }, body, key, { now: at(time) });
  await verify([`v1,${wrong}`, 'v1a,unknown', `v1,${base64}`]);
  assert.equal(fake.calls.length, 2);
  await assert.rejects(verify([...Array.from({ length: 8 }, () => `v1,${wrong}`), `v1,${base64}`]), InvalidMac);
  assert.equal(fake.calls.length, 2);
});

/** The timeouts of the four calls of a verification with two keys. Each call takes 50 ms. */
async function timeouts(t, timeoutMillis, options) {
  let now = 1000;
  t.mock.method(performance, 'now', () => now);
  const given = [];
  const key = {
    algorithm: 'HMAC_SHA_256',
    timeoutMillis,
    verify: async (message, mac, { timeoutMillis: left }) => {
      given.push(left);
      now += 50;
      throw new InvalidMac({ reason: 'KMS_INVALID_MAC', text: 'wrong', target: '', attempts: 1 });
    },
    generate: () => assert.fail(),
  };
  const signature = vectors.webhooks.stripe['Stripe-Signature'];
  const headers = { 'Stripe-Signature': `${signature},v1=${'0'.repeat(64)}` };
  const error = await stripe.verify(headers, body, [key, key], { now: at(time), ...options }).catch((caught) => caught);
  return [given, error.reason];
}

for (const [name, timeoutMillis, options, expected] of [
  ['the timeout of the client', 200.5, {}, [[200.5, 150.5, 100.5, 50.5], 'KMS_INVALID_MAC']],
  ['an earlier deadline of the caller', 200, { timeoutMillis: 60 }, [[60, 10], 'DEADLINE_EXCEEDED']],
  ['no later deadline of the caller', 100.5, { timeoutMillis: 500 }, [[100.5, 50.5], 'DEADLINE_EXCEEDED']],
  ['no deadline of a key without a timeout', undefined, {}, [Array(4).fill(undefined), 'KMS_INVALID_MAC']],
]) {
  test(`the calls of a verification share ${name}`, async (t) => {
    assert.deepEqual(await timeouts(t, timeoutMillis, options), expected);
  });
}

test('a key has the timeout of its client', async (t) => {
  const { key } = await keys(t, { timeoutMillis: 1234 });
  assert.equal(key.timeoutMillis, 1234);
});

test('wrong options are refused without a call', async (t) => {
  const { fake, key } = await keys(t);
  for (const [options, type] of [
    [{ timeoutMillis: 0 }, RangeError],
    [{ timeout: 5 }, TypeError],
  ]) {
    await assert.rejects(github.verify(vectors.webhooks.github, body, key, options), type);
  }
  assert.equal(fake.calls.length, 0);
});

test('an id with a dot is not signed', async (t) => {
  const { key } = await keys(t);
  await assert.rejects(standardWebhooks.sign(body, key, { id: 'a.b' }), TypeError);
});

/** A server with the middleware. Returns a function that posts a body, and returns the status and the answer. */
async function serve(t, key, before = () => {}, scheme = github) {
  const verify = verifyWebhooks(scheme, key);
  const server = createServer(async (request, response) => {
    await before(request);
    await verify(request, response, (error) => {
      response.statusCode = error ? 500 : 200;
      response.end(error ? String(error) : request.body);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const url = `http://127.0.0.1:${server.address().port}/`;
  const post = async (sent, headers) => {
    const response = await fetch(url, { method: 'POST', body: sent, headers: { ...headers, connection: 'close' } });
    return [response.status, await response.text()];
  };
  return Object.assign(post, { url });
}

test('the middleware passes a webhook with its bytes, and answers 401 to others', async (t) => {
  const { key } = await keys(t);
  const post = await serve(t, key);
  assert.deepEqual(await post(body, vectors.webhooks.github), [200, body]);
  assert.deepEqual(await post(`${body} `, vectors.webhooks.github), [401, '']);
  assert.deepEqual(await post(body, {}), [401, '']);
});

test('the middleware answers 413 to a body that is too long', async (t) => {
  const { key } = await keys(t);
  const post = await serve(t, key);
  assert.equal((await post('b'.repeat(65_537), vectors.webhooks.github))[0], 413);
});

test('the middleware answers 401 to reserved content', async (t) => {
  const { fake, key } = await keys(t);
  const post = await serve(t, key);
  fake.failNext(1, 'RESERVED_MESSAGE');
  assert.deepEqual(await post(body, vectors.webhooks.github), [401, '']);
});

test('the middleware buffers at most the longest message of its keys', async (t) => {
  const { fake, client, key } = await keys(t, { maxMessageBytes: 100 });
  const long = fake.client({ maxMessageBytes: 200 }).key('HMAC_SHA_256', 'HMAC_SHA_256');
  assert.deepEqual([key.maxMessageBytes, long.maxMessageBytes], [100, 200]);
  for (const [allowed, limit] of [
    [key, 100],
    [[client.key('other', 'HMAC_SHA_256'), long], 200],
    [{ algorithm: 'HMAC_SHA_256', verify: () => {}, generate: () => {} }, 1 << 20],
  ]) {
    const middleware = verifyWebhooks(github, allowed);
    let pushed = 0;
    const request = new Readable({ read() { this.push(Buffer.alloc(50)); pushed += 50; }, highWaterMark: 1 });
    request.headers = vectors.webhooks.github;
    const response = { req: { complete: true }, setHeader() {}, end() {} };
    await middleware(request, response, assert.ifError);
    assert.equal(response.statusCode, 413);
    assert.ok(pushed > limit && pushed <= limit + 200, `${pushed} of ${limit}`);
    request.destroy();
  }
});

test('the middleware answers 400 to an empty body', async (t) => {
  const { key } = await keys(t);
  const post = await serve(t, key);
  assert.equal((await post('', vectors.webhooks.github))[0], 400);
});

test('the middleware does not read a body without end', async (t) => {
  const { fake, key } = await keys(t);
  const post = await serve(t, key);
  const { port } = new URL(post.url);
  const endless = request({ port, method: 'POST', headers: vectors.webhooks.github });
  endless.on('error', () => {}); // The server closes the connection.
  t.after(() => endless.destroy());
  const chunk = Buffer.alloc(1 << 16);
  const write = () => endless.write(chunk, (error) => error ?? write());
  write();
  const [{ statusCode }] = await once(endless, 'response');
  assert.equal(statusCode, 413);
  assert.equal(fake.calls.length, 0);
});

test('the middleware passes a local reason of a daemon as an error', async (t) => {
  const { target } = await startRefusing(t, [{ reason: 'INVALID_ARGUMENT' }], 'VerifyMac');
  const client = new HmacdClient({ targets: [target] });
  t.after(() => client.close());
  const post = await serve(t, client.key('k', 'HMAC_SHA_256'), undefined, stripe);
  const headers = { 'Stripe-Signature': `t=${Math.floor(Date.now() / 1000)},v1=${'0'.repeat(64)}` };
  const [status, text] = await post('', headers); // The signed content is not empty.
  assert.equal(status, 500);
  assert.match(text, /HmacdError: UNKNOWN/);
});

test('the middleware passes an outage as an error', async (t) => {
  const { fake, key } = await keys(t);
  const post = await serve(t, key);
  fake.failNext(1, 'INTERNAL');
  const [status, text] = await post(body, vectors.webhooks.github);
  assert.equal(status, 500);
  assert.match(text, /INTERNAL/);
});

test('the middleware takes the Buffer of express.raw, and refuses a body that is parsed', async (t) => {
  const { key } = await keys(t);
  const read = async (request) => {
    const chunks = await request.toArray();
    return Buffer.concat(chunks);
  };
  const raw = await serve(t, key, async (request) => (request.body = await read(request)));
  assert.deepEqual(await raw(body, vectors.webhooks.github), [200, body]);
  const parsed = await serve(t, key, async (request) => (request.body = JSON.parse(await read(request))));
  const [status, text] = await parsed(body, vectors.webhooks.github);
  assert.equal(status, 500);
  assert.match(text, /before the parser/);
});
