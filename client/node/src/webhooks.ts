/** Signatures of webhooks: GitHub, Stripe, Slack and Standard Webhooks. */
import { githubFormat, slackFormat, standardFormat, stripeFormat } from './webhooks/formats.js';
import { WebhookScheme } from './webhooks/scheme.js';

/** GitHub: `X-Hub-Signature-256`. */
export const github = new WebhookScheme(githubFormat);
/** Stripe: `Stripe-Signature`. */
export const stripe = new WebhookScheme(stripeFormat);
/** Slack: `X-Slack-Signature` and `X-Slack-Request-Timestamp`. */
export const slack = new WebhookScheme(slackFormat);
/** Standard Webhooks: `webhook-id`, `webhook-timestamp` and `webhook-signature`. */
export const standardWebhooks = new WebhookScheme(standardFormat);

export { verifyWebhooks, type WebhookRequest } from './webhooks/middleware.js';
export type { SignOptions, WebhookHeaders, WebhookOptions, WebhookScheme } from './webhooks/scheme.js';
