/** `reprise verify` */
import { resolve } from 'node:path';
import type { Address } from '../../core/address.ts';
import { MeshError } from '../../core/errors.ts';
import type { Divergence } from '../../core/fold/seal.ts';
import type { Inspection } from '../../core/operator/inspection.ts';
import type { Logic, View } from '../../core/logic.ts';
import { type Frame, verify } from '../../core/replay.ts';
import type { Call } from '../command.ts';
import { EXIT } from '../exit.ts';
import { lifeOf, logicFor, moduleLogic } from '../loss.ts';
import { Reach } from '../reach.ts';
import { type Change, changesOf, changeText, differences } from '../render/changes.ts';
import { partingText } from '../render/divergence.ts';
import { recordText } from '../render/record.ts';

interface Verdict {
  readonly actor: Address;
  /** Seq of the last record that was looked at. */
  readonly head: number;
  readonly ok: boolean;
  /** The first record that the code does not repeat. */
  readonly divergence?: Divergence & { readonly record: Frame['record'] };
  /** What the code makes of it. */
  readonly before?: View;
  readonly after?: View;
  readonly effects?: Frame['effects'];
  /** What the code makes of it, against what the code of the mesh makes of it: where that repeats the log. */
  readonly changes?: readonly Change[];
}

export async function run(call: Call): Promise<number> {
  await using reach = new Reach(call);
  const against = call.text('against');
  // A path from here, with `#EXPORT` behind it.
  const module = against === undefined ? undefined : resolve(against);
  const named = call.args;
  if (module === undefined && named.length === 0)
    throw new MeshError('USAGE', 'verify needs actors, or --against FILE to verify every actor that runs that machine');
  const inspect = await reach.inspect(...(named.length > 0 ? named : reach.plan.actors.map((a) => a.address)));
  const actors =
    named.length > 0
      ? await Promise.all(named.map((actor) => reach.actor(actor, inspect)))
      : await thoseThatRun(inspect, module as string, reach.folder);
  const verdicts: Verdict[] = [];
  for (const actor of actors)
    verdicts.push(
      await verdictOf(
        inspect,
        actor,
        module === undefined ? undefined : await logicFor(inspect, actor, module, reach.folder, '--against'),
      ),
    );
  if (call.isJson) call.io.json({ actors: verdicts });
  else for (const verdict of verdicts) print(call, verdict);
  if (verdicts.length === 0) call.io.note('no actor runs that machine');
  return verdicts.every((v) => v.ok) ? EXIT.ok : EXIT.diverged;
}

/** Every actor whose present life began in a machine of that id. */
async function thoseThatRun(inspect: Inspection, module: string, folder: string): Promise<Address[]> {
  const { id } = await moduleLogic(module, folder, '--against');
  const found: Address[] = [];
  for await (const { actor, tombstone } of inspect.streams())
    if (!tombstone && (await lifeOf(inspect, actor))?.id === id) found.push(actor);
  return found.toSorted();
}

async function verdictOf(inspect: Inspection, actor: Address, logic: Logic | undefined): Promise<Verdict> {
  const stream = await inspect.known(actor);
  const { head } = await inspect.store.head(stream);
  const frame = await verify(inspect.source, stream, logic === undefined ? {} : { logic });
  if (frame?.divergence === undefined) return { actor, head, ok: true };
  const changes = logic === undefined ? undefined : await against(inspect, actor, frame);
  return {
    actor,
    head,
    ok: false,
    divergence: { ...frame.divergence, record: frame.record },
    ...(frame.before !== undefined && { before: frame.before }),
    ...(frame.after !== undefined && { after: frame.after }),
    effects: frame.effects,
    ...(changes !== undefined && { changes }),
  };
}

/** Undefined: the code of the mesh does not repeat the log there either. */
async function against(inspect: Inspection, actor: Address, frame: Frame): Promise<Change[] | undefined> {
  for await (const ours of inspect.frames(actor, { from: frame.seq, to: frame.seq })) {
    if (ours.divergence !== undefined) return undefined;
    return [...changesOf(ours.after, frame.after), ...differences('effects', ours.effects, frame.effects)];
  }
  return undefined;
}

function print({ io }: Call, verdict: Verdict): void {
  const { actor, head, ok, divergence, changes } = verdict;
  if (ok || divergence === undefined) return io.out(`${actor}: ${io.paint('green', 'the same')} up to seq ${head}`);
  const { seq, what, record } = divergence;
  io.out(`${actor}: ${io.paint('red', 'diverged')} at seq ${seq} (${what})`);
  io.out(`  ${recordText(record, io.columns)}`);
  if (changes === undefined || changes.length === 0) io.out(`  ${partingText({ ...verdict, divergence }, io.columns)}`);
  else for (const change of changes) io.out(`  ${changeText(change, io.columns)}`);
}
