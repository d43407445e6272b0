/** W3, journaled steps: so many runs in flight, each of twenty steps and begun by a message from outside when another has finished. */
import { type LogRecord, startMesh } from 'reprise';
import { runMachine, STEPS } from '../charts/steps.ts';
import type { Measured } from '../lib/scenario.ts';
import { measureRate, type Span } from './meter.ts';

export interface StepsInput extends Span {
  readonly sample: 'steps';
  readonly inFlight: number;
}

export async function steps({ inFlight, ...span }: StepsInput, folder: string): Promise<Measured> {
  let count = 0;
  let begun = 0;
  let stopping = false;
  const left = new Map<string, number>();
  const finished = (run: string): void => {
    left.delete(run);
    if (!stopping) begin();
  };
  const see = (actor: string, records: readonly LogRecord[]): void => {
    for (const record of records) {
      if (record.kind !== 'event' || record.event.type !== 'xstate.done.actor.work') continue;
      count++;
      const rest = (left.get(actor) ?? 0) - 1;
      left.set(actor, rest);
      if (rest === 0) finished(actor);
    }
  };
  const mesh = await startMesh(
    { mesh: 'steps', store: 'sqlite:steps.db', actors: { run: { kind: 'keyed', logic: 'run' } } },
    { run: runMachine },
    { folder, onRecords: see },
  );
  const begin = (): void => {
    const run = `run/${++begun}`;
    left.set(run, STEPS);
    mesh.send(run, { type: 'begin' }).catch((error: unknown) => {
      if (!stopping) throw error;
    });
  };
  for (let i = 0; i < inFlight; i++) begin();
  const measured = await measureRate(() => count, span);
  stopping = true;
  await mesh.stop();
  return { ...measured };
}
