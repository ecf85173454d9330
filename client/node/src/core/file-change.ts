/**
 * Decides when changed files are complete: their content is new, and the same at two reads in a row.
 *
 * Pure: the owner reads the files.
 */
export class FileChange {
  #seen: string;
  #handled: string;

  /** @param digest that of the content in use */
  constructor(digest: string) {
    this.#seen = digest;
    this.#handled = digest;
  }

  /** Takes the digest of a read. Returns whether the content is new and complete, once for each content. */
  observe(digest: string): boolean {
    const stable = digest === this.#seen;
    this.#seen = digest;
    if (!stable || digest === this.#handled) {
      return false;
    }
    this.#handled = digest;
    return true;
  }
}
