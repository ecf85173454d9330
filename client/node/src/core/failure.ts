import { fromBinary, type DescMessage, type MessageShape } from '@bufbuild/protobuf';
import { anyUnpack, type Any } from '@bufbuild/protobuf/wkt';
import { status, type ServiceError } from '@grpc/grpc-js';
import { ErrorInfoSchema, RetryInfoSchema } from '../gen/google/rpc/error_details_pb.js';
import { StatusSchema, type Status } from '../gen/google/rpc/status_pb.js';
import { ErrorReason } from '../gen/hmacd/v1/error_reason_pb.js';
import { oneLine, type Reason } from './errors.js';
import { tlsCause } from './tls-cause.js';

/** Why one attempt failed. */
export interface Failure {
  readonly reason: Reason;
  /** Whether the daemon gave a reason that this version does not know, or the name of a local reason. */
  readonly unknown?: boolean | undefined;
  readonly text: string;
  readonly requestId: string;
  /** Whether the failure is of the connection or the daemon, so that its target is suspended. */
  readonly transport: boolean;
  /** Whether the daemon answered. */
  readonly answered: boolean;
  /** Whether the attempt certainly did not reach the daemon. */
  readonly notSent: boolean;
  readonly mayHaveRun: boolean;
  /** The delay of the daemon's google.rpc.RetryInfo, 0 or more. */
  readonly retryDelayMillis?: number | undefined;
  /** Whether the daemon forbids a retry. */
  readonly retryForbidden: boolean;
  /** The daemon's maximum in bytes, after `MESSAGE_TOO_LONG` and `REQUEST_TOO_LONG`; 0 if it is not known. */
  readonly limit?: number | undefined;
  /** The length of the message that the daemon got, in bytes; 0 if it is not known. */
  readonly size?: number | undefined;
}

const DOMAIN = 'hmacd.dev';

/** The text of a failure without a connection whose cause grpc-js does not report. */
export const UNKNOWN_CAUSE = 'no connection';

/** Reasons after which the same call may succeed later: `[retry]` in error_reason.proto, and outages. */
const retryable: ReadonlySet<string> = new Set([
  'CHECKSUM_MISMATCH',
  'TOKEN_BUSY',
  'REGISTRY_BUSY',
  'MEMORY_BUSY',
  'DEADLINE_EXCEEDED',
  'TOKEN_UNAVAILABLE',
  'KEY_UNAVAILABLE',
  'REGISTRY_UNAVAILABLE',
  'STOPPING',
  'CONNECTION_FAILED',
]);

/** Reasons of the contract after which the daemon may have executed the call. */
const executed: ReadonlySet<string> = new Set([
  'KMS_INVALID_MAC',
  'DRY_RUN_OPERATION',
  'MEMORY_BUSY',
  'DEADLINE_EXCEEDED',
  'TOKEN_UNAVAILABLE',
  'KEY_UNAVAILABLE',
  'REGISTRY_UNAVAILABLE',
  'STOPPING',
  'INTERNAL',
]);
const reasons: ReadonlySet<string> = new Set(
  Object.keys(ErrorReason).filter((name) => !/^\d+$|^UNSPECIFIED$/.test(name)), // TypeScript adds the numbers.
);

/** Reasons that only the client itself has. */
const local: ReadonlySet<string> = new Set([
  'CONNECTION_FAILED',
  'TLS_FAILED',
  'CANCELLED',
  'CLOSED',
  'INVALID_ARGUMENT',
]);

type Mark = Pick<Failure, 'reason' | 'unknown' | 'retryDelayMillis'>;

/** Whether the same call may succeed later. */
export function isRetryable(failure: Mark): boolean {
  return failure.unknown ? isMarkedUnknown(failure) : retryable.has(failure.reason);
}

/** Whether a newer daemon permits a retry (RetryInfo) after a reason of its own. */
export function isMarkedUnknown({ unknown = false, retryDelayMillis }: Mark): boolean {
  return unknown && retryDelayMillis !== undefined;
}

/** A failure that the client itself detects, without an answer of the daemon. */
export function localFailure(reason: Reason, text: string, notSent: boolean): Failure {
  return {
    reason,
    text,
    requestId: '',
    transport: false,
    answered: false,
    notSent,
    mayHaveRun: !notSent,
    retryForbidden: false,
  };
}

/** An answer that was damaged in transit. */
export function damage(text: string, requestId: string): Failure {
  return { ...localFailure('CHECKSUM_MISMATCH', text, false), requestId, answered: true };
}

/**
 * Reads the failure of an attempt from gRPC's error.
 *
 * @param secure whether the channel has TLS
 */
export function failureOf(error: ServiceError, secure: boolean): Failure {
  const rpcStatus = statusDetails(error);
  const info = rpcStatus?.details
    .map((any) => unpacked(any, ErrorInfoSchema))
    .find((detail) => detail?.domain === DOMAIN);
  const common = {
    requestId: text(error.metadata.get('x-request-id')[0]),
    retryForbidden: text(error.metadata.get('grpc-retry-pushback-ms')[0]) === '-1',
  };
  if (info !== undefined) {
    const given = oneLine(info.reason);
    const reason = local.has(given) ? 'UNKNOWN' : given;
    const unknown = !reasons.has(reason);
    return {
      ...common,
      reason,
      unknown,
      text: error.details,
      transport: reason === 'STOPPING',
      answered: true,
      notSent: false,
      mayHaveRun: executed.has(reason) || unknown,
      retryDelayMillis: retryDelay(rpcStatus!),
      limit: bytes(info.metadata.maximum),
      size: bytes(info.metadata.given),
    };
  }
  const notSent = neverSent(error);
  const outcome = { ...common, answered: false, notSent, mayHaveRun: !notSent };
  if (error.code === status.UNAVAILABLE || streamLost(error)) {
    const cause = secure ? tlsCause(error.details) : undefined;
    return cause === undefined
      ? { ...outcome, reason: 'CONNECTION_FAILED', text: connectionText(error.details), transport: true }
      : { ...outcome, reason: 'TLS_FAILED', text: cause, transport: true };
  }
  if (error.code === status.DEADLINE_EXCEEDED) {
    return { ...outcome, reason: 'DEADLINE_EXCEEDED', text: 'the deadline passed before the answer', transport: false };
  }
  const found = `gRPC failed with ${status[error.code]}: ${error.details}`;
  return { ...outcome, reason: 'CONNECTION_FAILED', text: found, transport: false };
}

/** A number of bytes in the metadata; 0 if it is missing or not valid. */
function bytes(number: string | undefined): number {
  return /^\d{1,15}$/.test(number ?? '') ? Number(number) : 0;
}

function statusDetails(error: ServiceError): Status | undefined {
  const [bytes] = error.metadata.get('grpc-status-details-bin');
  if (!(bytes instanceof Uint8Array)) {
    return undefined;
  }
  try {
    return fromBinary(StatusSchema, bytes);
  } catch {
    return undefined;
  }
}

/** A detail of another type, or a damaged one, is undefined: this code runs in an event of gRPC, and must not throw. */
function unpacked<Desc extends DescMessage>(any: Any, schema: Desc): MessageShape<Desc> | undefined {
  try {
    return anyUnpack(any, schema);
  } catch {
    return undefined;
  }
}

function retryDelay(rpcStatus: Status): number | undefined {
  for (const any of rpcStatus.details) {
    const delay = unpacked(any, RetryInfoSchema)?.retryDelay;
    if (delay !== undefined) {
      return Math.max(Number(delay.seconds) * 1000 + delay.nanos / 1e6, 0);
    }
  }
  return undefined;
}

// grpc-js reports a stream that ended with its connection also with these codes. A cancellation by the caller is not
// read from the status.
function streamLost({ code, details }: ServiceError): boolean {
  return code === status.CANCELLED || (code === status.INTERNAL && details.startsWith('Received RST_STREAM'));
}

// The texts of grpc-js for calls that never had a stream. For another text, the call may have run.
function neverSent({ code, details }: ServiceError): boolean {
  switch (code) {
    case status.UNAVAILABLE:
      return /^(\w+: )?No connection established|^No addresses resolved|^Name resolution failed|^Channel closed/.test(
        details,
      );
    case status.DEADLINE_EXCEEDED:
      return /Waiting for LB pick|name resolution/.test(details) && !details.includes('remote_addr=');
    default:
      return false;
  }
}

/** The last error of the connection, without the prefixes and the time of grpc-js. */
function connectionText(details: string): string {
  const [, last = details] =
    /^.*Last error: (?:Error: )?(.*?)\.?(?: \(\d{4}-\S+\))?(?: Resolution note: .*)?$/.exec(details) ?? [];
  return last === 'null' ? UNKNOWN_CAUSE : last;
}

function text(value: string | Buffer | undefined): string {
  return typeof value === 'string' ? value : '';
}
