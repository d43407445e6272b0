/** Who is to be woken when: a binary heap with one entry that counts for each key. */
export class Agenda<Key> {
  private readonly times = new Map<Key, number>();
  private heap: { readonly at: number; readonly key: Key }[] = [];

  /** Infinity: not at all. */
  set(key: Key, at: number): void {
    if (at === Infinity) return this.delete(key);
    if (this.times.get(key) === at) return;
    this.times.set(key, at);
    // Entries that do not count any more stay until they come up; too many of them are thrown out at once.
    if (this.heap.length > 64 + 4 * this.times.size) {
      this.heap = Array.from(this.times, ([other, time]) => ({ at: time, key: other })).sort((a, b) => a.at - b.at);
      return;
    }
    this.heap.push({ at, key });
    this.rise(this.heap.length - 1);
  }

  delete(key: Key): void {
    this.times.delete(key);
  }

  nextAt(): number {
    for (let first = this.heap[0]; first !== undefined; first = this.heap[0]) {
      if (this.times.get(first.key) === first.at) return first.at;
      this.shift();
    }
    return Infinity;
  }

  /** Who is due, each once; they are no longer on the agenda. */
  due(now: number): readonly Key[] {
    const keys: Key[] = [];
    while (this.nextAt() <= now) {
      const { key } = this.heap[0] as { key: Key };
      this.shift();
      this.times.delete(key);
      keys.push(key);
    }
    return keys;
  }

  get size(): number {
    return this.times.size;
  }

  private shift(): void {
    const last = this.heap.pop();
    if (last === undefined || this.heap.length === 0) return;
    this.heap[0] = last;
    this.sink();
  }

  private rise(from: number): void {
    const { heap } = this;
    for (let i = from; i > 0;) {
      const parent = (i - 1) >> 1;
      if (this.at(parent) <= this.at(i)) return;
      [heap[parent], heap[i]] = [heap[i] as (typeof heap)[0], heap[parent] as (typeof heap)[0]];
      i = parent;
    }
  }

  private sink(): void {
    const { heap } = this;
    for (let i = 0; ;) {
      const [left, right] = [2 * i + 1, 2 * i + 2];
      const child = this.at(right) < this.at(left) ? right : left;
      if (this.at(i) <= this.at(child)) return;
      [heap[child], heap[i]] = [heap[i] as (typeof heap)[0], heap[child] as (typeof heap)[0]];
      i = child;
    }
  }

  private at(index: number): number {
    return this.heap[index]?.at ?? Infinity;
  }
}
