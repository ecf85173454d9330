import { credentials } from '@grpc/grpc-js';
import { Connection } from './connection.js';
import type { CheckedSettings } from './settings.js';
import type { Target } from './target.js';
import { tlsCredentials } from './tls-credentials.js';
import { TlsFileWatch } from './tls-file-watch.js';
import type { TlsSet } from './tls-files.js';

/** The channels of a client: one for each target, with the credentials of the last good set of PEM files. */
export class Channels {
  readonly #targets: readonly Target[];
  readonly #files: TlsFileWatch | undefined;
  readonly #connections: Connection[];
  readonly #old = new Set<Connection>();

  /** @throws BadTlsFile if the PEM files are not good */
  constructor({ targets, tls, fileIntervalMillis }: CheckedSettings) {
    this.#targets = targets;
    this.#files = tls && new TlsFileWatch(tls, fileIntervalMillis, () => this.#replaceAll());
    this.#connections = targets.map((target) => this.#connect(target));
  }

  /** The channel of a target for a new attempt. */
  current(index: number): Connection {
    return this.#connections[index]!;
  }

  /** Reads the files now, and opens a new channel to the target, unless `old` is replaced already. */
  async renew(index: number, old: Connection): Promise<void> {
    await this.#files?.reload();
    if (this.#connections[index] === old) {
      this.#replace(index);
    }
  }

  /**
   * Reads and checks the PEM files on the disk; undefined if all targets are Unix sockets.
   *
   * @throws BadTlsFile if the files are not good
   */
  inspectFiles(): Promise<TlsSet> | undefined {
    return this.#files?.inspect();
  }

  close(): void {
    this.#files?.stop();
    [...this.#connections, ...this.#old].forEach((connection) => connection.close());
  }

  #replaceAll(): void {
    this.#targets.forEach((_, index) => this.#replace(index));
  }

  #replace(index: number): void {
    const old = this.#connections[index]!;
    this.#connections[index] = this.#connect(this.#targets[index]!);
    this.#old.add(old);
    old.retire(() => this.#old.delete(old));
  }

  #connect(target: Target): Connection {
    return new Connection(target, target.address ? tlsCredentials(this.#files!.set) : credentials.createInsecure());
  }
}
