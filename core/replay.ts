/**
 * Replay: a fold of a log for people. It performs nothing, sends nothing and emits no spans.
 * A frame is one record with the state before and after it and the effects of its step.
 */
import { type Address, type EffectId, effectId } from './address.ts';
import { decodeCheckpoint } from './checkpoint.ts';
import { type Effect, isDelayed } from './effect.ts';
import { isMeshError, MeshError } from './errors.ts';
import { applyRecord, envOf, type Folded, stepOf, UNSTEPPED } from './fold.ts';
import { type Divergence, divergence, explain } from './fold/seal.ts';
import { isTaken, type Logic, type Step, type View } from './logic.ts';
import type { StreamId } from './ports/event-store.ts';
import { bridged, NOBODY, nobody, reborn, type RecoverySource, viewOf } from './recovery.ts';
import type { InitData, LogRecord } from './record.ts';
import type { Tables } from './tables.ts';

export interface Frame {
  readonly seq: number;
  /** ms since 1970. */
  readonly ts: number;
  readonly record: LogRecord;
  /** Undefined before the first `init`. */
  readonly before: View | undefined;
  readonly after: View | undefined;
  readonly effects: readonly (Effect & { readonly id: EffectId })[];
  /** The chart has nothing for an event of this type in the state that it met. */
  readonly untaken?: true;
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
  for await (const { record, before, actor, step, untaken, bad } of folds(source, stream, options)) {
    if (bad !== undefined && options.strict === true)
      throw new MeshError('REPLAY_DIVERGED', explain(stream.actor, bad), { data: { ...bad, actor: stream.actor, record } });
    if (record.seq < (options.from ?? 0)) continue;
    const effects = (bad === undefined ? withDelays(step.effects, record) : step.effects).map((e, i) => ({
      ...e,
      id: effectId(stream.actor, record.seq, i),
    }));
    yield {
      seq: record.seq,
      ts: record.meta.ts,
      record,
      before,
      after: viewOf(actor),
      effects,
      tables: actor.tables,
      ...(untaken && { untaken }),
      ...(bad !== undefined && { divergence: bad }),
    };
  }
}

/** With the delays that were waited for: this code may have others by now. */
function withDelays(effects: readonly Effect[], record: LogRecord): readonly Effect[] {
  const delays = record.kind === 'init' || record.kind === 'event' ? record.delays : undefined;
  if (delays === undefined) return effects;
  let next = 0;
  return effects.map((e) => (isDelayed(e) ? { ...e, delay: delays[next++] ?? e.delay } : e));
}

interface Fold {
  readonly record: LogRecord;
  readonly before: View | undefined;
  /** After the record. Live: changed by the next. */
  readonly actor: Folded;
  readonly step: Step;
  readonly untaken?: boolean;
  readonly bad: Divergence | undefined;
}

/** One fold a record. After a divergence the code goes its own way. */
async function* folds(source: RecoverySource, stream: StreamId, options: FrameOptions): AsyncGenerator<Fold> {
  const logicOf = options.logic === undefined ? source.logicOf.bind(source) : (): Logic => options.logic as Logic;
  const { actor: start, seq: base } = await beginning(source, stream, logicOf);
  let actor = start;
  for await (const stored of source.store.read(stream, base + 1, options.to)) {
    const record = await source.inflate(stored);
    const before = viewOf(actor);
    if (record.kind === 'init') actor = reborn({ logicOf }, stream.actor, record, actor.tables);
    else if (record.kind === 'failed' && record.init !== undefined) actor = nobody(stream.actor, actor.tables);
    else if (record.kind === 'bridge') {
      const landed = onBridge({ logicOf }, stream.actor, record);
      ({ actor } = landed);
      yield { record, before, actor, step: UNSTEPPED, bad: landed.bad };
      continue;
    }
    const step = stepOf(actor, record) ?? UNSTEPPED;
    const untaken = record.kind === 'event' && step.effects.length === 0 && !takes(actor, record.event.type);
    const bad = divergence(actor, record, step);
    if (step.failed === undefined) applyRecord(actor, record, step, undefined);
    yield { record, before, actor, step, untaken, bad };
  }
}

/** Also where only a step tells. */
const takes = ({ logic, snapshot }: Folded, type: string): boolean => {
  const names = logic.takes?.(snapshot);
  return names === undefined || isTaken(names, type);
};

/** The actor as a bridge has it; nobody, where that is in a state which this code does not have: log and code part there. */
function onBridge(
  source: Pick<RecoverySource, 'logicOf'>,
  address: Address,
  record: Extract<LogRecord, { kind: 'bridge' }>,
): Pick<Fold, 'actor' | 'bad'> {
  try {
    return { actor: bridged(source, address, record), bad: undefined };
  } catch (error) {
    if (!isMeshError(error, 'CHECKPOINT_INCOMPATIBLE')) throw error;
    const actor = bridged({ logicOf: () => NOBODY }, address, record);
    return { actor, bad: { seq: record.seq, what: 'checkpoint', expected: record.digest, actual: error.message } };
  }
}

export interface Agreed {
  readonly seq: number;
  /** Persisted snapshot after that record. */
  readonly snapshot: unknown;
  readonly init: InitData;
  /** What goes on there and does not come along: calls, asks, timers, by name. */
  readonly pending: readonly string[];
  /** Where log and code part, if they do. */
  readonly divergence: Divergence | undefined;
}

/** The state after the last record (at most `to`) that this code repeats as the log has it. Undefined: nothing lives there. */
export async function agreed(source: RecoverySource, stream: StreamId, to?: number): Promise<Agreed | undefined> {
  const first = await verify(source, stream, to === undefined ? {} : { to });
  // What lies below a bridge may have been written by any code.
  if (first?.record.kind === 'bridge') return undefined;
  const parting = first?.divergence;
  const last = parting === undefined ? to : parting.seq - 1;
  let found: Agreed | undefined;
  let actor: Folded | undefined;
  for await (const fold of folds(source, stream, last === undefined ? {} : { to: last })) {
    ({ actor } = fold);
    found = { seq: fold.record.seq, snapshot: undefined, init: actor.tables.init, pending: [], divergence: parting };
  }
  if (found === undefined || actor === undefined || actor.logic === NOBODY) return undefined;
  const { leaves, timers } = actor.tables;
  return {
    ...found,
    snapshot: actor.logic.persist(actor.snapshot),
    pending: [...(leaves?.values().map((l) => l.child) ?? []), ...(timers?.values().map((t) => t.timer) ?? [])],
  };
}

/** The state at a seq (default: the head). Undefined: nothing lives there at that seq. */
export async function stateAt(source: RecoverySource, stream: StreamId, seq?: number): Promise<Frame | undefined> {
  let last: Frame | undefined;
  for await (const frame of frames(source, stream, seq === undefined ? {} : { to: seq })) last = frame;
  return last;
}

/**
 * The first frame in which the code does something else than the log says; undefined: none. Only the present life counts, from its
 * `init` or the last `bridge` on: what was before may have been written by any code.
 */
export async function verify(
  source: RecoverySource,
  stream: StreamId,
  options: Pick<FrameOptions, 'logic' | 'to'> = {},
): Promise<Frame | undefined> {
  let first: Frame | undefined;
  for await (const frame of frames(source, stream, options)) {
    const { kind } = frame.record;
    if (kind === 'init' || kind === 'bridge') first = undefined;
    if (frame.divergence !== undefined) first ??= frame;
  }
  return first;
}

/** What may stand before the first life of an address; or, in a log that was truncated, in the middle of one. */
const LIFELESS: ReadonlySet<LogRecord['kind']> = new Set(['dead', 'failed', 'activated', 'ready', 'mark', 'void', 'resend']);

/** Oldest point from which the stream can be folded: its beginning, or its checkpoint when the beginning was truncated. */
async function beginning(
  source: RecoverySource,
  stream: StreamId,
  logicOf: RecoverySource['logicOf'],
): Promise<{ actor: Folded; seq: number }> {
  let first: number | undefined;
  for await (const { seq, kind } of source.store.read(stream, 1)) {
    first ??= seq;
    if (seq === 1 || kind === 'init' || kind === 'bridge') return { actor: nobody(stream.actor, undefined), seq: first - 1 };
    if (!LIFELESS.has(kind)) break;
  }
  const checkpoint = await source.store.loadCheckpoint(stream);
  if (checkpoint === undefined) return { actor: nobody(stream.actor, undefined), seq: 0 };
  const saved = decodeCheckpoint(checkpoint.bytes, stream.actor);
  if (saved.tables.init.logic === '' || saved.snapshot === null)
    return { actor: nobody(stream.actor, saved.tables), seq: checkpoint.seq };
  const logic = logicOf(saved.tables.init.logic, stream.actor);
  const env = envOf(stream.actor, saved.tables.init);
  return { actor: { env, logic, snapshot: logic.restore(env, saved.snapshot), tables: saved.tables }, seq: checkpoint.seq };
}
