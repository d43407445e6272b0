/** The reading half of the store, the same for its owner and for those who read beside it. */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { Address, Shard } from '../../core/address.ts';
import { MeshError } from '../../core/errors.ts';
import type { Claim, SessionState } from '../../core/ports/directory.ts';
import type { Checkpoint, StreamHead, StreamId, StreamState } from '../../core/ports/event-store.ts';
import type { LogRecord } from '../../core/record.ts';

/** Rows that are read at once: no statement stays open over an `await`, so readers never keep the log from being cut. */
export const PAGE = 256;

export interface StreamRow {
  readonly id: number;
  /** Seq before the first record that is kept. */
  readonly base: number;
}
export interface BlobState {
  readonly hash: string;
  readonly bytes: number;
  /** ms since 1970. */
  readonly putAt: number;
}
interface EventRow {
  readonly seq: number;
  readonly crc: number;
  readonly record: string;
}
interface FollowedRow extends EventRow {
  readonly row: number;
  readonly actor: Address;
}
interface CheckpointRow {
  readonly seq: number;
  readonly epoch: number;
  readonly wake_at: number | null;
  readonly leaf: number;
  readonly tombstone: number;
  readonly crc: number;
  readonly bytes: Uint8Array;
}
interface StateRow {
  readonly actor: Address;
  readonly base: number;
  readonly top: number | null;
  readonly topEpoch: number | null;
  readonly saved: number | null;
  readonly savedEpoch: number | null;
  readonly wakeAt: number | null;
  readonly leaf: number | null;
  readonly tombstone: number | null;
}

const corrupt = (what: string): MeshError => new MeshError('STORE_CORRUPT', what);

/** Prepared statements on one connection. */
export class Reading {
  private readonly statements: ReturnType<typeof prepare>;

  constructor(db: DatabaseSync) {
    this.statements = prepare(db);
  }

  stream(id: StreamId): StreamRow | undefined {
    return one(this.statements.stream, id.shard, id.actor) as StreamRow | undefined;
  }

  head(id: StreamId): StreamHead {
    const stream = this.stream(id);
    return stream === undefined ? { head: this.floor(id.shard), epoch: 0 } : this.headOf(stream);
  }
  headOf(stream: StreamRow): StreamHead {
    const top = one(this.statements.top, stream.id) as { seq: number; epoch: number } | undefined;
    const saved = one(this.statements.saved, stream.id) as { seq: number; epoch: number } | undefined;
    return { head: top?.seq ?? stream.base, epoch: Math.max(top?.epoch ?? 0, saved?.epoch ?? 0) };
  }
  savedSeq(stream: StreamRow): number {
    return (one(this.statements.saved, stream.id) as { seq: number } | undefined)?.seq ?? 0;
  }
  floor(shard: Shard): number {
    return (one(this.statements.floor, shard) as { floor: number } | undefined)?.floor ?? 0;
  }

  /** The next records from `from` on, checked; none: there are no more. */
  records(id: StreamId, from: number, to: number): LogRecord[] {
    const stream = this.stream(id);
    if (stream === undefined) return [];
    const rows = many<EventRow>(this.statements.records, stream.id, from, Math.min(to, Number.MAX_SAFE_INTEGER), PAGE);
    let expected = Math.max(from, stream.base + 1);
    return rows.map((row) => {
      if (row.seq !== expected) throw corrupt(`record ${expected} of ${id.actor} is missing: the next one there is ${row.seq}`);
      expected++;
      return recordOf(row, id.actor);
    });
  }

  states(shard: Shard, after: Address): StreamState[] {
    let before = after;
    return many<StateRow>(this.statements.states, shard, after, PAGE).map((row) => {
      if (row.actor <= before) throw corrupt(`the streams of ${shard} are out of order at ${row.actor}`);
      before = row.actor;
      const head = row.top ?? row.base;
      const checkpointSeq = row.saved ?? 0;
      return {
        shard,
        actor: row.actor,
        head,
        epoch: Math.max(row.topEpoch ?? 0, row.savedEpoch ?? 0),
        checkpointSeq,
        wakeAt: row.wakeAt ?? undefined,
        dirty: head > checkpointSeq || row.leaf === 1,
        tombstone: row.tombstone === 1,
      };
    });
  }

  checkpoint(id: StreamId): Checkpoint | undefined {
    const stream = this.stream(id);
    const row = stream === undefined ? undefined : (one(this.statements.checkpoint, stream.id) as CheckpointRow | undefined);
    if (row === undefined) return undefined;
    const checkpoint = {
      seq: row.seq,
      epoch: row.epoch,
      wakeAt: row.wake_at ?? undefined,
      leaf: row.leaf === 1,
      tombstone: row.tombstone === 1,
      bytes: row.bytes,
    };
    if (checkpointSum(checkpoint) !== row.crc) throw corrupt(`the checkpoint of ${id.actor} at seq ${row.seq} was changed`);
    return checkpoint;
  }

  blob(hash: string): Uint8Array | undefined {
    const bytes = (one(this.statements.blob, hash) as { bytes: Uint8Array } | undefined)?.bytes;
    if (bytes !== undefined && hashOf(bytes) !== hash) throw corrupt(`blob ${hash} was changed`);
    return bytes;
  }
  blobs(after: string): BlobState[] {
    let before = after;
    return many<BlobState>(this.statements.blobs, after, PAGE).map((row) => {
      if (row.hash <= before) throw corrupt(`the blobs are out of order at ${row.hash}`);
      before = row.hash;
      return { ...row };
    });
  }

  shards(): Shard[] {
    return many<{ name: Shard }>(this.statements.shards).map((row) => row.name);
  }

  /** Number of the last row that was written; what comes later has a higher one. */
  lastRow(): number {
    return (one(this.statements.lastRow) as { row: number } | undefined)?.row ?? 0;
  }
  /** Records of a shard in the order in which they became durable: rows above `after`, up to `last`. */
  followed(shard: Shard, after: number, last: number): { row: number; stream: StreamId; record: LogRecord }[] {
    return many<FollowedRow>(this.statements.followed, after, last, shard, PAGE).map((row) => ({
      row: row.row,
      stream: { shard, actor: row.actor },
      record: recordOf(row, row.actor),
    }));
  }

  sessions(): SessionState[] {
    return many<{ state: string }>(this.statements.sessions, 0).map((row) => JSON.parse(row.state) as SessionState);
  }
  /** Oldest first. */
  endedSessions(): string[] {
    return many<{ session: string }>(this.statements.sessions, 1).map((row) => row.session);
  }
  claims(): Claim[] {
    return many<{ shard: Shard; epoch: number; session: string | null; node: string | null }>(this.statements.claims).map(
      (row) => ({ shard: row.shard, epoch: row.epoch, session: row.session ?? undefined, node: row.node ?? undefined }),
    );
  }
  constants(): Map<string, string> {
    return new Map(
      many<{ name: string; value: string }>(this.statements.constants).map(({ name, value }) => [name, value] as const),
    );
  }
}

/** Over all of a checkpoint, what is told of it included. */
export const checkpointSum = (c: Checkpoint): number =>
  crc32(`${c.seq} ${c.epoch} ${c.wakeAt} ${c.leaf} ${c.tombstone === true}`, crc32(c.bytes));

export const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

function recordOf(row: EventRow, actor: Address): LogRecord {
  // A changed bit can also make bytes of what was text.
  if (typeof row.record !== 'string' || crc32(row.record) !== row.crc) throw corrupt(`record ${row.seq} of ${actor} was changed`);
  const record = JSON.parse(row.record) as LogRecord;
  if (record.seq !== row.seq) throw corrupt(`record ${row.seq} of ${actor} calls itself ${record.seq}`);
  return record;
}

const one = (statement: StatementSync, ...args: (string | number)[]): unknown => statement.get(...args);
const many = <Row>(statement: StatementSync, ...args: (string | number)[]): Row[] => statement.all(...args) as Row[];

function prepare(db: DatabaseSync) {
  const inShard = 'shard = (SELECT id FROM shards WHERE name = ?)';
  return {
    stream: db.prepare(`SELECT id, base FROM streams WHERE ${inShard} AND actor = ?`),
    top: db.prepare('SELECT seq, epoch FROM events WHERE stream = ? ORDER BY seq DESC LIMIT 1'),
    saved: db.prepare('SELECT seq, epoch FROM checkpoints WHERE stream = ?'),
    floor: db.prepare('SELECT floor FROM shards WHERE name = ?'),
    records: db.prepare('SELECT seq, crc, record FROM events WHERE stream = ? AND seq >= ? AND seq <= ? ORDER BY seq LIMIT ?'),
    states: db.prepare(`
      SELECT s.actor, s.base, (SELECT max(seq) FROM events WHERE stream = s.id) AS top,
        (SELECT epoch FROM events WHERE stream = s.id ORDER BY seq DESC LIMIT 1) AS topEpoch,
        c.seq AS saved, c.epoch AS savedEpoch, c.wake_at AS wakeAt, c.leaf, c.tombstone
      FROM streams s LEFT JOIN checkpoints c ON c.stream = s.id
      WHERE s.${inShard} AND s.actor > ? ORDER BY s.actor LIMIT ?`),
    checkpoint: db.prepare('SELECT seq, epoch, wake_at, leaf, tombstone, crc, bytes FROM checkpoints WHERE stream = ?'),
    blob: db.prepare('SELECT bytes FROM blobs WHERE hash = ?'),
    blobs: db.prepare('SELECT hash, length(bytes) AS bytes, put_at AS putAt FROM blobs WHERE hash > ? ORDER BY hash LIMIT ?'),
    shards: db.prepare('SELECT name FROM shards h WHERE EXISTS (SELECT 1 FROM streams WHERE shard = h.id) ORDER BY name'),
    lastRow: db.prepare(`
      SELECT max(coalesce((SELECT max(row) FROM events), 0), coalesce((SELECT value FROM marks WHERE name = 'rows'), 0)) AS row`),
    // CROSS JOIN keeps the order of the loops: by row, never by stream.
    followed: db.prepare(`
      SELECT e.row, s.actor, e.seq, e.crc, e.record FROM events e CROSS JOIN streams s ON s.id = e.stream
      WHERE e.row > ? AND e.row <= ? AND s.${inShard} ORDER BY e.row LIMIT ?`),
    sessions: db.prepare('SELECT session, state FROM sessions WHERE ended = ? ORDER BY rowid'),
    claims: db.prepare('SELECT shard, epoch, session, node FROM claims ORDER BY shard'),
    constants: db.prepare('SELECT name, value FROM constants'),
  };
}
