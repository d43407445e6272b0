/** `reprise migrate`, `fork`, `reset`, `delete`: the mesh that runs does it; when none runs, this process does. */
import { resolve } from 'node:path';
import type { Address } from '../../core/address.ts';
import { MeshError } from '../../core/errors.ts';
import type { Inspection } from '../../core/operator/inspection.ts';
import type { Fork, Upkeep } from '../../core/operator/upkeep.ts';
import type { Call } from '../command.ts';
import { lossOptions, migrationOf } from '../loss.ts';
import { Reach } from '../reach.ts';

/** Files that are named on the command line start from here, not from the folder of the mesh. */
const here = (file: string | undefined): string | undefined => (file === undefined ? undefined : resolve(file));

interface Job<T> {
  readonly op: string;
  readonly params: Readonly<Record<string, unknown>>;
  offline(upkeep: Upkeep, address: Address, inspect: Inspection, folder: string): Promise<T>;
}

async function perform<T>(call: Call, job: Job<T>): Promise<{ readonly actor: Address; readonly result: T }> {
  await using reach = new Reach(call);
  const running = await reach.running();
  if (running !== undefined) {
    const actor = await reach.actor(call.arg(0), await reach.inspect());
    return { actor, result: await running.call<T>(job.op, { actor, ...job.params }) };
  }
  const { upkeep, inspect } = await reach.upkeep(call.arg(0));
  const actor = await reach.actor(call.arg(0), inspect);
  return { actor, result: await job.offline(upkeep, actor, inspect, reach.folder) };
}

const losses = (call: Call) => ({ old: here(call.text('old')), acceptLoss: call.flag('accept-loss') });

export async function migrate(call: Call): Promise<void> {
  const module = here(call.text('with'));
  if (module === undefined)
    throw new MeshError('USAGE', 'migrate needs --with MODULE, which exports (oldSnapshot, { version, hash }) => newSnapshot');
  const loss = losses(call);
  const { actor } = await perform(call, {
    op: 'migrate',
    params: { with: module, ...loss },
    offline: async (upkeep, address, inspect, folder) =>
      upkeep.migrate(address, await migrationOf(module, folder), await lossOptions(inspect, address, { ...loss, folder })),
  });
  call.io.out(`${actor} goes on in the new code`);
}

export async function fork(call: Call): Promise<void> {
  const at = call.number('at', 1);
  const as = call.text('as');
  const options = { ...(at !== undefined && { at }), ...(as !== undefined && { as }) };
  const { actor, result } = await perform<Fork>(call, {
    op: 'fork',
    params: options,
    offline: (upkeep, address) => upkeep.fork(address, options),
  });
  call.io.out(`${result.address} stands where ${actor} stood after record ${result.from}`);
  if (result.pending.length > 0) call.io.note(`not come along: ${result.pending.join(', ')}`);
}

export async function reset(call: Call): Promise<void> {
  const loss = losses(call);
  const { actor } = await perform(call, {
    op: 'reset',
    params: loss,
    offline: async (upkeep, address, inspect, folder) =>
      upkeep.reset(address, await lossOptions(inspect, address, { ...loss, folder })),
  });
  call.io.out(`${actor} begins anew; its old log stays below`);
}

export async function remove(call: Call): Promise<void> {
  const loss = losses(call);
  const { actor, result } = await perform<number>(call, {
    op: 'delete',
    params: loss,
    offline: async (upkeep, address, inspect, folder) =>
      upkeep.remove(address, await lossOptions(inspect, address, { ...loss, folder })),
  });
  call.io.out(`${result} records of ${actor} are gone; what it owes others is kept`);
}
