/** The time and the id of a webhook. A format without them ignores them. */
export interface Stamp {
  readonly id: string;
  /** Seconds since 1970. */
  readonly seconds: number;
}

/** The signatures of a received webhook. */
export interface Signatures {
  /** At least one. */
  readonly macs: readonly Buffer[];
  readonly stamp: Stamp;
}

/** A format of signatures. Pure. */
export interface Format {
  /** Whether the headers have a timestamp. */
  readonly timed: boolean;
  /** The signed text before the body. */
  prefix(stamp: Stamp): string;
  /** The headers of a webhook. */
  headers(mac: Buffer, stamp: Stamp): Record<string, string>;
  /** Reads the headers; undefined if one is missing or malformed. */
  parse(header: (name: string) => string | undefined): Signatures | undefined;
}

/** The bytes of 64 hexadecimal digits; undefined for another text. */
export function hexMac(text: string): Buffer | undefined {
  return /^[0-9a-fA-F]{64}$/.test(text) ? Buffer.from(text, 'hex') : undefined;
}

/** The bytes of a MAC of HMAC_SHA_256 in base64; undefined for another text. */
export function base64Mac(text: string): Buffer | undefined {
  const mac = Buffer.from(text, 'base64');
  return mac.length === 32 && mac.toString('base64') === text ? mac : undefined;
}

/** The number of a decimal text of seconds; undefined for another text. */
export function parseSeconds(text: string | undefined): number | undefined {
  return text !== undefined && /^[1-9][0-9]{0,11}$/.test(text) ? Number(text) : undefined;
}

/** All MACs; undefined if there is none, too many, or one is malformed. */
export function allMacs(macs: readonly (Buffer | undefined)[]): Buffer[] | undefined {
  const found = macs.filter((mac) => mac !== undefined);
  // Each MAC is a call of the daemon for each key.
  return found.length === macs.length && found.length >= 1 && found.length <= MAX_MACS ? found : undefined;
}

const MAX_MACS = 8;
