/**
 * How long logs are kept: living actors for ever, finished ones for the retention of their kind, tombstones until nobody can ask for what
 * they remember, payloads until a day after anything named them. What is due is decided by `judge`, and again right before it goes.
 *
 *   finished log -> (retention) tombstone -> (twice the horizon, nothing owed) nothing; its seqs stay used: the shard's floor is raised
 */
import type { Address } from '../address.ts';
import { decodeCheckpoint } from '../checkpoint.ts';
import type { LossOptions } from './lifecycle.ts';
import { blobOf } from '../payload.ts';
import type { BlobStore, EventStore, StoreAdmin, StreamId, StreamState } from '../ports/event-store.ts';
import { outboxSize } from '../protocol/outbox.ts';
import type { Tables } from '../tables.ts';

/** A record that names a payload is written within this after the payload was put. */
const BLOB_MS = 86_400_000;

export interface RetentionRules {
  readonly horizonMs: number;
  /** How long the log of this actor is kept after its end, ms; undefined: for ever. */
  retentionMs(address: Address): number | undefined;
}

export type Verdict =
  | { readonly goes: false; readonly why: string }
  /** The log goes, and leaves a tombstone. */
  | { readonly goes: 'log'; readonly why: string; readonly endedAt: number }
  /** The last trace of the address goes. */
  | { readonly goes: 'tombstone'; readonly why: string };

const kept = (why: string): Verdict => ({ goes: false, why });
const day = (ts: number): string => new Date(ts).toISOString().slice(0, 10);

/** `saved`: the tables in the checkpoint of the stream, which is all there is when nothing lies above it. */
export function judge(stream: StreamState, saved: Tables | undefined, rules: RetentionRules, now: number): Verdict {
  if (stream.dirty || saved === undefined) return kept('records lie above its checkpoint');
  if (stream.tombstone) {
    const until = saved.lastTs + 2 * rules.horizonMs;
    if (saved.outbox !== undefined && outboxSize(saved.outbox) > 0) return kept('others have not taken what it sent');
    if (until > now) return kept(`what it took may come again until ${day(until)}`);
    return { goes: 'tombstone', why: `nothing has come for it since ${day(saved.lastTs)}` };
  }
  if (saved.status === 'active') return kept(saved.parked === undefined ? 'it lives' : 'it is parked');
  const retentionMs = rules.retentionMs(stream.actor);
  const endedAt = saved.endedAt ?? saved.lastTs;
  if (retentionMs === undefined) return kept('its kind is kept for ever');
  if (endedAt + retentionMs > now) return kept(`it is kept until ${day(endedAt + retentionMs)}`);
  return { goes: 'log', why: `it ended on ${day(endedAt)}`, endedAt };
}

/** What is past its time. */
export interface Prunable {
  /** Finished actors whose logs go. */
  readonly actors: readonly {
    readonly address: Address;
    readonly records: number;
    readonly endedAt: number;
    readonly why: string;
  }[];
  /** Addresses of which the last trace goes. */
  readonly tombstones: readonly Address[];
  /** Payloads that nothing names. */
  readonly blobs: readonly { readonly hash: string; readonly bytes: number }[];
}

export interface RetentionParts {
  readonly store: Pick<EventStore, 'read' | 'head' | 'streams' | 'loadCheckpoint'> & BlobStore & StoreAdmin;
  /** Of an actor that is not imported. */
  stream(address: Address): StreamId;
  streams(): AsyncIterable<StreamState>;
  readonly rules: RetentionRules;
  /** An actor in memory may be about to write. */
  isOpen(address: Address): boolean;
  /** Removes a log but for its tombstone. Resolves with how many records went. */
  remove(address: Address, options: LossOptions): Promise<number>;
  /** ms since 1970. */
  now(): number;
}

/** Looks at every stream, and at every record when payloads are old enough to go. Changes nothing. */
export async function prunable(parts: RetentionParts): Promise<Prunable> {
  const actors: Prunable['actors'][number][] = [];
  const tombstones: Address[] = [];
  for await (const stream of parts.streams()) {
    const verdict = await verdictOn(parts, stream);
    if (verdict.goes === 'tombstone') tombstones.push(stream.actor);
    else if (verdict.goes === 'log') {
      const { endedAt, why } = verdict;
      actors.push({ address: stream.actor, records: await recordsOf(parts, stream), endedAt, why });
    }
  }
  return { actors, tombstones, blobs: await unnamedBlobs(parts) };
}

/** Removes it. What has changed since it was listed is left alone. */
export async function prune(parts: RetentionParts, what: Prunable): Promise<void> {
  for (const { address } of what.actors)
    if ((await verdictAgain(parts, address)).goes === 'log') await removeLog(parts, address, {});
  for (const address of what.tombstones)
    if ((await verdictAgain(parts, address)).goes === 'tombstone') await parts.store.deleteStream(parts.stream(address));
  for (const { hash } of what.blobs) await parts.store.delete(hash, parts.now() - BLOB_MS);
}

/** Payloads that the log named are kept for another day: somebody may be reading it. */
export async function removeLog(parts: RetentionParts, address: Address, options: LossOptions): Promise<number> {
  const { store } = parts;
  const named = new Set<string>();
  for await (const record of store.read(parts.stream(address), 1)) {
    const hash = blobOf(record);
    if (hash !== undefined) named.add(hash);
  }
  const count = await parts.remove(address, options);
  for (const hash of named) {
    const bytes = await store.get(hash);
    if (bytes !== undefined) await store.put(bytes);
  }
  return count;
}

async function verdictOn(parts: RetentionParts, stream: StreamState): Promise<Verdict> {
  if (parts.isOpen(stream.actor)) return kept('it is in memory');
  const checkpoint = await parts.store.loadCheckpoint(stream);
  const saved = checkpoint === undefined ? undefined : decodeCheckpoint(checkpoint.bytes, stream.actor).tables;
  return judge(stream, saved, parts.rules, parts.now());
}

async function verdictAgain(parts: RetentionParts, address: Address): Promise<Verdict> {
  const stream = parts.stream(address);
  const [{ head, epoch }, checkpoint] = [await parts.store.head(stream), await parts.store.loadCheckpoint(stream)];
  if (epoch === 0 || checkpoint === undefined) return kept('it is gone already');
  const { seq, leaf, wakeAt, tombstone = false } = checkpoint;
  return verdictOn(parts, { ...stream, head, epoch, checkpointSeq: seq, wakeAt, dirty: head > seq || leaf, tombstone });
}

async function recordsOf(parts: RetentionParts, stream: StreamState): Promise<number> {
  for await (const first of parts.store.read(stream, 1)) return stream.head - first.seq + 1;
  return 0;
}

/** Payloads that were last put more than a day ago and that no record names, of imported logs neither. */
async function unnamedBlobs(parts: RetentionParts): Promise<Prunable['blobs']> {
  const { store } = parts;
  const before = parts.now() - BLOB_MS;
  const old = new Map<string, number>();
  for await (const { hash, bytes, putAt } of store.list()) if (putAt < before) old.set(hash, bytes);
  if (old.size === 0) return [];
  for (const shard of await store.shards())
    for await (const stream of store.streams(shard))
      for await (const record of store.read(stream, 1)) old.delete(blobOf(record) ?? '');
  return [...old].map(([hash, bytes]) => ({ hash, bytes }));
}
