/** Who is to be woken when: a binary heap with one entry for each key. Keeps nothing of a key that is not on it. */
export class Agenda<Key> {
  private readonly entries = new Map<Key, Entry<Key>>();
  private readonly heap: Entry<Key>[] = [];

  /** In place of the time that it had. `at`: ms; Infinity: not at all. */
  set(key: Key, at: number): void {
    if (at === Infinity) return this.delete(key);
    const known = this.entries.get(key);
    if (known !== undefined) {
      known.at = at;
      this.settle(known);
      return;
    }
    const entry = { key, at, index: this.heap.length };
    this.entries.set(key, entry);
    this.heap.push(entry);
    this.settle(entry);
  }

  delete(key: Key): void {
    const entry = this.entries.get(key);
    if (entry === undefined) return;
    this.entries.delete(key);
    const last = this.heap.pop();
    if (last === undefined || last === entry) return;
    this.put(last, entry.index);
    this.settle(last);
  }

  /** ms; Infinity: nobody is on it. */
  nextAt(): number {
    return this.at(0);
  }

  /** Who is due, each once, the earliest first, at most `max`; they are no longer on the agenda. */
  due(now: number, max = Infinity): readonly Key[] {
    const keys: Key[] = [];
    for (let [first] = this.heap; first !== undefined && first.at <= now && keys.length < max; [first] = this.heap) {
      this.delete(first.key);
      keys.push(first.key);
    }
    return keys;
  }

  get size(): number {
    return this.entries.size;
  }

  /** Moves an entry to where its time belongs. */
  private settle(entry: Entry<Key>): void {
    while (entry.index > 0) {
      const parent = (entry.index - 1) >> 1;
      if (this.at(parent) <= entry.at) break;
      this.swap(entry, parent);
    }
    for (;;) {
      const left = 2 * entry.index + 1;
      const child = this.at(left + 1) < this.at(left) ? left + 1 : left;
      if (this.at(child) >= entry.at) return;
      this.swap(entry, child);
    }
  }

  private swap(entry: Entry<Key>, index: number): void {
    const other = this.heap[index];
    if (other === undefined) return;
    this.put(other, entry.index);
    this.put(entry, index);
  }

  private put(entry: Entry<Key>, index: number): void {
    entry.index = index;
    this.heap[index] = entry;
  }

  /** Infinity: nobody is there. */
  private at(index: number): number {
    return this.heap[index]?.at ?? Infinity;
  }
}

interface Entry<Key> {
  readonly key: Key;
  at: number;
  /** Where it is in the heap. */
  index: number;
}
