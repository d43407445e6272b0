/**
 * Replay: a fold of a log for people. It performs nothing, sends nothing and emits no spans.
 * A frame is one record with the state before and after it and the effects of its step.
 */
import { type EffectId, effectId } from './address.ts';
import { decodeCheckpoint } from './checkpoint.ts';
import type { Effect } from './effect.ts';
import { isMeshError, MeshError } from './errors.ts';
import { applyRecord, type Divergence, divergence, type Folded, stepOf, UNSTEPPED } from './fold.ts';
import type { Logic, View } from './logic.ts';
import type { StreamId } from './ports/event-store.ts';
import { NOBODY, nobody, reborn, type RecoverySource } from './recovery.ts';
import type { LogRecord } from './record.ts';
import { decodeTables, type Tables } from './tables.ts';

export interface Frame {
  readonly seq: number;
  /** ms since 1970. */
  readonly ts: number;
  readonly record: LogRecord;
  /** Undefined before the first `init`. */
  readonly before: View | undefined;
  readonly after: View | undefined;
  readonly effects: readonly (Effect & { readonly id: EffectId })[];
  /** The step does not do what the record says; frames after it show the code's own opinion. */
  readonly divergence?: Divergence;
  /** Live, not a copy: do not keep it over the next frame. */
  readonly tables: Tables;
}

export interface FrameOptions {
  /** First seq that is yielded (the fold itself begins where it must). */
  readonly from?: number;
  readonly to?: number;
  /** Folds with this logic instead of the registered one: `verify`. */
  readonly logic?: Logic;
  /** Throw REPLAY_DIVERGED at the first divergence instead of going on. */
  readonly strict?: boolean;
}

/** Records of one actor, oldest first, folded. Throws STORE_CORRUPT, LOGIC_NOT_FOUND, REPLAY_DIVERGED (strict). */
export async function* frames(source: RecoverySource, stream: StreamId, options: FrameOptions = {}): AsyncGenerator<Frame> {
  const logicOf = options.logic === undefined ? source.logicOf.bind(source) : (): Logic => options.logic as Logic;
  const { actor: start, seq: base } = await beginning(source, stream, logicOf);
  let actor = start;
  for await (const stored of source.store.read(stream, base + 1, options.to)) {
    const record = await source.inflate(stored);
    const before = viewOf(actor);
    if (record.kind === 'init') actor = reborn({ logicOf }, stream.actor, record, actor.tables);
    else if (record.kind === 'bridge') actor = bridge(actor, record, logicOf(record.init.logic, stream.actor));
    const step = record.kind === 'bridge' ? undefined : stepOf(actor, record);
    const bad = step === undefined ? undefined : divergence(actor.logic, record, step);
    if (bad !== undefined && options.strict === true)
      throw new MeshError('REPLAY_DIVERGED', explain(stream.actor, bad), { data: { ...bad, actor: stream.actor, record } });
    if (step?.failed === undefined && record.kind !== 'bridge') applyRecord(actor, record, step ?? UNSTEPPED, undefined);
    if (record.seq < (options.from ?? 0)) continue;
    const effects = (step?.effects ?? []).map((e, i) => ({ ...e, id: effectId(stream.actor, record.seq, i) }));
    yield {
      seq: record.seq,
      ts: record.meta.ts,
      record,
      before,
      after: viewOf(actor),
      effects,
      tables: actor.tables,
      ...(bad !== undefined && { divergence: bad }),
    };
  }
}

export const explain = (actor: string, d: Divergence): string =>
  `${actor} diverged at seq ${d.seq} (${d.what}): the log has ${d.expected}, this code gives ${d.actual}`;

/** The state at a seq (default: the head). Undefined: nothing lives there at that seq. */
export async function stateAt(source: RecoverySource, stream: StreamId, seq?: number): Promise<Frame | undefined> {
  let last: Frame | undefined;
  for await (const frame of frames(source, stream, seq === undefined ? {} : { to: seq })) last = frame;
  return last;
}

/** The first frame in which `logic` does something else than the log says; undefined: none. */
export async function verify(source: RecoverySource, stream: StreamId, logic: Logic): Promise<Frame | undefined> {
  for await (const frame of frames(source, stream, { logic })) if (frame.divergence !== undefined) return frame;
  return undefined;
}

/** Oldest point from which the stream can be folded: its beginning, or its checkpoint when the beginning was truncated. */
async function beginning(
  source: RecoverySource,
  stream: StreamId,
  logicOf: RecoverySource['logicOf'],
): Promise<{ actor: Folded; seq: number }> {
  for await (const record of source.store.read(stream, 1)) {
    if (record.kind === 'init' || record.kind === 'bridge' || record.kind === 'dead' || record.kind === 'activated')
      return { actor: nobody(stream.actor, undefined), seq: record.seq - 1 };
    break;
  }
  const checkpoint = await source.store.loadCheckpoint(stream);
  if (checkpoint === undefined) return { actor: nobody(stream.actor, undefined), seq: 0 };
  const saved = decodeCheckpoint(checkpoint.bytes, stream.actor);
  if (saved.tables.init.logic === '') return { actor: nobody(stream.actor, saved.tables), seq: checkpoint.seq };
  const logic = logicOf(saved.tables.init.logic, stream.actor);
  const env = { address: stream.actor, parent: saved.tables.init.parent?.address };
  return { actor: { env, logic, snapshot: logic.restore(env, saved.snapshot), tables: saved.tables }, seq: checkpoint.seq };
}

function bridge(actor: Folded, record: Extract<LogRecord, { kind: 'bridge' }>, logic: Logic): Folded {
  const env = { address: actor.env.address, parent: record.init.parent?.address };
  const tables = {
    ...decodeTables(structuredClone(record.tables)),
    head: record.seq,
    epoch: record.epoch,
    lastTs: record.meta.ts,
    init: record.init,
    logic: record.logic,
  };
  return { env, logic, snapshot: logic.restore(env, structuredClone(record.snapshot)), tables };
}

function viewOf(actor: Folded): View | undefined {
  return actor.logic === NOBODY ? undefined : actor.logic.view(actor.snapshot);
}

export const isDivergence = (error: unknown): boolean =>
  isMeshError(error, 'REPLAY_DIVERGED') || isMeshError(error, 'CHECKPOINT_INCOMPATIBLE');
