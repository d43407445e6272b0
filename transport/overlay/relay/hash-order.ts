/** Hashes of who is registered, in their order: so that all can be told, a few at a time, without a place to be kept for who asks. */
export class HashOrder {
  /** Ascending, none twice. */
  private readonly hashes: string[] = [];

  add(hash: string): void {
    const at = this.place(hash);
    if (this.hashes[at] !== hash) this.hashes.splice(at, 0, hash);
  }

  delete(hash: string): void {
    const at = this.place(hash);
    if (this.hashes[at] === hash) this.hashes.splice(at, 1);
  }

  /** Those that are greater, ascending. */
  *after(hash: string): Generator<string, void, void> {
    const at = this.place(hash);
    for (let i = this.hashes[at] === hash ? at + 1 : at; i < this.hashes.length; i++) yield this.hashes[i] as string;
  }

  /** Of the first that is not less. */
  private place(hash: string): number {
    let low = 0;
    for (let high = this.hashes.length; low < high;) {
      const middle = (low + high) >>> 1;
      if ((this.hashes[middle] as string) < hash) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
