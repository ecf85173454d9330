// The types of the package: tsc compiles this file, and each line after an expected error must have one.

import { metrics, trace } from '@opentelemetry/api';
import { HmacdClient, type Key, type MacKey } from 'hmacd-client';
import { KeyService, KeySpec } from 'hmacd-client/contract';
import { signJwt, verifyJwt } from 'hmacd-client/jwt';
import { FakeHmacd } from 'hmacd-client/testing';
import { github, verifyWebhooks } from 'hmacd-client/webhooks';

const telemetry = { tracer: trace.getTracer('test'), meter: metrics.getMeter('test') };

export async function permitted(client: HmacdClient): Promise<void> {
  const key: Key = client.key('alias/orders', 'HMAC_SHA_256');
  const mac: Buffer = await key.generate('hello', { signal: AbortSignal.timeout(100) });
  await key.verify(new Uint8Array(5), mac, { timeoutMillis: 100 });
  const { keyMetadata } = await client.call(KeyService.method.createKey, { keySpec: KeySpec.HMAC_256 });
  const id: string | undefined = keyMetadata?.keyId;
  const headers: Record<string, string> = await github.sign('body', key);
  await github.verify(headers, 'body', [key]);
  verifyWebhooks(github, key);
  const { sub } = await verifyJwt(await signJwt({ sub: id ?? '' }, { key, kid: 'k' }), {
    keys: { k: key },
    issuer: 'a',
  });
  const fake = await FakeHmacd.start({ k: { algorithm: 'HMAC_SHA_224', secret: mac } });
  fake.failNext(1, 'TOKEN_BUSY');
  new HmacdClient({ targets: [fake.target, sub ?? ''], ...telemetry });
  // A fake key of the application's own tests.
  const own: MacKey = { algorithm: 'HMAC_SHA_256', generate: async () => mac, verify: async () => {} };
  await github.sign('body', own);
}

export async function refused(client: HmacdClient, key: Key): Promise<void> {
  // @ts-expect-error
  new HmacdClient({ targets: ['a:1'], timeout: 5 });
  // @ts-expect-error
  client.key('alias/orders', 'HS256');
  // @ts-expect-error
  await key.verify('hello', 'c2lnbmF0dXJl');
  // @ts-expect-error
  await client.call(KeyService.method.createKey, { keySpec: 'HMAC_256' });
  // @ts-expect-error
  await client.call(KeyService.method.createKey, { spec: KeySpec.HMAC_256 });
  // @ts-expect-error
  (await FakeHmacd.start({})).failNext(1, 'BUSY');
}
