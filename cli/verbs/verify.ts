/** `reprise verify` */
import { resolve } from 'node:path';
import type { Address } from '../../core/address.ts';
import { type ErrorData, isMeshError } from '../../core/errors.ts';
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
import { counted } from '../words.ts';

interface Verdict {
  readonly actor: Address;
  /** Seq of the last record that was looked at. */
  readonly head?: number;
  readonly ok: boolean;
  /** Why it cannot be known. */
  readonly error?: Pick<ErrorData, 'code' | 'message'>;
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
  const inspect = await reach.inspect(...(named.length > 0 ? named : reach.plan.actors.map((a) => a.address)));
  const actors =
    named.length > 0
      ? await Promise.all(named.map((actor) => reach.actor(actor, inspect)))
      : await thoseThatRun(inspect, module, reach.folder);
  const verdicts: Verdict[] = [];
  for (const actor of actors) {
    const logic = module === undefined ? undefined : await logicFor(inspect, actor, module, reach.folder, '--against');
    const verdict = await verdictOf(inspect, actor, logic).catch((error: unknown) => {
      // Of all that there are, one that cannot be folded keeps no other from being looked at.
      if (named.length > 0 || !isMeshError(error)) throw error;
      return { actor, ok: false, error: { code: error.code, message: error.message } };
    });
    verdicts.push(verdict);
    if (!call.isJson) print(call, verdict);
  }
  if (call.isJson) call.io.json({ actors: verdicts });
  else if (named.length === 0) call.io.note(sumOf(verdicts, module));
  if (verdicts.some((verdict) => verdict.divergence !== undefined)) return EXIT.diverged;
  return verdicts.every((verdict) => verdict.ok) ? EXIT.ok : EXIT.failure;
}

function sumOf(verdicts: readonly Verdict[], module: string | undefined): string {
  if (verdicts.length === 0) return module === undefined ? 'no actor has a log yet' : 'no actor runs that machine';
  const bad = verdicts.filter((verdict) => !verdict.ok).length;
  return `${counted(verdicts.length, 'actor')} verified${bad === 0 ? ': all the same' : `, ${bad} of them not the same`}`;
}

/** Every actor that has a log; with a module, those whose present life began in a machine of its id. */
async function thoseThatRun(inspect: Inspection, module: string | undefined, folder: string): Promise<Address[]> {
  const id = module === undefined ? undefined : (await moduleLogic(module, folder, '--against')).id;
  const found: Address[] = [];
  for await (const { actor, tombstone } of inspect.streams())
    if (!tombstone && (id === undefined || (await lifeOf(inspect, actor))?.id === id)) found.push(actor);
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
  const { actor, head, ok, error, divergence, changes } = verdict;
  if (error !== undefined) return io.out(`${actor}: ${io.paint('red', 'not verified')}: ${error.code}: ${error.message}`);
  if (ok || divergence === undefined) return io.out(`${actor}: ${io.paint('green', 'the same')} up to seq ${head}`);
  const { seq, what, record } = divergence;
  io.out(`${actor}: ${io.paint('red', 'diverged')} at seq ${seq} (${what})`);
  io.out(`  ${recordText(record, io.columns)}`);
  if (changes === undefined || changes.length === 0) io.out(`  ${partingText({ ...verdict, divergence }, io.columns)}`);
  else for (const change of changes) io.out(`  ${changeText(change, io.columns)}`);
}
