/**
 * From the store back to a folded actor: checkpoint, then the records above it. When the machine has changed since, its log decides
 * whether it may go on (see `fits`). Performs nothing and writes nothing.
 */
import type { Address } from './address.ts';
import { decodeCheckpoint, type Saved } from './checkpoint.ts';
import { MeshError } from './errors.ts';
import type { Divergence } from './fold/seal.ts';
import { envOf, foldRecord, type Folded, unborn } from './fold.ts';
import type { Logic, View } from './logic.ts';
import type { EventStore, StreamId } from './ports/event-store.ts';
import type { LogRecord } from './record.ts';
import { decodeTables, type Tables } from './tables.ts';

export interface Recovered {
  readonly actor: Folded;
  /** The machine's definition is another one than its records name, and the log fits it. */
  readonly changed: boolean;
  /** Why its checkpoint was left aside, and all of its log folded. */
  readonly distrusted?: MeshError;
  readonly checkpointSeq: number;
  /** Bytes of JSON in the checkpoint; 0: there is none. */
  readonly stateBytes: number;
  /** Bytes of JSON in the records above the checkpoint, roughly. */
  readonly logBytes: number;
}
export interface RecoverySource {
  readonly store: Pick<EventStore, 'read' | 'loadCheckpoint'>;
  /** Throws LOGIC_NOT_FOUND. */
  logicOf(name: string, address: Address): Logic;
  /** Puts payloads back that lie in blobs. */
  inflate(record: LogRecord): Promise<LogRecord>;
}

type Folding = Omit<Recovered, 'checkpointSeq' | 'stateBytes'>;

/** The actor of an empty stream, or of a tombstone, is `nobody`. Throws REPLAY_DIVERGED, CHECKPOINT_INCOMPATIBLE, LOGIC_NOT_FOUND, STORE_CORRUPT. */
export async function recover(source: RecoverySource, stream: StreamId): Promise<Recovered> {
  const checkpoint = await source.store.loadCheckpoint(stream);
  const saved = checkpoint === undefined ? undefined : decodeCheckpoint(checkpoint.bytes, stream.actor);
  const seq = checkpoint?.seq ?? 0;
  const folded = await foldAll(source, stream, saved, seq).catch((error: unknown) => aboveBridge(source, stream, seq, error));
  return { ...folded, checkpointSeq: seq, stateBytes: saved?.jsonBytes ?? 0 };
}

/**
 * When the log does not fold: it may go on above a `bridge` that a person wrote, for which a checkpoint is not made yet. Else it throws
 * what kept it from being folded.
 */
async function aboveBridge(source: RecoverySource, stream: StreamId, seq: number, error: unknown): Promise<Folding> {
  let last: number | undefined;
  for await (const record of source.store.read(stream, seq + 1)) if (record.kind === 'bridge') last = record.seq;
  if (last === undefined) throw error;
  return complete(await foldFrom(source, stream, undefined, last - 1, false), stream);
}

async function foldAll(source: RecoverySource, stream: StreamId, saved: Saved | undefined, seq: number): Promise<Folding> {
  // One that could not begin has no state either.
  if (saved === undefined || saved.tables.init.logic === '' || saved.snapshot === null)
    return complete(await foldFrom(source, stream, undefined, seq, false, saved?.tables), stream);
  const logic = source.logicOf(saved.tables.init.logic, stream.actor);
  if (saved.tables.logic.hash !== logic.hash) return changed(source, stream, logic, saved, seq);
  const start = revive(logic, stream.actor, saved);
  const digest = logic.digest(start.snapshot);
  if (digest !== saved.digest) return insteadOf(source, stream, saved.digest, seq, digest);
  return complete(await foldFrom(source, stream, start, seq, false), stream);
}

/**
 * A state that is not the one that its checkpoint names is nothing to go on from. All of the log is, or all above a bridge, which holds
 * what was before; where that is not kept any more, the actor waits for a person.
 */
async function insteadOf(
  source: RecoverySource,
  stream: StreamId,
  expected: string,
  seq: number,
  actual: string,
): Promise<Folding> {
  const bad: Divergence = { seq, what: 'checkpoint', expected, actual };
  const distrusted = new MeshError(
    'REPLAY_DIVERGED',
    `the checkpoint of ${stream.actor} at seq ${seq} holds another state than the one it names`,
    { data: { ...bad, actor: stream.actor } },
  );
  let from: number | undefined;
  for await (const { kind, seq: at } of source.store.read(stream, 1)) if (at === 1 || kind === 'bridge') from = at;
  const folded = from === undefined ? undefined : await foldFrom(source, stream, undefined, from - 1, false);
  if (folded === undefined) throw distrusted;
  return { ...folded, distrusted };
}

function complete(recovered: Folding | undefined, stream: StreamId): Folding {
  if (recovered === undefined)
    throw new MeshError('STORE_CORRUPT', `the log of ${stream.actor} begins in the middle and has no checkpoint`);
  return recovered;
}

function revive(logic: Logic, address: Address, saved: Saved): Folded {
  const env = envOf(address, saved.tables.init);
  return { env, logic, snapshot: logic.restore(env, structuredClone(saved.snapshot)), tables: saved.tables };
}

/**
 * The code is not the one that wrote the checkpoint. XState restores a renamed state as `error` and an edited `after` without a word,
 * so the saved state is held against the new chart, and the log is folded from where the present life began, as far as it is kept:
 * what lies below may have been written by any code.
 */
async function changed(source: RecoverySource, stream: StreamId, logic: Logic, saved: Saved, seq: number): Promise<Folding> {
  const timers = [...(saved.tables.timers?.values() ?? [])].map((t) => t.event.type);
  const reasons = saved.tables.status === 'active' ? logic.incompatibilities(saved.snapshot, timers) : [];
  if (reasons.length > 0) {
    throw new MeshError(
      'CHECKPOINT_INCOMPATIBLE',
      `${stream.actor} was saved at seq ${seq} in a state that '${logic.id}' no longer has: ${reasons.join('; ')}`,
      {
        data: {
          actor: stream.actor,
          seq,
          reasons,
          was: saved.tables.logic,
          now: { id: logic.id, version: logic.version, hash: logic.hash },
        },
      },
    );
  }
  await foldFrom(source, stream, undefined, (await lifeBegan(source, stream)) - 1, true);
  return complete(await foldFrom(source, stream, revive(logic, stream.actor, saved), seq, true), stream);
}

/** Seq of the last `init` or `bridge`; 1: the beginning was truncated. */
async function lifeBegan(source: RecoverySource, stream: StreamId): Promise<number> {
  let seq = 1;
  for await (const { kind, seq: at } of source.store.read(stream, 1)) if (kind === 'init' || kind === 'bridge') seq = at;
  return seq;
}

/** Undefined: the log does not go back far enough to be folded from `from`. */
async function foldFrom(
  source: RecoverySource,
  stream: StreamId,
  start: Folded | undefined,
  from: number,
  isChanged: boolean,
  kept?: Tables,
): Promise<Folding | undefined> {
  let actor = start ?? nobody(stream.actor, kept);
  let logBytes = 0;
  for await (const stored of source.store.read(stream, from + 1)) {
    const record = await source.inflate(stored);
    if (record.kind === 'init') actor = reborn(source, stream.actor, record, actor.tables);
    else if (record.kind === 'failed' && record.init !== undefined) actor = nobody(stream.actor, actor.tables);
    else if (record.kind === 'bridge') {
      actor = bridged(source, stream.actor, record);
      continue;
    } else if (record.kind === 'event' && actor.logic === NOBODY) return undefined;
    foldRecord(actor, record, undefined);
    logBytes += 200 + roughBytes(record);
  }
  return {
    actor,
    changed: isChanged || (actor.logic !== NOBODY && actor.tables.logic.hash !== actor.logic.hash),
    logBytes,
  };
}

const unchanging = { snapshot: undefined, effects: [] };
/** What is at an address where no actor lives: it takes nothing, so all its mail becomes dead letters. */
export const NOBODY: Logic = {
  id: '',
  version: undefined,
  hash: '',
  init: () => unchanging,
  step: () => unchanging,
  persist: () => null,
  restore: () => undefined,
  digest: () => '',
  view: () => ({ status: 'stopped', value: undefined, context: undefined, tags: [], children: [] }),
  source: () => undefined,
  incompatibilities: () => [],
  renamedTimers: () => new Map(),
};

export function nobody(address: Address, kept: Tables | undefined): Folded {
  const actor = unborn(address, NOBODY, { init: { logic: '', input: null } });
  actor.tables.status = 'stopped';
  return kept === undefined ? actor : { ...actor, tables: kept };
}

/** What people see. Of one that could not begin: why. Undefined: nothing lives there. */
export function viewOf({ logic, snapshot, tables: { status, error } }: Folded): View | undefined {
  if (logic !== NOBODY) return logic.view(snapshot);
  return status === 'error' ? { ...NOBODY.view(undefined), status, error } : undefined;
}

/** An init above an older life: what belongs to the address goes on. */
export function reborn(
  source: Pick<RecoverySource, 'logicOf'>,
  address: Address,
  record: Parameters<typeof unborn>[2],
  tables: Tables,
): Folded {
  return { ...unborn(address, source.logicOf(record.init.logic, address), record), tables };
}

/** The actor as a bridge has it. */
export function bridged(
  source: Pick<RecoverySource, 'logicOf'>,
  address: Address,
  record: Extract<LogRecord, { kind: 'bridge' }>,
): Folded {
  const { seq: head, epoch, init, logic: stamp } = record;
  const tables = { ...decodeTables(structuredClone(record.tables)), head, epoch, lastTs: record.meta.ts, init, logic: stamp };
  if (record.reason === 'reset') return nobody(address, tables);
  const logic = source.logicOf(init.logic, address);
  const env = envOf(address, init);
  return { env, logic, snapshot: logic.restore(env, structuredClone(record.snapshot)), tables };
}

function roughBytes(record: LogRecord): number {
  return record.kind === 'event' || record.kind === 'dead' ? sizeOf(record.event, 4) : 100;
}

/** Characters in a value, roughly; deep parts count as little. */
export function sizeOf(value: unknown, depth: number): number {
  if (typeof value === 'string') return value.length + 2;
  if (typeof value !== 'object' || value === null) return 8;
  if (depth === 0) return 64;
  let n = 2;
  if (Array.isArray(value)) for (const v of value) n += sizeOf(v, depth - 1) + 1;
  else for (const k in value) n += k.length + 4 + sizeOf((value as Record<string, unknown>)[k], depth - 1);
  return n;
}
