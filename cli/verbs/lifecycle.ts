/** `reprise migrate`, `fork`, `reset`, `delete`: the mesh that runs does it; when none runs, this process does. */
import { resolve } from 'node:path';
import type { Address } from '../../core/address.ts';
import { isMeshError, MeshError } from '../../core/errors.ts';
import type { Inspection } from '../../core/operator/inspection.ts';
import type { Fork, Reset, Upkeep } from '../../core/operator/upkeep.ts';
import type { Call } from '../command.ts';
import { lossOptions, migrationOf, ofOld } from '../loss.ts';
import { Reach } from '../reach.ts';
import { forkNotes, forkText, resetText } from '../render/upkeep.ts';
import { counted } from '../words.ts';

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

/** As `perform`, for what may fold the log by the code that `--old` names. */
async function performByOld<T>(call: Call, job: Job<T>): Promise<{ readonly actor: Address; readonly result: T }> {
  try {
    return await perform(call, job);
  } catch (error) {
    throw ofOld(error, call.arg(0), call.text('old'));
  }
}

export async function migrate(call: Call): Promise<void> {
  const module = here(call.text('with'));
  const loss = losses(call);
  const { actor, result: isDone } = await performByOld<boolean>(call, {
    op: 'migrate',
    params: { ...(module !== undefined && { with: module }), ...loss },
    offline: async (upkeep, address, inspect, folder) =>
      upkeep.migrate(address, await migrationOf(module, folder), await lossOptions(inspect, address, { ...loss, folder })),
  }).catch((error: unknown) => {
    throw withFunction(error, module);
  });
  call.io.out(
    isDone
      ? `${actor} goes on in the new code`
      : `${actor} needs no migration: its code does all that its log says. Nothing was written`,
  );
}

/** The refusal of a snapshot, with what makes one that fits; the one of a log that only the old code folds, with what may be refused next. */
function withFunction(error: unknown, given: string | undefined): unknown {
  if (!isMeshError(error, 'CHECKPOINT_INCOMPATIBLE')) return error;
  const { message, data } = error;
  const isSnapshot = 'reasons' in Object(data);
  if (!isSnapshot && given !== undefined) return error;
  const what = isSnapshot
    ? '`--with FILE` names a function that makes one that fits'
    : 'Where the state that it is in has another name in this code, `--with FILE` is needed besides';
  return new MeshError('CHECKPOINT_INCOMPATIBLE', `${message}. ${what}: see \`reprise migrate --help\``, { data, cause: error });
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
  call.io.out(forkText(actor, result));
  for (const note of forkNotes(actor, result)) call.io.note(note);
}

export async function reset(call: Call): Promise<void> {
  const loss = losses(call);
  const { actor, result } = await performByOld<Reset>(call, {
    op: 'reset',
    params: loss,
    offline: async (upkeep, address, inspect, folder) =>
      upkeep.reset(address, await lossOptions(inspect, address, { ...loss, folder })),
  });
  call.io.out(resetText(actor, result));
}

export async function remove(call: Call): Promise<void> {
  const loss = losses(call);
  const { actor, result } = await performByOld<number>(call, {
    op: 'delete',
    params: loss,
    offline: async (upkeep, address, inspect, folder) =>
      upkeep.remove(address, await lossOptions(inspect, address, { ...loss, folder })),
  });
  call.io.out(`${counted(result, 'record')} of ${actor} ${result === 1 ? 'is' : 'are'} gone; what it owes others is kept`);
}
