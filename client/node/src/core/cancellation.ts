/**
 * The cancellation of one call. It replaces an `AbortSignal`, which takes Node a tenth of the processor time of a call.
 */
export class Cancellation {
  #cancelled = false;
  #reason: unknown;
  #listener: (() => void) | undefined;

  get cancelled(): boolean {
    return this.#cancelled;
  }

  /** The reason of the first `cancel`. */
  get reason(): unknown {
    return this.#reason;
  }

  /** Cancels the call. Has no effect if it is cancelled. */
  cancel(reason?: unknown): void {
    if (this.#cancelled) {
      return;
    }
    this.#cancelled = true;
    this.#reason = reason;
    this.#listener?.();
  }

  /** Sets the function that a cancellation calls. A call waits for one thing at a time, so there is one listener. */
  listen(listener: () => void): void {
    this.#listener = listener;
  }

  /** Removes the listener. */
  ignore(): void {
    this.#listener = undefined;
  }
}
