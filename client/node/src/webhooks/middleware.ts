import type { IncomingMessage, ServerResponse } from 'node:http';
import { HmacdError, InvalidMac, MessageTooLong } from '../core/errors.js';
import type { MacKey } from '../key.js';
import type { WebhookScheme } from './scheme.js';

/** A request of Express, or of Node. */
export type WebhookRequest = IncomingMessage & { body?: unknown };

/** The limit for keys without `maxMessageBytes`. */
const MAX_BODY_BYTES = 1 << 20;

/**
 * A middleware of Express that verifies webhooks. `request.body` is then the Buffer of the received bytes.
 *
 * Use it before any parser of the body, or after `express.raw`. It answers 401 for a wrong signature, 413 for a body
 * that is too long, and 400 if there is nothing to sign. It passes any other error to `next`: there is no verdict.
 * After an answer with status 5xx, the sender sends the webhook again.
 */
export function verifyWebhooks(
  scheme: WebhookScheme,
  keys: MacKey | readonly MacKey[],
): (request: WebhookRequest, response: ServerResponse, next: (error?: unknown) => void) => Promise<void> {
  const limits = ('generate' in keys ? [keys] : keys).map((key) => key.maxMessageBytes ?? MAX_BODY_BYTES);
  // Not more than can be verified: the sender is not known yet.
  const maxBytes = limits.length === 0 ? MAX_BODY_BYTES : Math.max(...limits);
  return async (request, response, next) => {
    let body: Buffer | undefined;
    try {
      body = await rawBody(request, maxBytes);
      if (body === undefined) {
        return answer(response, 413);
      }
      await scheme.verify(request.headers, body, keys);
      request.body = body;
    } catch (error) {
      if (error instanceof InvalidMac) {
        return answer(response, 401);
      }
      if (error instanceof HmacdError && error.reason === 'INVALID_ARGUMENT' && body?.length === 0 && !error.attempts) {
        return answer(response, 400);
      }
      return error instanceof MessageTooLong ? answer(response, 413) : next(error);
    }
    next();
  };
}

/** The received bytes; undefined if they are too long. */
async function rawBody(request: WebhookRequest, maxBytes: number): Promise<Buffer | undefined> {
  if (Buffer.isBuffer(request.body)) {
    return request.body;
  }
  if (request.readableDidRead || request.readableEnded) {
    throw new Error('the body of the webhook is parsed already: use verifyWebhooks before the parser');
  }
  const chunks: Buffer[] = [];
  let size = 0;
  // The end of the loop must not destroy the connection before the answer.
  for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) {
      return undefined;
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function answer(response: ServerResponse, statusCode: number): void {
  response.statusCode = statusCode;
  if (!response.req.complete) {
    response.setHeader('Connection', 'close'); // Without the rest of the body.
  }
  response.end();
}
