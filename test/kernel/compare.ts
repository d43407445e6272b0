/** Holds the kernel against XState: the same script, live and by our kernel, without and with recovery before each event. */
import { expect } from 'vitest';
import { runLive } from './live.ts';
import { type MeshOutcome, type Recovery, runMesh } from './mesh.ts';
import type { Act, MachineOf, Outcome } from './outcome.ts';

export const RECOVERIES: readonly Recovery[] = ['none', 'log', 'checkpoint'];

export interface Compared {
  readonly live: Outcome;
  readonly ours: MeshOutcome;
}

export interface CompareOptions {
  readonly input?: unknown;
  /** Looks at ours before they are held against each other. */
  readonly before?: (ours: MeshOutcome) => void;
}

/** Throws where states, what was done, or its order differ. Returns the live outcome, and ours without recovery. */
export async function compare(machineOf: MachineOf, script: readonly Act[], options: CompareOptions = {}): Promise<Compared> {
  const { input, before } = options;
  const live = await runLive(machineOf, script, input);
  let ours: MeshOutcome | undefined;
  for (const recovery of RECOVERIES) {
    const run = await runMesh(machineOf, script, { recovery, input });
    if (ours === undefined) before?.(run);
    expect({ recovery, states: run.states, trace: run.trace }).toEqual({ recovery, states: live.states, trace: live.trace });
    ours ??= run;
  }
  return { live, ours: ours as MeshOutcome };
}
