import type { IncomingHttpHeaders } from 'node:http';
import { randomUUID } from 'node:crypto';
import { messageBytes } from '../core/bytes.js';
import { checkOptions, type CallOptions } from '../core/caller.js';
import { beforeCall, DeadlineExceeded, HmacdError, InvalidMac } from '../core/errors.js';
import type { MacKey } from '../key.js';
import type { Format, Signatures } from './format.js';
import { isWebhookId } from './formats.js';

/** The headers of a request: those of Node, or of fetch. */
export type WebhookHeaders = IncomingHttpHeaders | Pick<Headers, 'get'> | Readonly<Record<string, string>>;

/** The limits of the calls, and the time. */
export interface WebhookOptions extends CallOptions {
  /** The time of the signature, or of its verification. Default: now. */
  readonly now?: Date | undefined;
}

/** The options of a signature. */
export interface SignOptions extends WebhookOptions {
  /** The id of Standard Webhooks: 1 to 256 printable ASCII characters without a dot. Default: a random id. */
  readonly id?: string | undefined;
}

const TOLERANCE_SECONDS = 300;

/** Signs and verifies webhooks of one format, under keys of HMAC_SHA_256. */
export class WebhookScheme {
  /** @internal */
  constructor(private readonly format: Format) {}

  /**
   * Signs a webhook. Returns the headers to send with it.
   *
   * @param body the bytes to send; a string is encoded as UTF-8
   * @throws HmacdError if the call fails
   */
  async sign(body: string | Uint8Array, key: MacKey, options: SignOptions = {}): Promise<Record<string, string>> {
    const { now = new Date(), id = `msg_${randomUUID()}`, ...callOptions } = options;
    if (!isWebhookId(id)) {
      throw new TypeError('the id must have 1 to 256 printable ASCII characters without a dot');
    }
    requireSha256([key]);
    const stamp = { id, seconds: secondsOf(now) };
    const mac = await key.generate(this.#message(stamp, body), callOptions);
    return this.format.headers(mac, stamp);
  }

  /**
   * Verifies a webhook. Returns only if one of the keys has signed it. A timestamp may be at most 300 s in the past or
   * in the future. All calls share one deadline: that of the options, or `timeoutMillis` of the client from now,
   * whichever is earlier.
   *
   * @param body the received bytes, before any parser; a string is encoded as UTF-8
   * @param keys one key, or several during a rotation
   * @throws InvalidMac for a missing or malformed header, a timestamp out of tolerance, or a signature of no key
   * @throws HmacdError of any other type if there is no verdict
   */
  async verify(
    headers: WebhookHeaders,
    body: string | Uint8Array,
    keys: MacKey | readonly MacKey[],
    options: WebhookOptions = {},
  ): Promise<void> {
    const start = performance.now();
    const { now = new Date(), ...callOptions } = options;
    checkOptions(callOptions);
    const allowed = 'generate' in keys ? [keys] : keys;
    requireSha256(allowed);
    const signatures = this.format.parse((name) => headerOf(headers, name));
    if (signatures === undefined) {
      throw invalid('a header of the signature is missing or malformed');
    }
    // The difference to an invalid Date is NaN.
    if (this.format.timed && !(Math.abs(secondsOf(now) - signatures.stamp.seconds) <= TOLERANCE_SECONDS)) {
      throw invalid(`the time stamp differs by more than ${TOLERANCE_SECONDS} s from the time of this host`);
    }
    await verifyAny(this.#message(signatures.stamp, body), signatures, allowed, callOptions, start);
  }

  #message(stamp: Signatures['stamp'], body: string | Uint8Array): Uint8Array {
    return Buffer.concat([Buffer.from(this.format.prefix(stamp)), messageBytes(body)]);
  }
}

/**
 * Returns if one key has one of the MACs. An error without a verdict hides InvalidMac: its key may match.
 *
 * @param start the time of `performance` from which the timeouts count
 */
async function verifyAny(
  message: Uint8Array,
  { macs }: Signatures,
  keys: readonly MacKey[],
  options: CallOptions,
  start: number,
): Promise<void> {
  let wrong: InvalidMac | undefined;
  let undecided: unknown;
  for (const key of keys) {
    for (const mac of macs) {
      try {
        return await key.verify(message, mac, { ...options, timeoutMillis: remaining(key, options, start) });
      } catch (error) {
        if (error instanceof InvalidMac) {
          wrong = error;
        } else if (error instanceof HmacdError && error.reason === 'RESERVED_MESSAGE') {
          wrong = reserved(error);
        } else {
          undecided ??= error;
        }
      }
    }
  }
  throw undecided ?? wrong;
}

/**
 * The milliseconds for the next call; undefined without a limit.
 *
 * @throws DeadlineExceeded if less than 1 ms is left
 */
function remaining(key: MacKey, { timeoutMillis = Infinity }: CallOptions, start: number): number | undefined {
  const limit = Math.min(timeoutMillis, key.timeoutMillis ?? Infinity);
  if (limit === Infinity) {
    return undefined;
  }
  const left = start + limit - performance.now();
  if (left < 1) {
    const details = beforeCall('DEADLINE_EXCEEDED', 'the deadline of the verification passed before this call');
    throw new DeadlineExceeded({ ...details, retryable: true });
  }
  return left;
}

function requireSha256(keys: readonly MacKey[]): void {
  if (keys.length === 0) {
    throw new TypeError('a webhook needs a key');
  }
  const other = keys.find((key) => key.algorithm !== 'HMAC_SHA_256');
  if (other !== undefined) {
    throw new HmacdError(beforeCall('INVALID_ARGUMENT', `webhooks need a key of HMAC_SHA_256, not ${other.algorithm}`));
  }
}

function invalid(text: string): InvalidMac {
  return new InvalidMac(beforeCall('KMS_INVALID_MAC', text));
}

/** hmacd makes no MAC of a reserved message, so a signature of it is wrong. */
function reserved({ mayHaveRun, target, attempts, requestId }: HmacdError): InvalidMac {
  const text = 'hmacd makes no MAC of this content, which is reserved';
  return new InvalidMac({
    ...beforeCall('KMS_INVALID_MAC', text),
    mayHaveRun,
    target,
    attempts,
    requestId,
  });
}

function headerOf(headers: WebhookHeaders, name: string): string | undefined {
  if (typeof headers.get === 'function') {
    return headers.get(name) ?? undefined;
  }
  const values = Object.entries(headers).filter(([found]) => found.toLowerCase() === name);
  const [, value] = values.length === 1 ? values[0]! : [];
  return typeof value === 'string' ? value : undefined;
}

function secondsOf(time: Date): number {
  return Math.floor(time.getTime() / 1000);
}
