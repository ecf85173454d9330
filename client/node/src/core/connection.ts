import {
  Client,
  connectivityState,
  type ChannelCredentials,
  type ChannelOptions,
  type ServiceError,
} from '@grpc/grpc-js';
import type { Cancellation } from './cancellation.js';
import { failureOf, localFailure, UNKNOWN_CAUSE, type Failure } from './failure.js';
import type { Target } from './target.js';
import { version } from '../gen/version.js';

/** One attempt of a call. */
export interface Attempt {
  /** `/package.Service/Method`. */
  readonly path: string;
  readonly request: Uint8Array;
  /** The end of the attempt, in milliseconds of `performance.now()`. */
  readonly deadline: number;
  /** Whether the attempt waits for a connection, as with gRPC's wait-for-ready. Read again while it waits. */
  readonly waits: () => boolean;
  /** Cancels the attempt, also on the wire. */
  readonly cancellation: Cancellation;
}

export type Result = { readonly response: Uint8Array; readonly requestId: string } | { readonly failure: Failure };

/** How often an attempt that waits for a connection reads why there is none. */
const WAIT_STEP_MILLIS = 1000;

const options: ChannelOptions = {
  'grpc.primary_user_agent': `hmacd-node/${version}`,
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 3000,
  'grpc.initial_reconnect_backoff_ms': 100,
  'grpc.max_reconnect_backoff_ms': 1000,
  'grpc.dns_min_time_between_resolutions_ms': 1000,
  'grpc.enable_retries': 0,
  // A new channel has a new connection. The pool would share the old one.
  'grpc.use_local_subchannel_pool': 1,
  'grpc.service_config_disable_resolution': 1,
  'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
};

/** A channel to one target. It connects at its first attempt. */
export class Connection {
  readonly #client: Client;
  readonly #secure: boolean;
  #inFlight = 0;
  #retired = false;
  #closed = false;
  /** The last failure without a connection. grpc-js forgets the cause when it resolves the name again. */
  #noConnection: Failure | undefined;
  #onClosed: () => void = () => {};

  constructor(target: Target, credentials: ChannelCredentials) {
    this.#client = new Client(target.uri, credentials, options);
    this.#secure = target.address !== undefined;
  }

  /** Makes one attempt. Never rejects. */
  async attempt(attempt: Attempt): Promise<Result> {
    this.#inFlight++;
    try {
      return attempt.waits() ? await this.#waiting(attempt) : await this.#call(attempt);
    } finally {
      this.#inFlight--;
      if (this.#retired && this.#inFlight === 0) {
        this.close();
      }
    }
  }

  /** Closes the channel after its last attempt, and then calls `closed`. */
  retire(closed: () => void): void {
    this.#retired = true;
    this.#onClosed = closed;
    if (this.#inFlight === 0) {
      this.close();
    }
  }

  /** Closes the channel now. Idempotent. */
  close(): void {
    if (this.#closed) {
      return;
    }
    this.#closed = true;
    this.#client.close();
    this.#onClosed();
  }

  // Not gRPC's own wait-for-ready, which does not tell why there is no connection.
  async #waiting(attempt: Attempt): Promise<Result> {
    let last: Failure | undefined;
    for (;;) {
      const result = await this.#call(attempt);
      if (!('failure' in result) || !result.failure.notSent || attempt.cancellation.cancelled) {
        return result;
      }
      if (result.failure.reason === 'DEADLINE_EXCEEDED') {
        return { failure: last ?? result.failure };
      }
      last = result.failure;
      const open = await this.#stateChange(attempt);
      if (!open || this.#retired || !attempt.waits()) {
        return { failure: last };
      }
    }
  }

  /** Waits until the channel may have a connection. Returns false at the deadline. */
  async #stateChange({ deadline, cancellation }: Attempt): Promise<boolean> {
    const channel = this.#client.getChannel();
    const state = channel.getConnectivityState(true);
    if (state === connectivityState.TRANSIENT_FAILURE) {
      const until = Date.now() + Math.min(deadline - performance.now(), WAIT_STEP_MILLIS);
      await new Promise<void>((resolve) => {
        const done = () => {
          cancellation.ignore();
          resolve();
        };
        cancellation.listen(done);
        channel.watchConnectivityState(state, until, done);
      });
    }
    return !cancellation.cancelled && performance.now() < deadline;
  }

  #call({ path, request, deadline: end, cancellation }: Attempt): Promise<Result> {
    if (cancellation.cancelled) {
      return Promise.resolve({ failure: localFailure('CANCELLED', 'the call was cancelled before it was sent', true) });
    }
    const deadline = Date.now() + end - performance.now(); // gRPC has no monotonic clock.
    return new Promise((resolve) => {
      let response: Uint8Array | undefined;
      let error: ServiceError | null = null;
      const call = this.#client.makeUnaryRequest(path, asBuffer, same, request, { deadline }, (failed, answer) => {
        error = failed;
        response = answer;
      });
      cancellation.listen(() => call.cancel());
      // After the callback. Only this event has the trailers of an answer.
      call.on('status', ({ metadata }) => {
        cancellation.ignore();
        const requestId = String(metadata.get('x-request-id')[0] ?? '');
        resolve(response === undefined ? { failure: this.#failure(error!) } : { response, requestId });
      });
    });
  }

  #failure(error: ServiceError): Failure {
    const failure = failureOf(error, this.#secure);
    if (failure.text === UNKNOWN_CAUSE) {
      return this.#noConnection ?? failure;
    }
    if (failure.transport && failure.notSent) {
      this.#noConnection = failure;
    }
    return failure;
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function same(bytes: Buffer): Uint8Array {
  return bytes;
}
