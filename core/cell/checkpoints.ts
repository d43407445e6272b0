/** The checkpoints of one actor: what the last one was, what has come since, and how the next one is made. */
import type { Cell } from '../cell.ts';
import { encodeCheckpoint } from '../checkpoint.ts';
import { checkpointDue } from '../protocol/checkpoint.ts';
import { dropStill } from '../protocol/cursors.ts';
import { NOBODY, type Recovered } from '../recovery.ts';
import { isUnfinished } from '../tables.ts';
import { wakeOf } from './due.ts';
import type { CellHost } from './host.ts';
import { spill, unspill } from './outbox-payloads.ts';

type SavingHost = Pick<CellHost, 'clock' | 'store' | 'horizonMs' | 'news'>;
type SavedCell = Pick<
  Cell,
  'address' | 'stream' | 'epoch' | 'actor' | 'durableHead' | 'quiet' | 'closed' | 'waiting' | 'waitsUntil' | 'ready' | 'close'
>;

export class Checkpoints {
  /** Of the last one; 0: there is none. */
  seq: number;
  /** One is on its way to the store. */
  saving = false;
  /** Bytes of JSON in the last one, and of the records above it, roughly. */
  private stateBytes: number;
  private logBytes: number;
  /** The last that was tried in vain. `isUnsaveable`: JSON cannot hold that state. */
  private tried: { readonly seq: number; readonly isUnsaveable: boolean } | undefined;

  constructor({ checkpointSeq, stateBytes, logBytes }: Pick<Recovered, 'checkpointSeq' | 'stateBytes' | 'logBytes'>) {
    this.seq = checkpointSeq;
    this.stateBytes = stateBytes;
    this.logBytes = logBytes;
    this.tried = undefined;
  }

  /** `bytes` of log, roughly. */
  grew(bytes: number): void {
    this.logBytes += bytes;
  }

  /** Does one pay at this head? */
  isDue(head: number): boolean {
    return checkpointDue(this.logBytes, head - Math.max(this.seq, this.tried?.seq ?? 0), this.stateBytes);
  }

  /** Saves one at the durable head, if nothing is open. False: there is none there. */
  async save(host: SavingHost, cell: SavedCell): Promise<boolean> {
    const t = cell.actor.tables;
    if (cell.closed || this.saving || !cell.quiet || (t.actions?.size ?? 0) > 0) return false;
    const seq = cell.durableHead;
    if (seq <= this.seq || (this.tried?.isUnsaveable === true && seq === this.tried.seq)) return false;
    this.saving = true;
    try {
      if (!(await unspill(host.store, cell.stream, t)) || cell.durableHead !== seq || !cell.quiet || cell.closed) return false;
      if (t.cursors !== undefined) dropStill(t.cursors, host.clock.now(), host.horizonMs);
      const encoded = this.encode(host, cell, seq);
      if (encoded === undefined) return false;
      const { bytes, jsonBytes } = encoded;
      const meta = {
        // What a crashed owner had under way waits nowhere.
        wakeAt: wakeOf(t, cell.waitsUntil, () => false),
        leaf: isUnfinished(t),
        ...(cell.actor.logic === NOBODY && t.status !== 'error' && { tombstone: true }),
      };
      const { logBytes } = this;
      const saved = await host.store.saveCheckpoint(cell.stream, seq, cell.epoch, meta, bytes);
      host.news.answered(cell.address);
      if (saved === 'refused') {
        cell.close('its checkpoint was refused');
        return false;
      }
      this.seq = seq;
      this.stateBytes = jsonBytes;
      this.logBytes -= logBytes;
      this.tried = undefined;
      spill(t, seq);
      return true;
    } catch (error) {
      host.news.stalled(cell.address, error);
      this.inVain(seq);
      return false;
    } finally {
      this.saving = false;
      if (!cell.closed && cell.waiting > 0) cell.ready();
    }
  }

  /** The log is whole without it: the next one is tried when as much log again has come. */
  private inVain(seq: number, isUnsaveable = this.tried?.isUnsaveable ?? false): void {
    this.logBytes = 0;
    this.tried = { seq, isUnsaveable };
  }

  /** Undefined: JSON cannot hold its state. It goes on without checkpoints, from a log that grows; that is told once. */
  private encode(host: SavingHost, cell: SavedCell, seq: number): ReturnType<typeof encodeCheckpoint> | undefined {
    const { logic, snapshot, tables } = cell.actor;
    try {
      const encoded = encodeCheckpoint(logic === NOBODY ? undefined : logic, snapshot, tables);
      if (this.tried !== undefined) this.tried = { ...this.tried, isUnsaveable: false };
      return encoded;
    } catch (error) {
      if (this.tried?.isUnsaveable !== true) host.news.checkpointFailed(cell, error);
      this.inVain(seq, true);
      return undefined;
    }
  }
}
