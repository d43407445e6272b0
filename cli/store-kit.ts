/** The conformance kit of event stores, against a store of this machine that is thrown away: on the disk that the mesh would use. */
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Shard } from '../core/address.ts';
import { errorData, MeshError } from '../core/errors.ts';
import type { Directory } from '../core/ports/directory.ts';
import type { EventStore } from '../core/ports/event-store.ts';
import { type EventStoreSubject, eventStoreCases } from '../test/conformance/index.ts';

export interface KitResult {
  readonly passed: number;
  readonly failures: readonly { readonly name: string; readonly error: string }[];
  /** Capabilities that this kind of store does not have. */
  readonly without: readonly string[];
}

const HAS: Readonly<Record<string, readonly string[]>> = {
  'sqlite:': ['claimFence', 'atomicBatch', 'reopen'],
  'memory:': ['claimFence', 'atomicBatch'],
};

/** `kind`: `sqlite:` or `memory:`. `folder`: where the store may be made. Throws USAGE for another kind. */
export async function runStoreKit(kind: string, folder: string): Promise<KitResult> {
  const has = HAS[kind];
  if (has === undefined)
    throw new MeshError('USAGE', `there is no kit for '${kind}'; it knows ${Object.keys(HAS).join(' and ')}`);
  const failures: { name: string; error: string }[] = [];
  const without = new Set<string>();
  let passed = 0;
  for (const kit of eventStoreCases) {
    const { name, needs = [] } = kit;
    const missing = needs.filter((need) => !has.includes(need));
    for (const need of missing) without.add(need);
    if (missing.length > 0) continue;
    try {
      await kit.run(() => (kind === 'memory:' ? memorySubject() : sqliteSubject(folder)));
      passed++;
    } catch (error) {
      failures.push({ name, error: errorData(error).message });
    }
  }
  return { passed, failures, without: [...without] };
}

async function memorySubject(): Promise<EventStoreSubject> {
  const { memory } = await import('../persistence/memory.ts');
  const store = memory();
  return {
    store,
    claim: (shard, epoch) => claimAt(store, shard, epoch),
    reopen: () => Promise.reject(new MeshError('USAGE', 'a memory store does not survive')),
    close: () => store.close(),
  };
}

async function sqliteSubject(folder: string): Promise<EventStoreSubject> {
  const { sqlite } = await import('../persistence/sqlite.ts');
  const own = mkdtempSync(join(folder, '.reprise-doctor-'));
  const path = join(own, 'kit.db');
  let store = await sqlite({ path });
  return {
    get store(): EventStore {
      return store;
    },
    claim: (shard, epoch) => claimAt(store, shard, epoch),
    reopen: async () => {
      await store.close();
      store = await sqlite({ path });
      return store;
    },
    close: async () => {
      await store.close();
      rmSync(own, { recursive: true, force: true });
    },
  };
}

async function claimAt(directory: Directory, shard: Shard, epoch: number): Promise<void> {
  const present = (await directory.claims()).find((claim) => claim.shard === shard)?.epoch ?? 0;
  const released = { shard, epoch: present + 1, session: undefined, node: undefined };
  await directory.claim(epoch < 0 ? released : { shard, epoch, session: 'doctor~1', node: 'doctor' }, present);
}
