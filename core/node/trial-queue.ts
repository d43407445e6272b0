/**
 * Of the cells that may have killed a process before, one at a time makes its first step: else the innocent are struck with the guilty.
 * Those that were in hand at the most deaths come last: a process that somebody kills again and again then meets another one each time,
 * and one that kills its process does so alone.
 */
import type { Cell } from '../cell.ts';

export class TrialQueue {
  private current: Cell | undefined;
  /** By strikes. */
  private readonly waiting = new Map<number, Set<Cell>>();
  private readonly ready: (cell: Cell) => void;

  /** `ready`: called with the cell whose turn has come. */
  constructor(ready: (cell: Cell) => void) {
    this.ready = ready;
  }

  /** False: it is told when its turn comes. `strikes`: from 1 on. */
  enter(cell: Cell, strikes: number): boolean {
    if (this.current === undefined) this.current = cell;
    if (this.current === cell) return true;
    const same = this.waiting.get(strikes) ?? new Set();
    this.waiting.set(strikes, same.add(cell));
    return false;
  }

  leave(cell: Cell): void {
    for (const cells of this.waiting.values()) cells.delete(cell);
    if (this.current !== cell) return;
    this.current = undefined;
    const next = this.first();
    if (next !== undefined) this.ready(next);
  }

  private first(): Cell | undefined {
    for (const strikes of [...this.waiting.keys()].toSorted((a, b) => a - b))
      for (const cell of this.waiting.get(strikes) ?? []) {
        this.waiting.get(strikes)?.delete(cell);
        return cell;
      }
    return undefined;
  }
}
