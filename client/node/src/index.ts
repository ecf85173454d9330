export { HmacdClient } from './client.js';
export type { MacAlgorithm } from './core/algorithms.js';
export type { CallOptions } from './core/caller.js';
export {
  Closed,
  DeadlineExceeded,
  HmacdError,
  InvalidMac,
  InvalidSetting,
  MessageTooLong,
  TlsFailed,
  type Reason,
} from './core/errors.js';
export type { Settings } from './core/settings.js';
export type { Meter, Telemetry, Tracer } from './core/telemetry.js';
export type { Key, MacKey } from './key.js';
