/** Bytes of a stream into lines. What it holds is the line that has not ended, and no more than `bytesMax` of it. */

const NEWLINE = 0x0a;

export class Lines {
  private readonly bytesMax: number;
  private parts: Uint8Array[] = [];
  private have = 0;

  /** Of a line, without its end. */
  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** Bytes of the line that has not ended. */
  get length(): number {
    return this.have;
  }

  /** The lines that these bytes complete, without their ends; empty ones too. Undefined: one is too long, and the stream of no use any more. Keeps `bytes`. */
  push(bytes: Uint8Array): Uint8Array[] | undefined {
    const lines: Uint8Array[] = [];
    let from = 0;
    for (let to = bytes.indexOf(NEWLINE); to >= 0; to = bytes.indexOf(NEWLINE, from)) {
      if (!this.keep(bytes.subarray(from, to))) return undefined;
      lines.push(this.parts.length === 1 ? (this.parts[0] as Uint8Array) : Buffer.concat(this.parts));
      this.parts = [];
      this.have = 0;
      from = to + 1;
    }
    return this.keep(bytes.subarray(from)) ? lines : undefined;
  }

  private keep(part: Uint8Array): boolean {
    this.have += part.length;
    if (this.have > this.bytesMax) return false;
    if (part.length > 0) this.parts.push(part);
    return true;
  }
}
