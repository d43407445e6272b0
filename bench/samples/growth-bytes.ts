/** W4, growth on disk: 300 bytes are added to the context at each step; how large is a consistent copy of the store after K steps? */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startMesh } from 'reprise';
import { notes, notesMachine } from '../charts/notes.ts';
import type { Measured } from '../lib/scenario.ts';

export interface GrowthBytesInput {
  readonly sample: 'growth-bytes';
  /** Steps after which the size is taken, growing. */
  readonly at: readonly number[];
}

/** ms for a checkpoint that is due to be saved. */
const SETTLE_MS = 30;

/** `bytes<K>`: growth of the copy in K steps. */
export async function growthBytes({ at }: GrowthBytesInput, folder: string): Promise<Measured> {
  const mesh = await startMesh(
    { mesh: 'growth', store: 'sqlite:growth.db', actors: { notes: { logic: 'notes' } } },
    { notes: notesMachine },
    { folder },
  );
  const sizeAt = async (step: number): Promise<number> => {
    await sleep(SETTLE_MS);
    const copy = join(folder, `copy-${step}.db`);
    await mesh.store.backup(copy);
    return statSync(copy).size;
  };
  const empty = await sizeAt(0);
  const next = notes(1);
  const measured: Record<string, number> = {};
  let step = 0;
  for (const target of at) {
    for (; step < target; step++) await mesh.send('notes', next());
    measured[`bytes${target}`] = (await sizeAt(target)) - empty;
  }
  await mesh.stop();
  return measured;
}
