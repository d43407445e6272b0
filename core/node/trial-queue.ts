/** Of the cells that may have killed a process before, one at a time makes its first step: else the innocent are struck with the guilty. */
import type { Cell } from '../cell.ts';

export class TrialQueue {
  private current: Cell | undefined;
  private readonly waiting = new Set<Cell>();
  private readonly ready: (cell: Cell) => void;

  /** `ready`: called with the cell whose turn has come. */
  constructor(ready: (cell: Cell) => void) {
    this.ready = ready;
  }

  /** False: it is told when its turn comes. */
  enter(cell: Cell): boolean {
    if (this.current === undefined) this.current = cell;
    else if (this.current !== cell) this.waiting.add(cell);
    return this.current === cell;
  }

  leave(cell: Cell): void {
    this.waiting.delete(cell);
    if (this.current !== cell) return;
    this.current = undefined;
    const [next] = this.waiting;
    if (next === undefined) return;
    this.waiting.delete(next);
    this.ready(next);
  }
}
