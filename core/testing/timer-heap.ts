/** Timers by deadline, then by order of their making: a binary heap, because a simulation sets and cancels millions of them. */
export interface HeapTimer {
  readonly at: number;
  readonly order: number;
  /** Undefined: cancelled or fired. */
  fn: (() => void) | undefined;
}

const before = (a: HeapTimer, b: HeapTimer): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);

export class TimerHeap<T extends HeapTimer> {
  private readonly heap: T[] = [];

  /** The first one that is not cancelled. */
  peek(): T | undefined {
    while (this.heap[0] !== undefined && this.heap[0].fn === undefined) this.pop();
    return this.heap[0];
  }

  push(timer: T): void {
    const { heap } = this;
    let i = heap.push(timer) - 1;
    while (i > 0) {
      const up = (i - 1) >> 1;
      const parent = heap[up] as T;
      if (!before(timer, parent)) break;
      heap[i] = parent;
      i = up;
    }
    heap[i] = timer;
  }

  pop(): void {
    const { heap } = this;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let i = 0;
    for (;;) {
      let down = 2 * i + 1;
      if (down >= heap.length) break;
      if (down + 1 < heap.length && before(heap[down + 1] as T, heap[down] as T)) down++;
      if (!before(heap[down] as T, last)) break;
      heap[i] = heap[down] as T;
      i = down;
    }
    heap[i] = last;
  }

  count(): number {
    return this.heap.reduce((n, t) => (t.fn === undefined ? n : n + 1), 0);
  }
}
