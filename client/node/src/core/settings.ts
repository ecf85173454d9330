import { inspect } from 'node:util';
import { InvalidSetting } from './errors.js';
import { parseTarget, type Target } from './target.js';
import type { Telemetry } from './telemetry.js';
import type { TlsPaths } from './tls-files.js';

/** The settings of a client. */
export interface Settings extends Telemetry {
  /** 1 to 16 daemons, each `host:port` or `unix:/absolute/path`. */
  readonly targets: readonly string[];
  /** The path of the PEM file with the authorities of the daemons. Required for `host:port`. */
  readonly ca?: string | undefined;
  /** The path of the PEM file with the client's certificate, and its chain. Required for `host:port`. */
  readonly certificate?: string | undefined;
  /** The path of the PEM file with the private key of the certificate. Required for `host:port`. */
  readonly privateKey?: string | undefined;
  /** The deadline of a call, if the caller has no earlier deadline, 1 ms to 1 h. Default: 5,000 ms. */
  readonly timeoutMillis?: number | undefined;
  /** The limit of an attempt while another target is usable, 1 ms to 1 h. Default: 1,000 ms. */
  readonly attemptTimeoutMillis?: number | undefined;
  /** The maximum length of a message, 1 byte to 1 MiB. The daemon has its own maximum. Default: 65,536 bytes. */
  readonly maxMessageBytes?: number | undefined;
  /** The period of the check of the PEM files, 1,000 to 5,000 ms. Default: 2,000 ms. */
  readonly fileIntervalMillis?: number | undefined;
}

/** Settings with valid values and defaults. */
export interface CheckedSettings {
  readonly targets: readonly Target[];
  /** Undefined if all targets are Unix sockets. */
  readonly tls: TlsPaths | undefined;
  readonly timeoutMillis: number;
  readonly attemptTimeoutMillis: number;
  readonly maxMessageBytes: number;
  readonly fileIntervalMillis: number;
  readonly telemetry: Telemetry;
}

const HOUR_MILLIS = 3_600_000;
const names = [
  'targets',
  'ca',
  'certificate',
  'privateKey',
  'timeoutMillis',
  'attemptTimeoutMillis',
  'maxMessageBytes',
  'fileIntervalMillis',
  'tracer',
  'meter',
];

/**
 * Checks settings, and adds the defaults.
 *
 * @throws InvalidSetting with the name and the value of the first wrong setting
 */
export function checkSettings(given: Settings): CheckedSettings {
  if (typeof given !== 'object' || given === null) {
    throw outOfRange('settings', given, 'must be an object');
  }
  for (const [name, value] of Object.entries(given)) {
    if (!names.includes(name)) {
      // Not the value, which may be the content of a file.
      throw new InvalidSetting(name, typeOf(value), `is no setting: the settings are ${names.join(', ')}`);
    }
  }
  const targets = checkTargets(given.targets);
  return {
    targets,
    tls: targets.some(({ address }) => address) ? checkPaths(given) : undefined,
    timeoutMillis: checkNumber('timeoutMillis', given.timeoutMillis, 5000, 1, HOUR_MILLIS),
    attemptTimeoutMillis: checkNumber('attemptTimeoutMillis', given.attemptTimeoutMillis, 1000, 1, HOUR_MILLIS),
    maxMessageBytes: checkNumber('maxMessageBytes', given.maxMessageBytes, 65_536, 1, 1 << 20),
    fileIntervalMillis: checkNumber('fileIntervalMillis', given.fileIntervalMillis, 2000, 1000, 5000),
    telemetry: {
      tracer: checkMethod('tracer', given.tracer, 'startSpan'),
      meter: checkMethod('meter', given.meter, 'createHistogram'),
    },
  };
}

/** The settings in `HMACD_TARGET` (separated by commas), `HMACD_CA`, `HMACD_CERT` and `HMACD_KEY`. */
export function settingsFromEnv(env: NodeJS.ProcessEnv): Settings {
  const targets = env.HMACD_TARGET?.split(',').map((target) => target.trim());
  if (targets === undefined) {
    throw outOfRange('HMACD_TARGET', undefined, 'must be set to the targets');
  }
  return { targets, ca: env.HMACD_CA, certificate: env.HMACD_CERT, privateKey: env.HMACD_KEY };
}

function checkTargets(given: unknown): Target[] {
  if (!Array.isArray(given) || given.length < 1 || given.length > 16) {
    throw outOfRange('targets', given, 'must be an array of 1 to 16 targets');
  }
  return given.map((text, i) => {
    const target = parseTarget(text);
    if (target === undefined) {
      throw outOfRange(`targets[${i}]`, text, 'must be host:port or unix:/absolute/path');
    }
    return target;
  });
}

function checkPaths(given: Settings): TlsPaths {
  const { ca, certificate, privateKey } = given;
  return {
    ca: checkPath('ca', ca),
    certificate: checkPath('certificate', certificate),
    privateKey: checkPath('privateKey', privateKey),
  };
}

function checkPath(name: string, value: unknown): string {
  if (typeof value === 'string' && value !== '' && !isFileContent(value)) {
    return value;
  }
  // Not the value, which may be the content of the file.
  throw outOfRange(name, value === undefined ? undefined : typeOf(value), 'must be the path of a PEM file');
}

function checkNumber(name: string, value: unknown, defaultValue: number, least: number, most: number): number {
  if (value === undefined) {
    return defaultValue;
  }
  if (typeof value !== 'number' || !Number.isInteger(value) || value < least || value > most) {
    throw outOfRange(name, value, `must be an integer of ${least} to ${most}`);
  }
  return value;
}

function checkMethod<T extends object>(name: string, value: T | undefined, method: keyof T & string): T | undefined {
  if (value !== undefined && typeof value[method] !== 'function') {
    throw outOfRange(name, value, `must be a ${name} of OpenTelemetry`);
  }
  return value;
}

function outOfRange(name: string, given: unknown, rule: string): InvalidSetting {
  const value = hasFileContent(given) ? typeOf(given) : given;
  return new InvalidSetting(name, value, `${rule}, but is ${inspect(value, { depth: 1, breakLength: Infinity })}`);
}

/** Whether a value of another setting may be the content of a file, for example a private key. */
function hasFileContent(value: unknown): boolean {
  if (typeof value === 'string') {
    return isFileContent(value);
  }
  return Array.isArray(value) ? value.some(hasFileContent) : ArrayBuffer.isView(value);
}

function isFileContent(text: string): boolean {
  return /[\0\r\n]|-----BEGIN/.test(text);
}

function typeOf(value: unknown): string {
  return `(${typeof value})`;
}
