/**
 * Walks every state that a model can reach, breadth first, so that the first violation is one with a shortest trace. In each state the
 * invariants are checked; and from each state a settled one must be reachable without further faults, else that state is *stuck*.
 *
 * A state is a tuple of numbers. What a number stands for is the model's business: `Values` numbers whatever one part of a state can be,
 * so that what this part does (through the real functions, on real tables made anew) is worked out once for each value and input.
 */
export type State = readonly number[];

/** A fault is done by the environment against us (loss, a crash): progress may not depend on it. */
export type To = (label: string, next: State, fault?: boolean) => void;

export interface Model {
  readonly name: string;
  readonly init: State;
  /** Calls `to` for each step, always in the same order. */
  steps(state: State, to: To): void;
  /** What is wrong in this state, or undefined. */
  broken(state: State): string | undefined;
  /** Nothing is left to be done. */
  settled(state: State): boolean;
}

export interface Violation {
  readonly what: string;
  /** Labels of the steps that lead there. */
  readonly trace: readonly string[];
}
export interface Report {
  readonly name: string;
  readonly states: number;
  readonly steps: number;
  readonly ms: number;
  /** False: it was ended at the limit, or by a violation. */
  readonly complete: boolean;
  readonly violation?: Violation;
}

const LIMIT = 4_000_000;

export function explore(model: Model, limit = LIMIT): Report {
  const begun = performance.now();
  const found = new Found(model);
  const settled: number[] = [];
  /** Steps that are no faults: where those of state i begin in `goesTo`. */
  const begins = new Ints();
  const goesTo = new Ints();
  let steps = 0;

  const report = (complete: boolean, what?: string, which = 0): Report => ({
    name: model.name,
    states: found.size,
    steps,
    ms: performance.now() - begun,
    complete,
    ...(what !== undefined && { violation: { what, trace: found.trace(which) } }),
  });

  found.add(model.init, 0, 0);
  for (let from = 0; from < found.size; from++) {
    const state = found.state(from);
    const wrong = model.broken(state);
    if (wrong !== undefined) return report(false, wrong, from);
    if (model.settled(state)) settled.push(from);
    begins.push(goesTo.length);
    let nth = 0;
    model.steps(state, (_label, next, fault) => {
      const to = found.add(next, from, nth++);
      if (fault !== true && to !== from) goesTo.push(to);
    });
    steps += nth;
    if (found.size > limit) return report(false);
  }
  begins.push(goesTo.length);
  const stuck = firstStuck(found.size, begins, goesTo, settled);
  return stuck < 0 ? report(true) : report(true, 'stuck: no settled state can be reached any more', stuck);
}

/** The first state from which none of `settled` can be reached; -1: there is none. */
function firstStuck(count: number, begins: Ints, goesTo: Ints, settled: readonly number[]): number {
  const starts = new Int32Array(count + 1);
  for (let i = 0; i < goesTo.length; i++) starts[goesTo.at(i) + 1]!++;
  for (let i = 0; i < count; i++) starts[i + 1]! += starts[i]!;
  const fill = starts.slice(0, count);
  const comesFrom = new Int32Array(goesTo.length);
  for (let from = 0; from < count; from++)
    for (let i = begins.at(from); i < begins.at(from + 1); i++) comesFrom[fill[goesTo.at(i)]!++] = from;
  const live = new Uint8Array(count);
  const queue = [...settled];
  for (const one of queue) live[one] = 1;
  for (let to = queue.pop(); to !== undefined; to = queue.pop()) {
    for (let i = starts[to]!; i < starts[to + 1]!; i++) {
      const from = comesFrom[i]!;
      if (live[from] === 1) continue;
      live[from] = 1;
      queue.push(from);
    }
  }
  return live.indexOf(0);
}

/** States in the order in which they were found, each as text, with the step that led there first. */
class Found {
  private readonly model: Model;
  private readonly index = new Map<string, number>();
  private readonly texts: string[] = [];
  private readonly parents = new Ints();
  private readonly nths = new Ints();

  constructor(model: Model) {
    this.model = model;
  }

  get size(): number {
    return this.texts.length;
  }
  state(which: number): State {
    return (this.texts[which] as string).split(',').map(Number);
  }
  add(state: State, parent: number, nth: number): number {
    const text = state.join(',');
    const known = this.index.get(text);
    if (known !== undefined) return known;
    const which = this.texts.push(text) - 1;
    this.index.set(text, which);
    this.parents.push(parent);
    this.nths.push(nth);
    return which;
  }
  /** Labels are not kept: the steps are made again. */
  trace(which: number): string[] {
    const labels: string[] = [];
    for (let i = which; i > 0; i = this.parents.at(i)) {
      let nth = this.nths.at(i);
      this.model.steps(this.state(this.parents.at(i)), (label) => {
        if (nth-- === 0) labels.push(label);
      });
    }
    return labels.toReversed();
  }
}

/** A list of 32-bit integers that grows. */
class Ints {
  private items = new Int32Array(1024);
  length = 0;

  push(item: number): void {
    if (this.length === this.items.length) {
      const larger = new Int32Array(this.length * 2);
      larger.set(this.items);
      this.items = larger;
    }
    this.items[this.length++] = item;
  }
  at(i: number): number {
    return this.items[i] as number;
  }
}

// ---- parts of a state ------------------------------------------------------------------------------------------------------

export const at = (state: State, part: number): number => state[part] as number;
/** For `put`: one fewer of what may still happen. */
export const less = (state: State, part: number): readonly [number, number] => [part, at(state, part) - 1];
export function put(state: State, ...parts: readonly (readonly [part: number, value: number])[]): State {
  const next = [...state];
  for (const [part, value] of parts) next[part] = value;
  return next;
}

/** What one part of a state can be, as plain JSON, by number: equal text, equal number. */
export class Values<T> {
  private readonly index = new Map<string, number>();
  private readonly values: T[] = [];

  id(value: T): number {
    const text = JSON.stringify(value);
    const known = this.index.get(text);
    if (known !== undefined) return known;
    this.index.set(text, this.values.length);
    return this.values.push(JSON.parse(text) as T) - 1;
  }
  at(id: number): T {
    return this.values[id] as T;
  }
}

/** Sets of numbers, by number. The empty one is 0. */
export class Sets {
  private readonly sets = new Values<readonly number[]>();
  readonly empty = this.sets.id([]);
  readonly with = memo((set, item) => {
    const items = this.sets.at(set);
    return items.includes(item) ? set : this.sets.id([...items, item].sort((a, b) => a - b));
  });
  readonly without = memo((set, item) => this.sets.id(this.sets.at(set).filter((one) => one !== item)));

  of(set: number): readonly number[] {
    return this.sets.at(set);
  }
  withAll(set: number, items: readonly number[]): number {
    return items.reduce((all, item) => this.with(all, item), set);
  }
}

const SECOND_MAX = 2 ** 24;

/** A function of one or two numbers, worked out once for each. */
export function memo<R>(fn: (a: number, b: number) => R): (a: number, b?: number) => R {
  const known = new Map<number, R>();
  return (a, b = 0) => {
    const key = a * SECOND_MAX + b;
    if (!known.has(key)) known.set(key, fn(a, b));
    return known.get(key) as R;
  };
}
