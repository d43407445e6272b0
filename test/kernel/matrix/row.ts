/** A construct of XState, and what it means for an actor with a log. */
import type { EventObject } from '../../../core/effect.ts';
import type { Args } from '../loose.ts';
import type { Act, MachineOf, Note } from '../outcome.ts';

/**
 * A chart that uses the construct, a script, and what its custom actions note. The words say what happens live, and when the actor comes
 * back after its process has died; in replay no row performs anything. Timers are hours, so that what a restart takes does not matter.
 */
export interface Row {
  readonly construct: string;
  readonly live: string;
  readonly recovered: string;
  /** Made anew for each test: charts and what the world answers belong together. */
  readonly make: () => { readonly machineOf: MachineOf; readonly script: readonly Act[]; readonly input?: unknown };
  /** What custom actions note, in order. */
  readonly notes: readonly unknown[];
  /** The same after kills, where what runs in a process begins again. */
  readonly notesAfterKills?: readonly unknown[];
}

export const HOUR = 3_600_000;
export const go: EventObject = { type: 'GO' };
export const next: EventObject = { type: 'NEXT' };
export const back: EventObject = { type: 'BACK' };
export const SAME = 'As live.';

/** Notes when it is entered and left. */
export const marked = (note: Note, name: string, config: object = {}): object => ({
  entry: () => note(`+${name}`),
  exit: () => note(`-${name}`),
  ...config,
});

export const noteEvent =
  (note: Note, key = 'type') =>
  ({ event }: Args): void =>
    note(event[key]);
