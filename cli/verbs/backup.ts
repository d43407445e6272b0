/** `reprise backup` */
import { resolve } from 'node:path';
import type { Call } from '../command.ts';
import { Reach } from '../reach.ts';
import { openStore } from '../stores.ts';

export async function run(call: Call): Promise<void> {
  await using reach = new Reach(call);
  const path = resolve(call.arg(0));
  // A reader beside the owner sees one moment of the store, so it needs no help of the mesh that runs.
  const store = await openStore(reach.plan, reach.folder, true);
  try {
    await store.backup(path);
  } finally {
    await store.close();
  }
  call.io.out(`${path} is a copy of the store`);
}
