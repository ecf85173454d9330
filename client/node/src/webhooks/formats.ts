import { allMacs, base64Mac, hexMac, parseSeconds, type Format } from './format.js';

/** GitHub: `X-Hub-Signature-256`. */
export const githubFormat: Format = {
  timed: false,
  prefix: () => '',
  headers: (mac) => ({ 'X-Hub-Signature-256': `sha256=${mac.toString('hex')}` }),
  parse: (header) => {
    const [, hex = ''] = /^sha256=(.*)$/.exec(header('x-hub-signature-256') ?? '') ?? [];
    const macs = allMacs([hexMac(hex)]);
    return macs && { macs, stamp: { id: '', seconds: 0 } };
  },
};

/** Stripe: `Stripe-Signature`, with `t` and one or more `v1`. Other elements are ignored. */
export const stripeFormat: Format = {
  timed: true,
  prefix: ({ seconds }) => `${seconds}.`,
  headers: (mac, { seconds }) => ({ 'Stripe-Signature': `t=${seconds},v1=${mac.toString('hex')}` }),
  parse: (header) => {
    const elements = (header('stripe-signature') ?? '').split(',').map((element) => element.split('='));
    const values = (name: string) =>
      elements.filter(([found]) => found === name).map(([, ...value]) => value.join('='));
    const times = values('t');
    const seconds = times.length === 1 ? parseSeconds(times[0]) : undefined;
    const macs = allMacs(values('v1').map(hexMac));
    return macs && seconds !== undefined ? { macs, stamp: { id: '', seconds } } : undefined;
  },
};

/** Slack: `X-Slack-Signature` and `X-Slack-Request-Timestamp`. */
export const slackFormat: Format = {
  timed: true,
  prefix: ({ seconds }) => `v0:${seconds}:`,
  headers: (mac, { seconds }) => ({
    'X-Slack-Signature': `v0=${mac.toString('hex')}`,
    'X-Slack-Request-Timestamp': `${seconds}`,
  }),
  parse: (header) => {
    const [, hex = ''] = /^v0=(.*)$/.exec(header('x-slack-signature') ?? '') ?? [];
    const macs = allMacs([hexMac(hex)]);
    const seconds = parseSeconds(header('x-slack-request-timestamp'));
    return macs && seconds !== undefined ? { macs, stamp: { id: '', seconds } } : undefined;
  },
};

/** Standard Webhooks: `webhook-id`, `webhook-timestamp` and `webhook-signature` with one or more `v1`. */
export const standardFormat: Format = {
  timed: true,
  prefix: ({ id, seconds }) => `${id}.${seconds}.`,
  headers: (mac, { id, seconds }) => ({
    'webhook-id': id,
    'webhook-timestamp': `${seconds}`,
    'webhook-signature': `v1,${mac.toString('base64')}`,
  }),
  parse: (header) => {
    const id = header('webhook-id') ?? '';
    const seconds = parseSeconds(header('webhook-timestamp'));
    // Signatures of other versions, for example v1a with a public key, are ignored.
    const signatures = (header('webhook-signature') ?? '')
      .split(' ')
      .filter((signature) => signature.startsWith('v1,'));
    const macs = allMacs(signatures.map((signature) => base64Mac(signature.slice('v1,'.length))));
    return macs && seconds !== undefined && isWebhookId(id) ? { macs, stamp: { id, seconds } } : undefined;
  },
};

/** Whether a text is an id of Standard Webhooks. A dot would make the signed text ambiguous. */
export function isWebhookId(id: unknown): id is string {
  return typeof id === 'string' && /^[!-\-/-~]{1,256}$/.test(id);
}
