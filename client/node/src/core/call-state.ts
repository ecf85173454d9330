import { errorOf, HmacdError, MessageTooLong } from './errors.js';
import { isRetryable, type Failure } from './failure.js';

/** What is known about a call in flight, for its error and its telemetry. */
export class CallState {
  target = '';
  attempts = 0;
  /** The attribute `error.type` of the error: a text of a peer would have any number of values. */
  errorType = '';
  #requestId = '';
  #mayHaveRun = false;
  #transport: Failure | undefined;

  constructor(private readonly call: { readonly request: Uint8Array; readonly size: number }) {}

  attempted(target: string): void {
    this.target = target;
    this.attempts++;
  }

  failed(failure: Failure): void {
    this.#requestId = failure.requestId || this.#requestId;
    this.#mayHaveRun ||= failure.mayHaveRun;
    if (failure.transport) {
      this.#transport = failure;
    }
  }

  /**
   * The error of the call after its last failure. If the deadline passed while the call waited for a connection, the
   * error is that of the connection.
   */
  error(last: Failure): HmacdError {
    const waited = last.reason === 'DEADLINE_EXCEEDED' && last.notSent;
    return this.#error(waited ? (this.#transport ?? last) : last);
  }

  /**
   * The error of a call that was cancelled.
   *
   * @param reason that of the cancellation
   */
  cancelled(reason: unknown): HmacdError {
    if (reason === clientClosed) {
      return this.#error({ reason: 'CLOSED', text: 'the client was closed before the answer' });
    }
    if (reason instanceof Error && reason.name === 'TimeoutError') {
      return this.#error({ reason: 'DEADLINE_EXCEEDED', text: 'the time of the signal passed before the answer' });
    }
    return this.#error({ reason: 'CANCELLED', text: 'the caller cancelled the call' });
  }

  #error(
    failure: Pick<Failure, 'reason' | 'unknown' | 'text' | 'limit' | 'size' | 'retryDelayMillis'>,
  ): HmacdError {
    const { target, attempts } = this;
    const { reason, unknown = false, text, limit, size } = failure;
    this.errorType = unknown ? 'UNKNOWN' : reason;
    const retryable = isRetryable(failure);
    const details = {
      reason,
      text,
      retryable,
      mayHaveRun: this.#mayHaveRun,
      target,
      attempts,
      requestId: this.#requestId,
    };
    if (unknown) {
      return new HmacdError(details);
    }
    switch (reason) {
      case 'MESSAGE_TOO_LONG':
        return new MessageTooLong(details, limit ?? 0, size || this.call.size);
      case 'REQUEST_TOO_LONG':
        return new MessageTooLong(details, limit ?? 0, this.call.request.length);
      default:
        return errorOf(details);
    }
  }
}

/** The reason of the cancellation of a call by `close`. */
export const clientClosed = Symbol('the client is closed');
