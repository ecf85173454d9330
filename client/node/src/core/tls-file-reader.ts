import { readTlsFiles, type TlsContent, type TlsPaths } from './tls-files.js';

/** Reads the PEM files, with at most one read in flight: a read of a network file system may never end. */
export class TlsFileReader {
  #inFlight: Promise<TlsContent> | undefined;
  #next: Promise<TlsContent> | undefined;

  constructor(private readonly paths: TlsPaths) {}

  /** Whether a read is in flight. */
  get busy(): boolean {
    return this.#inFlight !== undefined;
  }

  /**
   * The result of a read that starts after this call. All callers during a read share the next one.
   *
   * @throws BadTlsFile if a file cannot be read
   */
  read(): Promise<TlsContent> {
    if (this.#inFlight === undefined) {
      return this.#start();
    }
    const start = () => this.#start();
    this.#next ??= this.#inFlight.then(start, start);
    return this.#next;
  }

  async #start(): Promise<TlsContent> {
    this.#next = undefined;
    this.#inFlight = readTlsFiles(this.paths);
    try {
      return await this.#inFlight;
    } finally {
      if (this.#next === undefined) {
        this.#inFlight = undefined;
      }
    }
  }
}
