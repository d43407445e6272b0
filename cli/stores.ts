/** The store that a plan names: here its adapter is chosen, and loaded only then. */
import { isAbsolute, resolve } from 'node:path';
import type { MeshPlan } from '../core/config/plan.ts';
import type { MeshStore } from '../core/mesh.ts';
import type { Directory } from '../core/ports/directory.ts';

/** Where the store lies; undefined: nowhere. */
export const storePath = (plan: MeshPlan, folder: string): string | undefined =>
  plan.store.kind === 'memory' ? undefined : isAbsolute(plan.store.path) ? plan.store.path : resolve(folder, plan.store.path);

/** Throws STORE_*. */
export async function openStore(plan: MeshPlan, folder: string, readOnly = false): Promise<MeshStore & Directory> {
  const path = storePath(plan, folder);
  if (path === undefined) return (await import('../persistence/memory.ts')).memory();
  return (await import('../persistence/sqlite.ts')).sqlite({ path, readOnly });
}
