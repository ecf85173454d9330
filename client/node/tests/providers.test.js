// Webhooks with the libraries of their providers on the other side. python/tests has the library of Slack.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sign, verify } from '@octokit/webhooks-methods';
import { InvalidMac } from 'hmacd-client';
import { github, standardWebhooks, stripe } from 'hmacd-client/webhooks';
import { Webhook } from 'standardwebhooks';
import { Stripe } from 'stripe';
import { fakeKey, secret, vectors } from './support.js';

const { body } = vectors.webhooks;
const text = secret.toString('latin1'); // The key of the vectors is ASCII.

/** The functions of each provider: `verify` returns false or throws for a wrong signature. */
const providers = {
  github: {
    scheme: github,
    sign: async () => ({ 'X-Hub-Signature-256': await sign(text, body) }),
    verify: async (headers, signed) => assert.ok(await verify(text, signed, headers['X-Hub-Signature-256'])),
  },
  stripe: {
    scheme: stripe,
    sign: () => ({
      'Stripe-Signature': new Stripe('none').webhooks.generateTestHeaderString({ payload: body, secret: text }),
    }),
    verify: (headers, signed) =>
      new Stripe('none').webhooks.signature.verifyHeader(signed, headers['Stripe-Signature'], text, 300),
  },
  'Standard Webhooks': {
    scheme: standardWebhooks,
    sign: () => {
      const now = new Date();
      return {
        'webhook-id': 'msg_2',
        'webhook-timestamp': String(Math.floor(now / 1000)),
        'webhook-signature': new Webhook(secret.toString('base64')).sign('msg_2', now, body),
      };
    },
    verify: (headers, signed) => new Webhook(secret.toString('base64')).verify(signed, headers),
  },
};

for (const [name, provider] of Object.entries(providers)) {
  test(`${name}: the provider's library verifies a signature of hmacd`, async (t) => {
    const { key } = await fakeKey(t);
    const headers = await provider.scheme.sign(body, key);
    await provider.verify(headers, body);
    await assert.rejects(async () => provider.verify(headers, `${body} `));
  });

  test(`${name}: hmacd verifies a signature of the provider's library`, async (t) => {
    const { key } = await fakeKey(t);
    const headers = await provider.sign();
    await provider.scheme.verify(headers, body, key);
    await assert.rejects(provider.scheme.verify(headers, `${body} `, key), InvalidMac);
  });
}
