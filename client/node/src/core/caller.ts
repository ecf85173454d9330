import { setMaxListeners } from 'node:events';
import { CallState, clientClosed } from './call-state.js';
import { Cancellation } from './cancellation.js';
import type { Channels } from './channels.js';
import { beforeCall, Closed } from './errors.js';
import { damage, localFailure, type Failure } from './failure.js';
import type { Picker } from './picker.js';
import { Retries, RetryBudget } from './retry.js';
import type { CheckedSettings } from './settings.js';
import { CallReporter } from './telemetry.js';

/** The limits of one call. */
export interface CallOptions {
  /** Cancels the call. `AbortSignal.timeout()` is a deadline: its error is `DeadlineExceeded`. */
  readonly signal?: AbortSignal | undefined;
  /** The deadline of the call from now, 1 ms to 1 h. The setting `timeoutMillis` limits it. */
  readonly timeoutMillis?: number | undefined;
}

/** A call, ready to be sent. */
export interface Call<Answer> {
  /** `/package.Service/Method`. */
  readonly path: string;
  readonly request: Uint8Array;
  /** The length of the message in bytes, for `MessageTooLong`. */
  readonly size: number;
  /** Whether a retry is safe. */
  readonly repeatable: boolean;
  /** Reads the answer. An error means damage in transit, and its text says how. */
  readonly read: (response: Uint8Array) => Answer;
}

type Outcome<Answer> = { readonly answer: Answer } | { readonly failure: Failure; readonly renew: () => Promise<void> };

const CLOSE_MILLIS = 5000;

/** Makes calls: selects the target of each attempt, retries, and keeps deadlines. */
export class Caller {
  readonly #budget = new RetryBudget();
  readonly #reporter: CallReporter;
  readonly #running = new Map<Cancellation, Promise<unknown>>();
  #closing: Promise<void> | undefined;

  /** @param random the randomness of the back-off, 0 to below 1 */
  constructor(
    private readonly settings: CheckedSettings,
    private readonly channels: Channels,
    private readonly picker: Picker,
    private readonly random: () => number,
  ) {
    this.#reporter = new CallReporter(settings.telemetry);
  }

  /** The deadline of a call from its start, without an earlier one of the caller. */
  get timeoutMillis(): number {
    return this.settings.timeoutMillis;
  }

  /** @throws HmacdError if the call fails */
  async call<Answer>(call: Call<Answer>, options: CallOptions = {}): Promise<Answer> {
    const { signal, timeoutMillis = this.settings.timeoutMillis } = checkOptions(options);
    if (this.#closing !== undefined) {
      throw new Closed(beforeCall('CLOSED', 'the client is closed'));
    }
    const deadline = performance.now() + Math.min(this.settings.timeoutMillis, timeoutMillis);
    const cancellation = new Cancellation();
    const abort = () => cancellation.cancel(signal?.reason);
    if (signal?.aborted) {
      abort();
    }
    if (signal !== undefined) {
      setMaxListeners(0, signal); // Many calls share the signal of the end of a program. Each removes its listener.
      signal.addEventListener('abort', abort);
    }
    const running = this.#report(call, deadline, cancellation);
    this.#running.set(cancellation, running);
    try {
      return await running;
    } finally {
      this.#running.delete(cancellation);
      signal?.removeEventListener('abort', abort);
    }
  }

  /** Refuses new calls, waits up to 5 s for calls in flight, and cancels the others. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const cancelAll = () => [...this.#running.keys()].forEach((cancellation) => cancellation.cancel(clientClosed));
    const timer = setTimeout(cancelAll, CLOSE_MILLIS);
    await Promise.allSettled(this.#running.values());
    clearTimeout(timer);
    this.channels.close();
  }

  async #report<Answer>(call: Call<Answer>, deadline: number, cancellation: Cancellation): Promise<Answer> {
    const state = new CallState(call);
    const end = this.#reporter.start(call.path);
    let reason: string | undefined;
    try {
      return await this.#attempts(call, state, deadline, cancellation);
    } catch (error) {
      reason = state.errorType || 'INTERNAL';
      throw error;
    } finally {
      end({ target: state.target, attempts: state.attempts, reason });
    }
  }

  async #attempts<Answer>(
    call: Call<Answer>,
    state: CallState,
    deadline: number,
    cancellation: Cancellation,
  ): Promise<Answer> {
    const retries = new Retries(call.repeatable, this.#budget, this.random);
    let late = false;
    for (;;) {
      if (cancellation.cancelled) {
        throw state.cancelled(cancellation.reason);
      }
      if (late || performance.now() >= deadline) {
        throw state.error(localFailure('DEADLINE_EXCEEDED', 'the deadline passed before the next attempt', true));
      }
      const outcome = await this.#attempt(call, state, deadline, cancellation);
      if ('answer' in outcome) {
        if (state.attempts === 1) {
          this.#budget.succeeded();
        }
        return outcome.answer;
      }
      const { failure, renew } = outcome;
      state.failed(failure);
      if (cancellation.cancelled) {
        throw state.cancelled(cancellation.reason);
      }
      const now = performance.now();
      const step = retries.next(failure, deadline - now, this.picker.hasUsable(now));
      if (step === 'fail') {
        throw state.error(failure);
      }
      if (step.reload) {
        late = true; // Not by the clock: a timer of Node can fire a millisecond too early.
        await sleep(
          deadline - now,
          cancellation,
          renew().then(() => {
            late = false;
          }),
        );
      }
      if (step.delayMillis > 0) {
        await sleep(step.delayMillis, cancellation);
      }
    }
  }

  async #attempt<Answer>(
    call: Call<Answer>,
    state: CallState,
    deadline: number,
    cancellation: Cancellation,
  ): Promise<Outcome<Answer>> {
    const now = performance.now();
    const pick = this.picker.pick(now);
    const connection = this.channels.current(pick.index);
    state.attempted(this.settings.targets[pick.index]!.name);
    const remaining = deadline - now;
    // A change is not repeated, so it has the whole time of the call.
    const limited = call.repeatable && pick.limited && this.settings.attemptTimeoutMillis < remaining;
    const result = await connection.attempt({
      path: call.path,
      request: call.request,
      deadline: limited ? now + this.settings.attemptTimeoutMillis : deadline,
      waits: () => !pick.usable && !this.picker.hasUsable(performance.now()),
      cancellation,
    });
    const renew = () => this.channels.renew(pick.index, connection);
    if ('failure' in result) {
      const failure = limited ? asAttemptTimeout(result.failure) : result.failure;
      this.#settle(pick, failure, cancellation);
      return { failure, renew };
    }
    this.picker.answered(pick);
    try {
      return { answer: call.read(result.response) };
    } catch (error) {
      return { failure: damage((error as Error).message, result.requestId), renew };
    }
  }

  #settle(pick: ReturnType<Picker['pick']>, failure: Failure, cancellation: Cancellation): void {
    if (cancellation.cancelled) {
      this.picker.ended(pick);
    } else if (failure.transport) {
      this.picker.failed(pick, performance.now());
    } else if (failure.answered) {
      this.picker.answered(pick);
    } else {
      this.picker.ended(pick);
    }
  }
}

/** Ends after the time, at the cancellation, or with the promise, if there is one. */
function sleep(millis: number, cancellation: Cancellation, promise?: Promise<void>): Promise<void> {
  if (cancellation.cancelled) {
    return Promise.resolve();
  }
  return new Promise((resolve, reject) => {
    let ended = false;
    const end = (settle: () => void) => {
      if (!ended) {
        ended = true;
        clearTimeout(timer);
        cancellation.ignore();
        settle();
      }
    };
    const timer = setTimeout(end, millis, resolve);
    cancellation.listen(() => end(resolve));
    promise?.then(
      () => end(resolve),
      (error: unknown) => end(() => reject(error as Error)),
    );
  });
}

/** A deadline of the attempt, before that of the call, is a transport failure. */
function asAttemptTimeout(failure: Failure): Failure {
  return failure.reason === 'DEADLINE_EXCEEDED'
    ? { ...failure, text: 'no answer within the attempt timeout', transport: true }
    : failure;
}

/**
 * @throws TypeError for an unknown option, or one of a wrong type
 * @throws RangeError for a value out of range
 */
export function checkOptions(options: CallOptions): CallOptions {
  const unknown = Object.keys(options).find((name) => name !== 'signal' && name !== 'timeoutMillis');
  if (unknown !== undefined) {
    throw new TypeError(`${unknown} is no option of a call: the options are signal and timeoutMillis`);
  }
  const { signal, timeoutMillis } = options;
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw new TypeError('signal must be an AbortSignal');
  }
  if (timeoutMillis !== undefined && !(timeoutMillis >= 1 && timeoutMillis <= 3_600_000)) {
    throw new RangeError(`timeoutMillis must be 1 to 3600000, but is ${timeoutMillis}`);
  }
  return options;
}
