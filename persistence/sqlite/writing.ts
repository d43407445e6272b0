/** Prepared statements that write. Each call stands inside a transaction of `Commits`. */
import { crc32 } from 'node:zlib';
import type { DatabaseSync } from 'node:sqlite';
import type { Address, Shard } from '../../core/address.ts';
import type { Claim, SessionState } from '../../core/ports/directory.ts';
import type { Checkpoint, StreamId } from '../../core/ports/event-store.ts';
import { checkpointSum } from './reading.ts';

/** Ended sessions that are remembered. */
const ENDED_MAX = 1_000;

export class Writing {
  private readonly statements: ReturnType<typeof prepare>;
  /** Of the last record. A row that is not kept after all is only a gap. */
  private lastRow: number;

  constructor(db: DatabaseSync, lastRow: number) {
    this.statements = prepare(db);
    this.lastRow = lastRow;
  }

  event(stream: number, seq: number, epoch: number, text: string): void {
    this.statements.event.run(++this.lastRow, stream, seq, epoch, crc32(text), text);
  }

  /** Returns its number. */
  stream(id: StreamId, base: number): number {
    const { lastInsertRowid } = this.statements.stream.run(this.shard(id.shard), id.actor, base);
    return Number(lastInsertRowid);
  }

  checkpoint(stream: number, c: Checkpoint): void {
    this.statements.checkpoint.run(
      stream,
      c.seq,
      c.epoch,
      c.wakeAt ?? null,
      c.leaf ? 1 : 0,
      c.tombstone === true ? 1 : 0,
      checkpointSum(c),
      c.bytes,
    );
  }

  blob(hash: string, putAt: number, bytes: Uint8Array): void {
    this.statements.blob.run(hash, putAt, bytes);
  }
  deleteBlob(hash: string, putBefore: number): void {
    this.statements.deleteBlob.run(hash, putBefore);
  }

  // ---- streams that go or come -------------------------------------------------------------------------------------

  raiseFloor(shard: Shard, floor: number): void {
    this.statements.raiseFloor.run(floor, this.shard(shard));
  }
  /** Returns how many records went. */
  truncate(stream: number, base: number): number {
    this.keepRow();
    this.statements.base.run(base, stream);
    return Number(this.statements.truncate.run(stream, base).changes);
  }
  hide(stream: number): void {
    this.statements.deleteCheckpoint.run(stream);
    this.statements.move.run(-stream, stream);
  }
  /** A stream that nobody sees until it is shown. Returns its number. */
  createHidden(actor: Address, base: number): number {
    const stream = Number(this.statements.stream.run(0, actor, base).lastInsertRowid);
    this.statements.move.run(-stream, stream);
    return stream;
  }
  show(stream: number, shard: Shard): void {
    this.statements.move.run(this.shard(shard), stream);
  }
  hidden(): number[] {
    return (this.statements.hidden.all() as { id: number }[]).map((row) => row.id);
  }
  /** Removes up to `count` records of a hidden stream, and at last itself. False: it is gone. */
  removeSome(stream: number, count: number): boolean {
    this.keepRow();
    if (this.statements.removeSome.run(stream, count).changes === count) return true;
    this.statements.deleteStream.run(stream);
    return false;
  }
  /** Numbers of rows are not used again when the last ones go. */
  private keepRow(): void {
    this.statements.mark.run('rows', this.lastRow);
  }

  // ---- who is alive and who owns what ------------------------------------------------------------------------------

  session(state: SessionState): void {
    this.statements.session.run(state.session, JSON.stringify(state));
  }
  endSession(session: string): void {
    this.statements.endSession.run(session);
    this.statements.forgetSessions.run(ENDED_MAX);
  }
  endSessions(): void {
    this.statements.endSessions.run();
    this.statements.forgetSessions.run(ENDED_MAX);
    this.keepRow();
  }
  claim(claim: Claim): void {
    this.statements.claim.run(claim.shard, claim.epoch, claim.session ?? null, claim.node ?? null);
  }
  constant(name: string, value: string): void {
    this.statements.constant.run(name, value);
  }

  private shard(shard: Shard): number {
    const known = this.statements.findShard.get(shard) as { id: number } | undefined;
    return known?.id ?? Number(this.statements.shard.run(shard).lastInsertRowid);
  }
}

function prepare(db: DatabaseSync) {
  return {
    event: db.prepare('INSERT INTO events(row, stream, seq, epoch, crc, record) VALUES (?, ?, ?, ?, ?, ?)'),
    stream: db.prepare('INSERT INTO streams(shard, actor, base) VALUES (?, ?, ?)'),
    findShard: db.prepare('SELECT id FROM shards WHERE name = ?'),
    shard: db.prepare('INSERT INTO shards(name, floor) VALUES (?, 0)'),
    checkpoint: db.prepare(
      'REPLACE INTO checkpoints(stream, seq, epoch, wake_at, leaf, tombstone, crc, bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    ),
    blob: db.prepare(
      'INSERT INTO blobs(hash, put_at, bytes) VALUES (?, ?, ?) ON CONFLICT(hash) DO UPDATE SET put_at = excluded.put_at',
    ),
    deleteBlob: db.prepare('DELETE FROM blobs WHERE hash = ? AND put_at < ?'),
    raiseFloor: db.prepare('UPDATE shards SET floor = max(floor, ?) WHERE id = ?'),
    base: db.prepare('UPDATE streams SET base = ? WHERE id = ?'),
    truncate: db.prepare('DELETE FROM events WHERE stream = ? AND seq <= ?'),
    deleteCheckpoint: db.prepare('DELETE FROM checkpoints WHERE stream = ?'),
    move: db.prepare('UPDATE streams SET shard = ? WHERE id = ?'),
    hidden: db.prepare('SELECT id FROM streams WHERE shard < 0'),
    removeSome: db.prepare(
      'DELETE FROM events WHERE row IN (SELECT row FROM events INDEXED BY events_by_seq WHERE stream = ? ORDER BY seq LIMIT ?)',
    ),
    deleteStream: db.prepare('DELETE FROM streams WHERE id = ?'),
    mark: db.prepare('REPLACE INTO marks(name, value) VALUES (?, ?)'),
    session: db.prepare(
      'INSERT INTO sessions(session, ended, state) VALUES (?, 0, ?) ON CONFLICT(session) DO UPDATE SET state = excluded.state',
    ),
    endSession: db.prepare('UPDATE sessions SET ended = 1 WHERE session = ?'),
    endSessions: db.prepare('UPDATE sessions SET ended = 1 WHERE ended = 0'),
    forgetSessions: db.prepare(
      'DELETE FROM sessions WHERE ended = 1 AND rowid <= (SELECT rowid FROM sessions WHERE ended = 1 ORDER BY rowid DESC LIMIT 1 OFFSET ?)',
    ),
    claim: db.prepare('REPLACE INTO claims(shard, epoch, session, node) VALUES (?, ?, ?, ?)'),
    constant: db.prepare('INSERT INTO constants(name, value) VALUES (?, ?)'),
  };
}
