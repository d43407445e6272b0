/** What `--old`, `--accept-loss` and `--with` name: code that wrote a log, and functions that migrate what it left. */
import type { Address } from '../core/address.ts';
import { isMeshError, MeshError } from '../core/errors.ts';
import type { Divergence } from '../core/fold/seal.ts';
import type { Inspection } from '../core/operator/inspection.ts';
import { machineLogic } from '../core/kernel.ts';
import type { LossOptions } from '../core/operator/lifecycle.ts';
import type { Logic } from '../core/logic.ts';
import type { MigrateSnapshot } from '../core/operator/migration.ts';

import { moduleRef } from '../core/config/resolve.ts';
import { loadActor, loadExport } from './actor-modules.ts';
import { anew } from './watch.ts';

export interface GivenLoss {
  /** FILE or FILE#EXPORT. */
  readonly old: string | undefined;
  readonly acceptLoss: boolean;
  readonly folder: string;
}

export async function lossOptions(
  inspect: Inspection,
  address: Address,
  { old, acceptLoss, folder }: GivenLoss,
): Promise<LossOptions> {
  return {
    ...(acceptLoss && { acceptLoss: true }),
    ...(old !== undefined && { old: await anew((version) => logicFor(inspect, address, old, folder, '--old', version)) }),
  };
}

/**
 * The logic of a module for this actor. Where the actor is a child that a chart spawned, the module may be that chart's. `version` makes a
 * changed file load anew. Throws CONFIG_INVALID, USAGE.
 */
export async function logicFor(
  inspect: Inspection,
  address: Address,
  module: string,
  folder: string,
  what: string,
  version?: number,
): Promise<Logic> {
  const logic = await moduleLogic(module, folder, what, version);
  const life = await lifeOf(inspect, address);
  if (life === undefined) throw new MeshError('ACTOR_NOT_FOUND', `nothing has lived at ${address}`);
  const { name, id } = life;
  const path = name.split('>').slice(1);
  if (path.length === 0 || logic.id === id) return logic;
  let at: Logic = logic;
  for (const src of path) {
    const source = at.source(src);
    if (source?.kind !== 'actor')
      throw new MeshError(
        'USAGE',
        `${what} ${module} is the machine '${logic.id}', and ${address} runs '${id}': it has no '${src}'`,
      );
    at = source.logic;
  }
  return at;
}

export async function moduleLogic(module: string, folder: string, what: string, version?: number): Promise<Logic> {
  const { file, name } = moduleRef(module);
  return machineLogic((await loadActor(file, name, folder, what, version)).machine);
}

/** Under which name the present life runs, and the id of the machine that began it. Undefined: nothing has lived there. */
export async function lifeOf(
  inspect: Inspection,
  address: Address,
): Promise<{ readonly name: string; readonly id: string } | undefined> {
  let life: { name: string; id: string } | undefined;
  for await (const record of inspect.records(address))
    if (record.kind === 'init' || record.kind === 'bridge') life = { name: record.init.logic, id: record.logic?.id ?? '' };
  return life;
}

/** Undefined where none was named. Throws CONFIG_INVALID when the module gives no function. */
export async function migrationOf(module: string | undefined, folder: string): Promise<MigrateSnapshot | undefined> {
  if (module === undefined) return undefined;
  const { file, name } = moduleRef(module);
  const { value } = await anew((version) => loadExport(file, name, folder, '--with', version));
  if (typeof value === 'function') return value as MigrateSnapshot;
  throw new MeshError('CONFIG_INVALID', `--with: ${file} gives no function (oldSnapshot, { version, hash }) => newSnapshot`);
}

/** An error of folding by the code of `--old`: it is that code which does not agree with the log. Others as they are. */
export function ofOld(error: unknown, actor: Address, old: string | undefined): unknown {
  if (old === undefined || !isMeshError(error, 'REPLAY_DIVERGED')) return error;
  const { seq, what } = error.data as Divergence;
  return new MeshError(
    'REPLAY_DIVERGED',
    `the log of ${actor} was not written by ${old}: that code does otherwise at record ${seq} (${what}). Take the code that wrote it out of your version control`,
    { data: error.data },
  );
}
