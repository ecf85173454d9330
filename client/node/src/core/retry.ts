import { isMarkedUnknown, type Failure } from './failure.js';

const FIRST_BACK_OFF_MILLIS = 50;
const MAX_BACK_OFF_MILLIS = 1000;
const BUDGET_TOKENS = 100;
const TOKENS_OF_SUCCESS = 0.1;

/** Bounds the retries of a client: a bucket of 100 tokens. */
export class RetryBudget {
  #tokens = BUDGET_TOKENS;

  /** A call succeeded at its first attempt. */
  succeeded(): void {
    this.#tokens = Math.min(this.#tokens + TOKENS_OF_SUCCESS, BUDGET_TOKENS);
  }

  /** Takes the token of a retry. Returns false if there is none. */
  take(): boolean {
    if (this.#tokens < 1) {
      return false;
    }
    this.#tokens -= 1;
    return true;
  }
}

/** What happens after a failed attempt. */
export type Step = 'fail' | { readonly delayMillis: number; readonly reload: boolean };

const busyOrUnavailable: ReadonlySet<string> = new Set([
  'TOKEN_UNAVAILABLE',
  'KEY_UNAVAILABLE',
  'REGISTRY_UNAVAILABLE',
  'TOKEN_BUSY',
  'REGISTRY_BUSY',
  'MEMORY_BUSY',
]);
const once: ReadonlySet<string> = new Set(['CHECKSUM_MISMATCH', 'UNAUTHENTICATED']);

/** The retries of one call. Pure: the randomness is given, 0 to below 1. */
export class Retries {
  readonly #used = new Set<string>();
  #attempts = 0;

  constructor(
    private readonly repeatable: boolean,
    private readonly budget: RetryBudget,
    private readonly random: () => number,
  ) {}

  /**
   * Decides after a failed attempt.
   *
   * @param remainingMillis the time until the deadline of the call
   * @param anotherUsable whether the next attempt has a usable target
   */
  next(failure: Failure, remainingMillis: number, anotherUsable: boolean): Step {
    this.#attempts++;
    const delayMillis = this.#delay(failure, anotherUsable);
    if (!this.repeatable || failure.retryForbidden || delayMillis === undefined || delayMillis >= remainingMillis) {
      return 'fail';
    }
    if (!failure.notSent && !this.budget.take()) {
      return 'fail';
    }
    return { delayMillis, reload: failure.reason === 'UNAUTHENTICATED' };
  }

  /** The delay before the next attempt in milliseconds; undefined if there is none. */
  #delay(failure: Failure, anotherUsable: boolean): number | undefined {
    if (failure.transport) {
      // Without a usable target, the next attempt could fail as fast as this one.
      return anotherUsable || failure.notSent ? 0 : this.#wait(failure);
    }
    if (once.has(failure.reason)) {
      if (this.#used.has(failure.reason)) {
        return undefined;
      }
      this.#used.add(failure.reason);
      return 0;
    }
    return busyOrUnavailable.has(failure.reason) || isMarkedUnknown(failure) ? this.#wait(failure) : undefined;
  }

  /**
   * The delay of the daemon plus the back-off, so that clients do not retry together. After a delay of 0, with which
   * the daemon says that a wait changes nothing, there is none.
   */
  #wait({ retryDelayMillis }: Failure): number {
    return retryDelayMillis === 0 ? 0 : (retryDelayMillis ?? 0) + this.#backOff();
  }

  /** Full jitter: a random time up to a limit that doubles with each attempt. */
  #backOff(): number {
    return this.random() * Math.min(FIRST_BACK_OFF_MILLIS * 2 ** (this.#attempts - 1), MAX_BACK_OFF_MILLIS);
  }
}
