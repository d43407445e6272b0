/** Who sleeps until when: a binary heap of (time, name) in which a name may be set anew. Old entries are skipped when they come up. */
export class WakeQueue {
  private readonly heap: { readonly at: number; readonly name: string }[] = [];
  private readonly times = new Map<string, number>();

  get size(): number {
    return this.times.size;
  }

  set(name: string, at: number): void {
    if (this.times.get(name) === at) return;
    this.times.set(name, at);
    this.heap.push({ at, name });
    this.up(this.heap.length - 1);
  }
  delete(name: string): void {
    this.times.delete(name);
  }
  /** ms since 1970 of the next wake; undefined: none. */
  next(): number | undefined {
    this.skip();
    return this.heap[0]?.at;
  }
  /** Names that are due, earliest first. */
  due(now: number, max: number): string[] {
    const out: string[] = [];
    for (this.skip(); out.length < max && this.heap[0] !== undefined && this.heap[0].at <= now; this.skip()) {
      const { name } = this.heap[0];
      this.pop();
      this.times.delete(name);
      out.push(name);
    }
    return out;
  }

  private skip(): void {
    while (this.heap[0] !== undefined && this.times.get(this.heap[0].name) !== this.heap[0].at) this.pop();
  }
  private pop(): void {
    const last = this.heap.pop();
    if (last === undefined || this.heap.length === 0) return;
    this.heap[0] = last;
    for (let i = 0; ;) {
      const left = 2 * i + 1;
      let least = i;
      if (left < this.heap.length && this.at(left) < this.at(least)) least = left;
      if (left + 1 < this.heap.length && this.at(left + 1) < this.at(least)) least = left + 1;
      if (least === i) return;
      this.swap(i, least);
      i = least;
    }
  }
  private up(from: number): void {
    for (let i = from; i > 0;) {
      const parent = (i - 1) >> 1;
      if (this.at(parent) <= this.at(i)) return;
      this.swap(i, parent);
      i = parent;
    }
  }
  private at(i: number): number {
    return (this.heap[i] as { at: number }).at;
  }
  private swap(i: number, j: number): void {
    const a = this.heap[i] as { at: number; name: string };
    this.heap[i] = this.heap[j] as { at: number; name: string };
    this.heap[j] = a;
  }
}
