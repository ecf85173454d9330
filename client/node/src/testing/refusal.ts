import { create, toBinary } from '@bufbuild/protobuf';
import { anyPack, DurationSchema } from '@bufbuild/protobuf/wkt';
import { Metadata, status, type StatusObject } from '@grpc/grpc-js';
import { ErrorInfoSchema, RetryInfoSchema } from '../gen/google/rpc/error_details_pb.js';
import { StatusSchema } from '../gen/google/rpc/status_pb.js';
import type { ErrorReason } from '../gen/hmacd/v1/error_reason_pb.js';

/** A name of `ErrorReason` of the contract. */
export type DaemonReason = Exclude<keyof typeof ErrorReason, 'UNSPECIFIED'>;

/** The status code of each reason, as in error_reason.proto. */
const codes: Readonly<Record<DaemonReason, status>> = {
  UNAUTHENTICATED: status.UNAUTHENTICATED,
  ACCESS_DENIED: status.PERMISSION_DENIED,
  INVALID_FIELD: status.INVALID_ARGUMENT,
  UNKNOWN_FIELD: status.INVALID_ARGUMENT,
  GRANT_TOKENS_NOT_SUPPORTED: status.UNIMPLEMENTED,
  KEY_VERSION_NOT_SUPPORTED: status.UNIMPLEMENTED,
  CHECKSUM_MISMATCH: status.INVALID_ARGUMENT,
  INVALID_PAGE_TOKEN: status.INVALID_ARGUMENT,
  INVALID_KEY_ID: status.INVALID_ARGUMENT,
  KEY_NOT_FOUND: status.NOT_FOUND,
  ALIAS_NOT_FOUND: status.NOT_FOUND,
  ALIAS_ALREADY_EXISTS: status.ALREADY_EXISTS,
  LIMIT_EXCEEDED: status.RESOURCE_EXHAUSTED,
  KEY_NOT_USABLE: status.FAILED_PRECONDITION,
  INVALID_KEY_USAGE: status.INVALID_ARGUMENT,
  KMS_INVALID_MAC: status.INVALID_ARGUMENT,
  DRY_RUN_OPERATION: status.FAILED_PRECONDITION,
  TOKEN_OBJECT_NOT_FOUND: status.NOT_FOUND,
  TOKEN_OBJECT_AMBIGUOUS: status.FAILED_PRECONDITION,
  TOKEN_OBJECT_UNFIT: status.FAILED_PRECONDITION,
  TOKEN_OBJECT_TAKEN: status.ALREADY_EXISTS,
  TOKEN_OBJECT_RESERVED: status.PERMISSION_DENIED,
  MECHANISM_NOT_SUPPORTED: status.FAILED_PRECONDITION,
  TOKEN_BUSY: status.RESOURCE_EXHAUSTED,
  REGISTRY_BUSY: status.RESOURCE_EXHAUSTED,
  DEADLINE_EXCEEDED: status.DEADLINE_EXCEEDED,
  TOKEN_UNAVAILABLE: status.UNAVAILABLE,
  KEY_UNAVAILABLE: status.UNAVAILABLE,
  REGISTRY_UNAVAILABLE: status.UNAVAILABLE,
  STOPPING: status.UNAVAILABLE,
  INTERNAL: status.INTERNAL,
  KEY_NOT_PENDING_DELETION: status.FAILED_PRECONDITION,
  INVALID_TAG: status.INVALID_ARGUMENT,
  ACCESS_KEY_NOT_FOUND: status.NOT_FOUND,
  REQUEST_TOO_LONG: status.RESOURCE_EXHAUSTED,
  MEMORY_BUSY: status.RESOURCE_EXHAUSTED,
  METHOD_NOT_FOUND: status.UNIMPLEMENTED,
  SERVICE_NOT_FOUND: status.NOT_FOUND,
  RESERVED_MESSAGE: status.INVALID_ARGUMENT,
  MESSAGE_TOO_LONG: status.INVALID_ARGUMENT,
};

/** The further content of an error. */
export interface RefusalOptions {
  /** The delay of google.rpc.RetryInfo. */
  readonly retryDelayMillis?: number | undefined;
  /** The trailer `grpc-retry-pushback-ms: -1`. */
  readonly retryForbidden?: boolean | undefined;
  /** The metadata of google.rpc.ErrorInfo. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

/** An error as the daemon sends it. `CONNECTION_FAILED` is `UNAVAILABLE` without a reason, as of a proxy. */
export function refusal(reason: DaemonReason | 'CONNECTION_FAILED', options: RefusalOptions = {}): StatusObject {
  const metadata = new Metadata();
  if (options.retryForbidden) {
    metadata.set('grpc-retry-pushback-ms', '-1');
  }
  if (reason === 'CONNECTION_FAILED') {
    return { code: status.UNAVAILABLE, details: 'ordered by the test', metadata };
  }
  const info = create(ErrorInfoSchema, { domain: 'hmacd.dev', reason, metadata: { ...options.metadata } });
  const details = [anyPack(ErrorInfoSchema, info)];
  if (options.retryDelayMillis !== undefined) {
    const seconds = Math.floor(options.retryDelayMillis / 1000);
    const nanos = Math.round((options.retryDelayMillis % 1000) * 1e6);
    const retryDelay = create(DurationSchema, { seconds: BigInt(seconds), nanos });
    details.push(anyPack(RetryInfoSchema, create(RetryInfoSchema, { retryDelay })));
  }
  const code = codes[reason];
  const rpcStatus = create(StatusSchema, { code, message: 'ordered by the test', details });
  metadata.set('grpc-status-details-bin', Buffer.from(toBinary(StatusSchema, rpcStatus)));
  return { code, details: rpcStatus.message, metadata };
}
