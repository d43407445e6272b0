/**
 * What a bench is made of. A scenario is measured in turns; in a turn each of its subjects (ours, a limit, a peer) runs once, in a
 * process of its own, and a turn gives metrics: so ratios are of samples that stood side by side.
 *
 *   scenario -> turn -> one sample of each subject -> metrics -> median [min .. max] over the turns -> goals
 */
import type { SampleInput } from '../samples/index.ts';

/** What one sample has measured, by name; the units are in the names of what is not plain (`rssMb`, `cpuUs`). */
export type Measured = Readonly<Record<string, number>>;

/** One process: a sample of ours (`flags`: for Node), or Node itself with these arguments. */
export type Subject = (SampleInput & { readonly flags?: readonly string[] }) | { readonly node: readonly string[] };

/** What every sample brings besides what it measures itself. */
export interface SampleResult {
  readonly measured: Measured;
  /** ms from the spawn of its process to its first word. */
  readonly firstWordMs: number;
  /** Median time of one append and fdatasync just before it, us. */
  readonly fsyncUs: number;
  /** Cores that other processes used while it ran. */
  readonly foreignCores: number;
}
export type Turn<Name extends string> = Readonly<Record<Name, SampleResult>>;

export interface Metric {
  readonly name: string;
  /** `hops/s`, `us`, `bytes`; `x`: a ratio. */
  readonly unit: string;
  readonly value: number;
}

export interface Scenario {
  /** What the filter of the command line looks at, and the first part of the names of its metrics in `goals.json`. */
  readonly name: string;
  readonly title: string;
  /** Said under its figures: what they are not. */
  readonly note?: string;
  /** Why it cannot run on this machine, if so: it is said, and the others run. */
  unavailable?(): string | undefined;
  /** Samples that run once before the turns, in the same folder. */
  readonly prepare?: readonly SampleInput[];
  readonly subjects: Readonly<Record<string, Subject>>;
  metrics(turn: Turn<string>): readonly Metric[];
}

/** The same with the names of its subjects checked. */
export function scenario<Name extends string>(
  given: Omit<Scenario, 'subjects' | 'metrics'> & {
    readonly subjects: Readonly<Record<Name, Subject>>;
    metrics(turn: Turn<Name>): readonly Metric[];
  },
): Scenario {
  return given;
}

/** A member of what a sample measured. Throws when it is not there: a metric of a name that nobody measures. */
export function of(result: SampleResult, name: string): number {
  const value = result.measured[name];
  if (value === undefined) throw new Error(`no sample measured '${name}'; there are: ${Object.keys(result.measured).join(', ')}`);
  return value;
}
