/** `reprise backup` */
import { resolve } from 'node:path';
import type { Call } from '../command.ts';
import { Reach } from '../reach.ts';
import { openStore } from '../stores.ts';

/** ms for a mesh that copies its store; what it has begun, it ends all the same. */
const COPY_MS = 3_600_000;

export async function run(call: Call): Promise<void> {
  await using reach = new Reach(call);
  const path = resolve(call.arg(0));
  const running = await reach.answering();
  // The mesh copies what it has open: that may be all there is, when somebody has removed the file under it.
  if (running === undefined) await copyBeside(reach, path);
  else await running.call('backup', { path }, COPY_MS);
  call.io.out(`${path} is a copy of the store`);
}

/** Nobody runs it, or who does is stopped: a reader sees one moment of the store all the same. */
async function copyBeside(reach: Reach, path: string): Promise<void> {
  const store = await openStore(reach.plan, reach.folder, true);
  try {
    await store.backup(path);
  } finally {
    await store.close();
  }
}
