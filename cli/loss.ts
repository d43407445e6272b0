/** What `--old`, `--accept-loss` and `--with` name: code that wrote a log, and functions that migrate what it left. */
import type { Address } from '../core/address.ts';
import { MeshError } from '../core/errors.ts';
import type { Inspection } from '../core/operator/inspection.ts';
import { machineLogic } from '../core/kernel.ts';
import type { LossOptions } from '../core/operator/lifecycle.ts';
import type { Logic } from '../core/logic.ts';
import type { MigrateSnapshot } from '../core/operator/migration.ts';

import { moduleRef } from '../core/config/resolve.ts';
import { loadActor, loadExport } from './actor-modules.ts';

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
    ...(old !== undefined && { old: await logicFor(inspect, address, old, folder, '--old') }),
  };
}

/** The logic of a module for this actor. Where the actor is a child that a chart spawned, the module may be that chart's. Throws CONFIG_INVALID, USAGE. */
export async function logicFor(
  inspect: Inspection,
  address: Address,
  module: string,
  folder: string,
  what: string,
): Promise<Logic> {
  const logic = await moduleLogic(module, folder, what);
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

export async function moduleLogic(module: string, folder: string, what: string): Promise<Logic> {
  const { file, name } = moduleRef(module);
  return machineLogic((await loadActor(file, name, folder, what)).machine);
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

/** Throws CONFIG_INVALID when the module gives no function. */
export async function migrationOf(module: string, folder: string): Promise<MigrateSnapshot> {
  const { file, name } = moduleRef(module);
  const { value } = await loadExport(file, name, folder, '--with');
  if (typeof value === 'function') return value as MigrateSnapshot;
  throw new MeshError('CONFIG_INVALID', `--with: ${file} gives no function (oldSnapshot, { version, hash }) => newSnapshot`);
}
