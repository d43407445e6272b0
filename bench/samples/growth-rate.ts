/**
 * W4, speed over growth: is a step at a large context as quick as at a small one? Actors around `young` steps and one around `old` steps
 * take the same number of steps, in short stretches in turn, so that both see the same disk and the same neighbours.
 */
import { startMesh, type Mesh } from 'reprise';
import { notes, notesMachine } from '../charts/notes.ts';
import type { Measured } from '../lib/scenario.ts';

export interface GrowthRateInput {
  readonly sample: 'growth-rate';
  /** Steps around which each takes as many as this many. */
  readonly young: number;
  readonly old: number;
  readonly rounds: number;
}

const STRETCH = 25;
const CHUNK = 100;

export async function growthRate({ young, old, rounds }: GrowthRateInput, folder: string): Promise<Measured> {
  const mesh = await startMesh(
    { mesh: 'growth', store: 'sqlite:rate.db', actors: { notes: { kind: 'keyed', logic: 'notes' } } },
    { notes: notesMachine },
    { folder },
  );
  const next = notes(2);
  const time = { young: 0, old: 0 };
  for (let round = 0; round < rounds; round++) {
    const elder = `notes/old-${round}`;
    await grow(mesh, elder, old - (young * 6) / 2, next);
    // One goes from before `old` to after it while six go from before `young` to after it: as many steps, and as many checkpoints as are due.
    for (let i = 0; i < 6; i++) {
      const junior = `notes/young-${round}-${i}`;
      await grow(mesh, junior, young / 2, next);
      for (let n = 0; n < young; n += STRETCH) {
        time.young += await stretch(mesh, junior, next);
        time.old += await stretch(mesh, elder, next);
      }
    }
  }
  await mesh.stop();
  const steps = rounds * 6 * young;
  return { young: (steps / time.young) * 1e3, old: (steps / time.old) * 1e3 };
}

/** To so many steps, many at a time. */
async function grow(mesh: Mesh, address: string, steps: number, next: () => ReturnType<ReturnType<typeof notes>>): Promise<void> {
  for (let n = 0; n < steps; n += CHUNK)
    await Promise.all(Array.from({ length: Math.min(CHUNK, steps - n) }, () => mesh.send(address, next())));
}

/** ms of so many steps one after the other. */
async function stretch(mesh: Mesh, address: string, next: () => ReturnType<ReturnType<typeof notes>>): Promise<number> {
  const events = Array.from({ length: STRETCH }, next);
  const from = performance.now();
  for (const event of events) await mesh.send(address, event);
  return performance.now() - from;
}
