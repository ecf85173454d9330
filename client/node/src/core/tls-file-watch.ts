import { FileChange } from './file-change.js';
import { TlsFileReader } from './tls-file-reader.js';
import { checkTlsFiles, readTlsFilesSync, type TlsContent, type TlsPaths, type TlsSet } from './tls-files.js';

/** The last good set of the PEM files, and a timer that reads them. The timer does not keep the process alive. */
export class TlsFileWatch {
  #set: TlsSet;
  readonly #change: FileChange;
  readonly #reader: TlsFileReader;
  readonly #timer: NodeJS.Timeout;
  #stopped = false;

  /**
   * @param renewed is called after each change of the set
   * @throws BadTlsFile if the files are not good
   */
  constructor(
    private readonly paths: TlsPaths,
    intervalMillis: number,
    private readonly renewed: () => void,
  ) {
    this.#reader = new TlsFileReader(paths);
    this.#set = checkTlsFiles(readTlsFilesSync(paths), paths, Date.now());
    this.#change = new FileChange(this.#set.digest);
    this.#timer = setInterval(() => void this.#check(), intervalMillis).unref();
  }

  /** The last good set. */
  get set(): TlsSet {
    return this.#set;
  }

  /**
   * Reads the files, and checks the set on the disk, which need not be in use.
   *
   * @throws BadTlsFile if the files are not good
   */
  async inspect(): Promise<TlsSet> {
    return checkTlsFiles(await this.#reader.read(), this.paths, Date.now());
  }

  /** Reads the files now, and uses them if they are new and good. */
  async reload(): Promise<void> {
    const content = await this.#read();
    if (content !== undefined) {
      this.#use(content);
    }
  }

  /** Also a read in progress has no effect then. */
  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
  }

  async #check(): Promise<void> {
    if (this.#reader.busy) {
      return;
    }
    const content = await this.#read();
    if (content !== undefined && this.#change.observe(content.digest)) {
      this.#use(content);
    }
  }

  async #read(): Promise<TlsContent | undefined> {
    try {
      return await this.#reader.read();
    } catch {
      return undefined; // doctor() shows the reason.
    }
  }

  #use(content: TlsContent): void {
    if (this.#stopped || content.digest === this.#set.digest) {
      return;
    }
    try {
      this.#set = checkTlsFiles(content, this.paths, Date.now());
    } catch {
      return; // doctor() shows the reason.
    }
    this.renewed();
  }
}
