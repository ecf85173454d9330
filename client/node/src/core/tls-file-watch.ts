import { FileChange } from './file-change.js';
import { checkTlsFiles, readTlsFiles, readTlsFilesSync, type TlsContent, type TlsPaths, type TlsSet } from './tls-files.js';

/** The last good set of the PEM files, and a timer that reads them. The timer does not keep the process alive. */
export class TlsFileWatch {
  #set: TlsSet;
  #problem: string | undefined;
  readonly #change: FileChange;
  readonly #timer: NodeJS.Timeout;

  /**
   * @param renewed is called after each change of the set
   * @throws BadTlsFile if the files are not good
   */
  constructor(
    readonly paths: TlsPaths,
    intervalMillis: number,
    private readonly renewed: () => void,
  ) {
    this.#set = checkTlsFiles(readTlsFilesSync(paths), paths, Date.now());
    this.#change = new FileChange(this.#set.digest);
    this.#timer = setInterval(() => void this.#check(), intervalMillis).unref();
  }

  /** The last good set. */
  get set(): TlsSet {
    return this.#set;
  }

  /** Why the files on the disk are not in use; undefined if they are. */
  get problem(): string | undefined {
    return this.#problem;
  }

  /** Reads the files now, and uses them if they are new and good. */
  async reload(): Promise<void> {
    const content = await this.#read();
    if (content !== undefined) {
      this.#use(content);
    }
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  async #check(): Promise<void> {
    const content = await this.#read();
    if (content === undefined) {
      return;
    }
    if (this.#change.observe(content.digest) || content.digest === this.#set.digest) {
      this.#use(content);
    }
  }

  async #read(): Promise<TlsContent | undefined> {
    try {
      return await readTlsFiles(this.paths);
    } catch (error) {
      this.#problem = (error as Error).message;
      return undefined;
    }
  }

  #use(content: TlsContent): void {
    this.#problem = undefined;
    if (content.digest === this.#set.digest) {
      return;
    }
    try {
      this.#set = checkTlsFiles(content, this.paths, Date.now());
    } catch (error) {
      this.#problem = (error as Error).message;
      return;
    }
    this.renewed();
  }
}
