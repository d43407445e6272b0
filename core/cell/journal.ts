/**
 * The way of records into the store: one append in flight, the next batch collected meanwhile. An append ends done, refused or unknown
 * (DELIVERY §3, `protocol/append.ts`); what leaves with a batch (`Payload`: acks, effects) is handed back when all of it is durable.
 *
 *   add, add, ... -> flush(payload) -> store.append -> written(records, payload)       or         -> ended(reason): no more of it
 */
import type { CellHost } from './host.ts';
import { isMeshError } from '../errors.ts';
import type { AppendResult, StreamId } from '../ports/event-store.ts';
import { type Outcome, settle } from '../protocol/append.ts';
import type { LogRecord } from '../record.ts';

const PAUSE_MIN_MS = 5;
const PAUSE_MAX_MS = 2_000;

export interface JournalOwner<Payload> {
  /** `records` may be empty: then all that the payload speaks of was durable before. */
  written(records: readonly LogRecord[], payload: Payload): void;
  /** Another owner has written, or the store refuses for good. */
  ended(reason: string, error?: unknown): void;
  /** The store does not take it for now; it is tried again. */
  stalled(error: unknown): void;
}

type JournalHost = Pick<CellHost, 'store' | 'deflate' | 'sleep' | 'epochOf'>;

export class Journal<Payload> {
  private readonly host: JournalHost;
  private readonly stream: StreamId;
  private readonly epoch: number;
  private readonly owner: JournalOwner<Payload>;
  private batch: LogRecord[] | undefined;
  private closed = false;
  /** Head that is known to be durable. */
  durable: number;
  /** An append is on its way. */
  inFlight = false;

  constructor(host: JournalHost, stream: StreamId, epoch: number, durable: number, owner: JournalOwner<Payload>) {
    this.host = host;
    this.stream = stream;
    this.epoch = epoch;
    this.durable = durable;
    this.owner = owner;
  }

  /** Records that wait for the append before them. */
  get waiting(): number {
    return this.batch === undefined ? 0 : this.batch.length;
  }
  /** All that was added is durable. */
  get quiet(): boolean {
    return !this.inFlight && this.batch === undefined;
  }

  add(record: LogRecord): void {
    if (this.batch === undefined) this.batch = [record];
    else this.batch.push(record);
  }

  /** Not while one is in flight. */
  flush(payload: Payload): void {
    const records = this.batch;
    this.batch = undefined;
    if (records === undefined) return this.owner.written([], payload);
    this.inFlight = true;
    void this.append(records, this.durable).then((done) => {
      this.inFlight = false;
      if (!done || this.closed) return;
      this.durable += records.length;
      this.owner.written(records, payload);
    });
  }

  close(): void {
    this.closed = true;
  }

  /** False: it came to an end before all of it was durable. */
  private async append(records: readonly LogRecord[], head: number): Promise<boolean> {
    let rest = records;
    let expected = head;
    for (let pause = PAUSE_MIN_MS; !this.closed; pause = Math.min(pause * 2, PAUSE_MAX_MS)) {
      let result: AppendResult;
      try {
        // Large payloads go into blobs first. Again the same bytes: their names are their hashes.
        const stored = this.host.deflate?.(rest) ?? rest;
        rest = stored instanceof Promise ? await stored : stored;
        result = await this.host.store.append(this.stream, expected, this.epoch, rest);
      } catch (error) {
        // Nothing was written for sure: the same again, until there is room (or a person ends the process).
        if (isMeshError(error) && !error.retryable) return this.end(`the store refused it: ${error.message}`, error);
        this.owner.stalled(error);
        await this.host.sleep(pause);
        continue;
      }
      if (result.outcome === 'done') return true;
      if (result.outcome === 'refused') return this.end('another owner wrote its stream');
      const outcome = await this.lookUp(expected, rest);
      if (outcome.kind === 'done') return true;
      if (outcome.kind === 'stop') return this.end('its append was overtaken');
      if (outcome.kind === 'prefix') {
        rest = rest.slice(outcome.count);
        expected += outcome.count;
      }
    }
    return false;
  }

  /** What became of an append whose answer was lost; asked until the store answers. */
  private async lookUp(expected: number, records: readonly LogRecord[]): Promise<Outcome> {
    for (let pause = PAUSE_MIN_MS; !this.closed; pause = Math.min(pause * 2, PAUSE_MAX_MS)) {
      await this.host.sleep(pause);
      try {
        const { head, epoch } = await this.host.store.head(this.stream);
        const above: LogRecord[] = [];
        for await (const record of this.host.store.read(this.stream, expected + 1, head)) above.push(record);
        const claimed = this.host.epochOf(this.stream.shard) === this.epoch;
        return settle({ expected, epoch: this.epoch, records }, { head, epoch, above }, claimed);
      } catch (error) {
        this.owner.stalled(error);
      }
    }
    return { kind: 'stop' };
  }

  private end(reason: string, error?: unknown): false {
    if (!this.closed) this.owner.ended(reason, error);
    return false;
  }
}
