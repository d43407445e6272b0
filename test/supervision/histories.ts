/**
 * Histories that a supervisor lives through, and the world that plays them: which starts fail, and what happens while an order
 * is being carried out. Model and machine get the same world, so their orders can be compared one by one.
 */
import type { RestartType, Strategy } from '../../core/supervision/child-spec.ts';

/** `failed`: it reports and waits; `crash` and `killed`: it is gone; `normal`: it has ended as it should. */
export type Ending = 'failed' | 'crash' | 'killed' | 'normal';
export type Happening =
  | { readonly do: 'exit'; readonly id: string; readonly how: Ending }
  | { readonly do: 'stop' | 'start' | 'remove'; readonly id: string }
  | { readonly do: 'add'; readonly id: string; readonly restart: RestartType };

export interface History {
  readonly strategy: Strategy;
  readonly intensity: number;
  readonly periodMs: number;
  readonly children: readonly { readonly id: string; readonly restart: RestartType }[];
  /** `id:n`: the n-th start of that child fails (n from 1). */
  readonly failingStarts: readonly string[];
  /** What happens while the n-th order is carried out (n from 0). */
  readonly during: Readonly<Record<number, readonly Happening[]>>;
  /** `afterMs` since the step before; what stands in one step happens at once, in this order. */
  readonly steps: readonly { readonly afterMs: number; readonly happen: readonly Happening[] }[];
}

/** What can be seen of a supervisor after a step. */
export interface Seen {
  readonly orders: readonly string[];
  /** Children in order, with `+` when they live and `-` when not. */
  readonly children: string;
  readonly budget: number;
  readonly ended: boolean;
}

/** An exit names the life that ended. */
export type Resolved =
  | (Happening & { readonly do: 'stop' | 'start' | 'remove' | 'add' })
  | { readonly do: 'exit'; readonly id: string; readonly how: Ending; readonly life: number };

export class World {
  readonly history: History;
  readonly orders: string[] = [];
  private readonly alive = new Map<string, number>();
  private readonly starts = new Map<string, number>();
  private lives = 0;

  constructor(history: History) {
    this.history = history;
  }

  /** The life that begins, or undefined when the start fails; and what happened meanwhile. */
  start(id: string): { readonly life: number | undefined; readonly meanwhile: readonly Resolved[] } {
    const count = (this.starts.get(id) ?? 0) + 1;
    this.starts.set(id, count);
    const meanwhile = this.order(`start ${id}`);
    if (this.history.failingStarts.includes(`${id}:${count}`)) return { life: undefined, meanwhile };
    this.alive.set(id, ++this.lives);
    return { life: this.lives, meanwhile };
  }

  /** A stop of what is dead already is no order. */
  stop(id: string): readonly Resolved[] {
    return this.alive.delete(id) ? this.order(`stop ${id}`) : [];
  }

  isAlive(id: string): boolean {
    return this.alive.has(id);
  }

  /** Exits of the living only. */
  resolve(happenings: readonly Happening[]): Resolved[] {
    return happenings.flatMap((h): Resolved[] => {
      if (h.do !== 'exit') return [h];
      const life = this.alive.get(h.id);
      if (life === undefined) return [];
      this.alive.delete(h.id);
      return [{ ...h, life }];
    });
  }

  private order(text: string): readonly Resolved[] {
    this.orders.push(text);
    return this.resolve(this.history.during[this.orders.length - 1] ?? []);
  }
}
