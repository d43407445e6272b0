/** First in, first out. An array moves all of its elements at each `shift` when it is long; this moves them seldom. */
export class Queue<T> {
  private items: T[] = [];
  private head = 0;

  get length(): number {
    return this.items.length - this.head;
  }

  get first(): T | undefined {
    return this.items[this.head];
  }

  push(item: T): void {
    this.items.push(item);
  }

  shift(): T | undefined {
    const item = this.items[this.head];
    if (this.head < this.items.length) this.head++;
    if (this.head > 64 && this.head * 2 > this.items.length) {
      this.items = this.items.slice(this.head);
      this.head = 0;
    }
    return item;
  }

  /** The first is another now. There must be one. */
  replaceFirst(item: T): void {
    this.items[this.head] = item;
  }

  /** Removes and gives all behind the first `keep`. */
  dropBehind(keep: number): T[] {
    return this.items.splice(this.head + keep);
  }
}
