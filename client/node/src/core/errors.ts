import { inspect } from 'node:util';
import type { ErrorReason } from '../gen/hmacd/v1/error_reason_pb.js';

/** A reason that the client itself gives. */
export type LocalReason =
  | 'CONNECTION_FAILED'
  | 'TLS_FAILED'
  | 'DEADLINE_EXCEEDED'
  | 'CANCELLED'
  | 'CLOSED'
  | 'MESSAGE_TOO_LONG'
  | 'INVALID_ARGUMENT';

/** A name of `ErrorReason` of the contract, a local reason, or a name of a newer daemon. */
export type Reason = Exclude<keyof typeof ErrorReason, 'UNSPECIFIED'> | LocalReason | (string & {});

/** The outcome of a failed call. */
export interface ErrorDetails {
  /** Why the call failed. Branch on it. */
  readonly reason: Reason;
  /** What is wrong, without a message, a MAC or a key. */
  readonly text: string;
  /** Whether the same call may succeed later. */
  readonly retryable: boolean;
  /** False only if the daemon certainly has not executed the call. */
  readonly mayHaveRun: boolean;
  /** The target of the last attempt; empty if there was none. */
  readonly target: string;
  /** The number of attempts, 0 or more. */
  readonly attempts: number;
  /** The request id of the daemon's last answer; empty if there was none. */
  readonly requestId: string;
}

/** The details of an error without an attempt. */
export function beforeCall(reason: Reason, text: string): ErrorDetails {
  return { reason, text, retryable: false, mayHaveRun: false, target: '', attempts: 0, requestId: '' };
}

/** A text of a peer in one line, without control characters. */
export function oneLine(text: string): string {
  return text.replace(/[\s\p{Cc}]+/gu, ' ').trim();
}

/** An error of a call. Any error other than {@link InvalidMac} is no verdict about a MAC. */
export class HmacdError extends Error {
  override readonly name: string = 'HmacdError';
  readonly reason: Reason;
  readonly retryable: boolean;
  readonly mayHaveRun: boolean;
  readonly target: string;
  readonly attempts: number;
  readonly requestId: string;

  constructor(details: ErrorDetails) {
    const line = oneLine(details.text);
    const where = details.target === '' ? 'no target' : `target ${details.target}`;
    super(`${details.reason}: ${line} (${where}, ${details.attempts} attempts)`);
    this.reason = details.reason;
    this.retryable = details.retryable;
    this.mayHaveRun = details.mayHaveRun;
    this.target = details.target;
    this.attempts = details.attempts;
    this.requestId = details.requestId;
  }

  /** All fields, for `JSON.stringify`. The stack is not a part. */
  toJSON(): object {
    return { ...this, name: this.name, message: this.message };
  }
}

/** The MAC is wrong: do not trust the message. */
export class InvalidMac extends HmacdError {
  override readonly name = 'InvalidMac';
}

/** The message is longer than the client or the daemon permits. */
export class MessageTooLong extends HmacdError {
  override readonly name = 'MessageTooLong';

  /**
   * @param limit the maximum length of a message or request, in bytes; 0 if the daemon did not report it
   * @param size the length of the message in bytes; after `REQUEST_TOO_LONG`, that of the request
   */
  constructor(
    details: ErrorDetails,
    readonly limit: number,
    readonly size: number,
  ) {
    super(details);
  }
}

/** A setting is unknown, has a wrong type, or is out of range. */
export class InvalidSetting extends HmacdError {
  override readonly name = 'InvalidSetting';

  /** @param problem what is wrong: the end of a sentence about the setting */
  constructor(
    readonly setting: string,
    readonly value: unknown,
    problem: string,
  ) {
    super(beforeCall('INVALID_ARGUMENT', `${setting} ${problem}`));
  }

  /** The value is text: a value of a wrong type may have cycles. */
  override toJSON(): object {
    return { ...super.toJSON(), value: inspect(this.value, { depth: 1 }) };
  }
}

/** No connection, because TLS failed. The text has the cause. */
export class TlsFailed extends HmacdError {
  override readonly name = 'TlsFailed';
}

/** The client is closed. */
export class Closed extends HmacdError {
  override readonly name = 'Closed';
}

/** The deadline of the call has passed. */
export class DeadlineExceeded extends HmacdError {
  override readonly name = 'DeadlineExceeded';
}

/** The error of the type for its reason, which is not an unknown reason of a daemon. */
export function errorOf(details: ErrorDetails): HmacdError {
  switch (details.reason) {
    case 'KMS_INVALID_MAC':
      return new InvalidMac(details);
    case 'TLS_FAILED':
      return new TlsFailed(details);
    case 'CLOSED':
      return new Closed(details);
    case 'DEADLINE_EXCEEDED':
      return new DeadlineExceeded(details);
    default:
      return new HmacdError(details);
  }
}
