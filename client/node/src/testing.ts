/** A fake of hmacd for tests. */
export { FakeHmacd, type FakeCall, type Listener } from './testing/fake.js';
export type { FakeKey } from './testing/daemon.js';
export type { DaemonReason, RefusalOptions } from './testing/refusal.js';
