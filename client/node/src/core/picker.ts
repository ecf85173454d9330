const FIRST_SUSPENSION_MILLIS = 100;
const MAX_SUSPENSION_MILLIS = 5000;
const JITTER = 0.2;

/** The target of one attempt. */
export interface Pick {
  readonly index: number;
  /** Whether the target was usable. Otherwise, the attempt waits for the connection. */
  readonly usable: boolean;
  /** Whether another target was usable, so that the attempt timeout applies. */
  readonly limited: boolean;
  readonly probe: boolean;
  readonly startedAt: number;
}

interface Suspension {
  /** Failures in a row; 0 if the target is not suspended. */
  failures: number;
  since: number;
  until: number;
  probing: boolean;
}

/**
 * Selects the target of each attempt, and suspends targets that fail.
 *
 * Pure: the caller gives the time, in milliseconds of a monotonic clock, and the randomness, 0 to below 1.
 */
export class Picker {
  readonly #targets: Suspension[];
  readonly #random: () => number;
  #next = 0;

  constructor(count: number, random: () => number) {
    this.#targets = Array.from({ length: count }, () => ({ failures: 0, since: -1, until: -1, probing: false }));
    this.#random = random;
  }

  /** Whether a target takes an attempt without a wait. With one target, each attempt waits for the connection. */
  hasUsable(now: number): boolean {
    return this.#targets.length > 1 && this.#targets.some((target) => isUsable(target, now));
  }

  /** Selects the next usable target in turn, or without one that whose suspension ends first. */
  pick(now: number): Pick {
    const count = this.#targets.length;
    const usable = this.#targets.map((target) => isUsable(target, now));
    for (let step = 0; count > 1 && step < count; step++) {
      const index = (this.#next + step) % count;
      const target = this.#targets[index]!;
      if (usable[index]) {
        this.#next = (index + 1) % count;
        const probe = target.failures > 0;
        target.probing = probe;
        const limited = usable.some((other, i) => other && i !== index);
        return { index, usable: true, limited, probe, startedAt: now };
      }
    }
    const first = Math.min(...this.#targets.map((target) => target.until));
    const index = this.#targets.findIndex((target) => target.until === first);
    return { index, usable: false, limited: false, probe: false, startedAt: now };
  }

  /** The daemon answered: ends the suspension of the target. */
  answered(pick: Pick): void {
    this.ended(pick);
    const target = this.#targets[pick.index]!;
    target.failures = 0;
    target.until = -1;
  }

  /** The attempt had a transport failure: suspends the target. */
  failed(pick: Pick, now: number): void {
    this.ended(pick);
    const target = this.#targets[pick.index]!;
    if (target.failures > 0 && pick.startedAt < target.since) {
      return; // The attempt began before the suspension: both failed for one reason.
    }
    const suspension = Math.min(FIRST_SUSPENSION_MILLIS * 2 ** target.failures, MAX_SUSPENSION_MILLIS);
    const jitter = 1 - JITTER + 2 * JITTER * this.#random();
    target.failures++;
    target.since = now;
    target.until = now + Math.min(suspension * jitter, MAX_SUSPENSION_MILLIS);
  }

  /** The attempt ended without an answer or a failure of the target, for example by cancellation. */
  ended(pick: Pick): void {
    if (pick.probe) {
      this.#targets[pick.index]!.probing = false;
    }
  }
}

function isUsable(target: Suspension, now: number): boolean {
  return !target.probing && now >= target.until;
}
