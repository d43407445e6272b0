/** What was made of texts before. When there are too many all are forgotten: strangers can make it slow at worst, never large. */
export class Remembered<V> {
  private readonly max: number;
  private readonly make: (text: string) => V;
  private readonly known = new Map<string, V>();

  /** `make` gives the same for the same text. */
  constructor(max: number, make: (text: string) => V) {
    this.max = max;
    this.make = make;
  }

  get size(): number {
    return this.known.size;
  }

  of(text: string): V {
    const known = this.known.get(text);
    if (known !== undefined || this.known.has(text)) return known as V;
    if (this.known.size >= this.max) this.known.clear();
    const made = this.make(text);
    this.known.set(text, made);
    return made;
  }
}
