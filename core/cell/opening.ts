/**
 * How an actor comes into memory: its stream is activated under the present epoch (if something was left unfinished), recovered, and
 * given a cell. One opening an address at a time; mail that comes meanwhile waits with it, within a bound.
 */
import { type Address, ROOT, topOf } from '../address.ts';
import { Cell } from '../cell.ts';
import type { CellHost } from './host.ts';
import type { Envelope } from '../envelope.ts';
import { errorData, isMeshError, MeshError } from '../errors.ts';
import { STRIKES_MAX, THREE_STRIKES } from '../protocol/failure.ts';
import type { StreamId } from '../ports/event-store.ts';
import { NOBODY, recover, type RecoverySource } from '../recovery.ts';
import type { ActivatedRecord, LogRecord, ReadyRecord } from '../record.ts';

const PAUSE_MS = 20;

interface Opening {
  readonly mail: Envelope[];
  readonly doors: ((cell: Cell | MeshError) => void)[];
}

export interface OpeningHost extends CellHost {
  readonly cells: Map<Address, Cell>;
  readonly recovery: RecoverySource;
  /** Envelopes that wait while an actor is opened. */
  readonly openingMax: number;
  /** A person wants it to be tried, whatever it has done before. */
  isPardoned(address: Address): boolean;
  opened(cell: Cell, recovered: { readonly head: number; readonly changed: boolean } | undefined): void;
  /** It could not be opened: for now (`retryable`), or until a person has changed something. */
  failed(address: Address, failure: MeshError): void;
}

export class Openings {
  private readonly host: OpeningHost;
  private readonly openings = new Map<Address, Opening>();

  constructor(host: OpeningHost) {
    this.host = host;
  }

  /** Resolves with the open cell. Rejects with what keeps it from being opened. */
  cell(address: Address, first: Envelope | undefined): Promise<Cell> {
    return new Promise((resolve, reject) => {
      this.at(address, first).doors.push((result) => {
        if (result instanceof Cell) resolve(result);
        else reject(result);
      });
    });
  }

  /** Mail for an actor that is not open. What does not fit is sent again. */
  deliver(e: Envelope): void {
    const { mail } = this.at(e.to, e);
    if (mail.length < this.host.openingMax) mail.push(e);
  }

  private at(address: Address, first: Envelope | undefined): Opening {
    const known = this.openings.get(address);
    if (known !== undefined) return known;
    const opening: Opening = { mail: [], doors: [] };
    this.openings.set(address, opening);
    void this.open(address, first).then(
      (cell) => {
        this.openings.delete(address);
        for (const door of opening.doors) door(cell ?? new MeshError('ACTOR_NOT_FOUND', `${address} has not been started yet`));
        if (cell !== undefined) for (const e of opening.mail) cell.offer(e);
      },
      (error: unknown) => {
        this.openings.delete(address);
        const why = `${address} cannot be opened: ${errorData(error).message}`;
        const failure = isMeshError(error) ? error : new MeshError('INTERNAL', why, { cause: error });
        this.host.failed(address, failure);
        for (const door of opening.doors) door(failure);
      },
    );
    return opening;
  }

  /** Undefined: a child that its living parent has not started yet; its mail waits unacknowledged. */
  private async open(address: Address, first: Envelope | undefined): Promise<Cell | undefined> {
    const { host } = this;
    const { store } = host;
    const shard = host.shardOf(address);
    const epoch = host.epochOf(shard);
    if (epoch < 0) throw new MeshError('NOT_OWNER', `shard ${shard} is not claimed`);
    const stream: StreamId = { shard, actor: address };
    const { head, epoch: lastEpoch } = await store.head(stream);
    // The head of a stream that is not there yet is the floor of its shard.
    const isNew = lastEpoch === 0;
    const isUnstartedChild = isNew && address.includes('@', 1) && first?.event.type !== 'reprise.start';
    if (isUnstartedChild && (await this.lives(topOf(address)))) return undefined;
    const checkpoint = isNew ? undefined : await store.loadCheckpoint(stream);
    const dirty = !isNew && (head > (checkpoint?.seq ?? 0) || checkpoint?.leaf === true);
    const reason = lastEpoch === epoch ? 'reopened' : host.uncleanSince(shard) !== undefined ? 'unclean' : 'claim';
    const suspect = dirty && reason === 'unclean' && address !== ROOT && !host.isPardoned(address);
    if (suspect && (await this.diesOfItsLog(stream, head)))
      throw new MeshError('ACTOR_PARKED', `${address} is parked: ${THREE_STRIKES}, maybe while its log was folded`);
    // Durable before the fold, so that an actor that kills its process is seen in its log.
    if (dirty && !(await this.write(stream, head, epoch, { kind: 'activated', reason, node: host.node })))
      throw new MeshError('NOT_OWNER', `${address} is fenced`);
    const recovered = await recover(host.recovery, stream).catch(async (error: unknown) => {
      // The process has outlived it: what cannot be folded is no strike.
      if (dirty) await this.write(stream, head + 1, epoch, { kind: 'ready' });
      throw error;
    });
    if (isNew) recovered.actor.tables.head = head;
    if (host.epochOf(shard) !== epoch) throw new MeshError('NOT_OWNER', `shard ${shard} went while ${address} was opened`);
    const cell = new Cell(host, stream, epoch, recovered);
    host.cells.set(address, cell);
    const { logic } = recovered.actor;
    const { strikes, parked, status, toBegin } = recovered.actor.tables;
    if (strikes >= STRIKES_MAX && parked === undefined && address !== ROOT && (status === 'active' || logic === NOBODY)) {
      if (host.isPardoned(address)) cell.activated('unparked');
      else cell.park(THREE_STRIKES);
    }
    if (toBegin === true) cell.beginAgain();
    if (dirty) cell.resume();
    else cell.arm();
    host.opened(cell, dirty ? { head, changed: recovered.changed } : undefined);
    if (recovered.distrusted !== undefined) host.news.checkpointFailed(cell, recovered.distrusted);
    return cell;
  }

  /** Appends one record of the opening. False: another owner has written. */
  private async write(
    stream: StreamId,
    head: number,
    epoch: number,
    what: Pick<ActivatedRecord, 'kind' | 'reason' | 'node'> | Pick<ReadyRecord, 'kind'>,
  ): Promise<boolean> {
    const { store, clock } = this.host;
    let last = 0;
    for await (const record of store.read(stream, head, head)) last = record.meta.ts;
    const meta = { ts: Math.max(clock.now(), last), seed: 0 };
    const record: LogRecord = { v: 1, seq: head + 1, epoch, ...what, meta };
    for (;;) {
      const result = await store.append(stream, head, epoch, [record]);
      const isDone = result.outcome === 'done' || (await this.isThere(stream, record));
      if (isDone) this.host.news.records(stream.actor, [record]);
      if (isDone || result.outcome === 'refused') return isDone;
      await this.host.sleep(PAUSE_MS);
    }
  }

  /** Only this node writes under its epoch, and this actor has no cell: what stands there is this record. */
  private async isThere(stream: StreamId, { seq, epoch }: LogRecord): Promise<boolean> {
    const now = await this.host.store.head(stream);
    return now.head === seq && now.epoch === epoch;
  }

  /** Each of the last owners that opened it has got no further than that. */
  private async diesOfItsLog(stream: StreamId, head: number): Promise<boolean> {
    let opened = 0;
    for await (const { kind } of this.host.store.read(stream, Math.max(1, head - STRIKES_MAX + 1), head))
      if (kind === 'activated') opened++;
    return opened === STRIKES_MAX;
  }

  private async lives(address: Address): Promise<boolean> {
    const cell = this.host.cells.get(address);
    if (cell !== undefined) return cell.actor.tables.status === 'active';
    return (await this.host.store.head({ shard: this.host.shardOf(address), actor: address })).epoch > 0;
  }
}
