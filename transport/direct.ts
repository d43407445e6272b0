/**
 * Mailboxes straight over a link: no custody, no copy. What is lost, or meets no owner, is sent again by its sender.
 *
 *   send    own shard: receiver.deliver at once, no codec    else: link, channel `mailbox`, one envelope a frame
 *   report  own shard: receiver.report at once               else: link, channel `report`, those of one turn together
 *
 * It neither starts nor stops the link, which others share.
 */
import type { Shard } from '../core/address.ts';
import type { CursorReport, Envelope } from '../core/envelope.ts';
import { assert, type ErrorCode, MeshError } from '../core/errors.ts';
import type { Codec } from '../core/ports/codec.ts';
import type { Link } from '../core/ports/link.ts';
import type { Mailboxes, Receiver } from '../core/ports/mailboxes.ts';

export interface DirectOptions {
  readonly node: string;
  /** The node that holds the shard by the directory, as far as is known here. */
  ownerOf(shard: Shard): string | undefined;
  /** Calls back when this turn of the event loop is over: `clock.soon`. */
  soon(fn: () => void): void;
  /** Absent: a mesh of one node. */
  readonly link?: Link;
  /** Needed with a link. */
  readonly codec?: Codec;
  /** What did not go out or come in, for the log of the node. It is never lost: its sender keeps it. */
  readonly dropped?: (cause: MeshError) => void;
}

const MAILBOX = 'mailbox';
const REPORT = 'report';

/** Sends are many: none of them needs a promise of its own. */
const NO_CUSTODY = Promise.resolve();

const isText = (value: unknown): value is string => typeof value === 'string';
const isLane = (value: unknown): boolean => value === 'user' || value === 'system';

function isEnvelope(value: unknown): value is Envelope {
  const e = value as Partial<Record<keyof Envelope, unknown>> | null;
  return (
    typeof e === 'object' &&
    e !== null &&
    isText(e.id) &&
    isText(e.from) &&
    isText(e.to) &&
    isText(e.shard) &&
    isText(e.fromShard) &&
    isLane(e.lane) &&
    typeof e.after === 'number' &&
    typeof e.ts === 'number' &&
    typeof e.event === 'object' &&
    e.event !== null &&
    isText((e.event as { type?: unknown }).type)
  );
}

function isReport(value: unknown): value is CursorReport {
  const r = value as Partial<Record<keyof CursorReport, unknown>> | null;
  return (
    typeof r === 'object' &&
    r !== null &&
    isText(r.from) &&
    isText(r.to) &&
    isText(r.shard) &&
    isLane(r.lane) &&
    typeof r.upTo === 'number'
  );
}

class Direct implements Mailboxes {
  readonly custody = false;
  private readonly options: DirectOptions;
  private readonly receivers = new Map<Shard, { readonly epoch: number; readonly receiver: Receiver }>();
  /** Reports of this turn, the highest of each triple. */
  private reports = new Map<string, CursorReport>();
  private running = false;

  constructor(options: DirectOptions) {
    assert((options.link === undefined) === (options.codec === undefined), 'direct: a link needs a codec, and nothing else does');
    this.options = options;
  }

  async start(): Promise<void> {
    if (this.running) return;
    this.running = true;
    this.options.link?.onMessage(MAILBOX, (from, bytes) => this.receiveEnvelope(from, bytes));
    this.options.link?.onMessage(REPORT, (from, bytes) => this.receiveReports(from, bytes));
  }

  async stop(): Promise<void> {
    this.flush();
    this.running = false;
    this.receivers.clear();
  }

  async open(shard: Shard, epoch: number, receiver: Receiver): Promise<{ close(): Promise<void> }> {
    const mine = { epoch, receiver };
    if (epoch >= (this.receivers.get(shard)?.epoch ?? 0)) this.receivers.set(shard, mine);
    return {
      close: async () => {
        if (this.receivers.get(shard) === mine) this.receivers.delete(shard);
      },
    };
  }

  send(envelope: Envelope): Promise<void> {
    if (this.running) this.carry(envelope);
    return NO_CUSTODY;
  }

  private carry(envelope: Envelope): void {
    const local = this.receivers.get(envelope.shard);
    if (local !== undefined) return local.receiver.deliver(envelope);
    const owner = this.options.ownerOf(envelope.shard);
    if (owner === undefined || owner === this.options.node) return;
    const bytes = this.encoded(envelope);
    if (bytes !== undefined) this.frame(owner, MAILBOX, bytes);
  }

  report(report: CursorReport): void {
    if (!this.running) return;
    const local = this.receivers.get(report.shard);
    if (local !== undefined) return local.receiver.report(report);
    if (this.reports.size === 0) this.options.soon(() => this.flush());
    const key = `${report.from} ${report.to} ${report.lane}`;
    const known = this.reports.get(key);
    if (known === undefined || known.upTo < report.upTo) this.reports.set(key, report);
  }

  private flush(): void {
    const { reports } = this;
    this.reports = new Map();
    const byOwner = new Map<string, CursorReport[]>();
    for (const report of reports.values()) {
      const owner = this.options.ownerOf(report.shard);
      if (owner === undefined || owner === this.options.node) continue;
      const list = byOwner.get(owner);
      if (list === undefined) byOwner.set(owner, [report]);
      else list.push(report);
    }
    for (const [owner, list] of byOwner) this.transmitReports(owner, list);
  }

  /** In as few frames as the link's limit allows. */
  private transmitReports(owner: string, reports: readonly CursorReport[]): void {
    const bytes = this.encoded(reports);
    if (bytes === undefined) return;
    if (bytes.length <= (this.options.link?.bytesMax ?? 0) || reports.length === 1) return this.frame(owner, REPORT, bytes);
    const half = reports.length >> 1;
    this.transmitReports(owner, reports.slice(0, half));
    this.transmitReports(owner, reports.slice(half));
  }

  private encoded(value: unknown): Uint8Array | undefined {
    try {
      return this.options.codec?.encode(value);
    } catch (error) {
      this.drop('CODEC_FAILED', `a message is no plain data and stays where it is: ${String(error)}`, error);
      return undefined;
    }
  }

  private frame(owner: string, channel: string, bytes: Uint8Array): void {
    const { link } = this.options;
    if (link === undefined) return;
    if (bytes.length <= link.bytesMax) return link.send(owner, channel, bytes);
    this.drop(
      'PAYLOAD_TOO_LARGE',
      `a message of ${bytes.length} bytes stays where it is: the link to ${owner} carries ${link.bytesMax}. Put the document in a file and send its name`,
    );
  }

  private drop(code: ErrorCode, message: string, cause?: unknown): void {
    this.options.dropped?.(new MeshError(code, message, { cause }));
  }

  private receiveEnvelope(from: string, bytes: Uint8Array): void {
    const envelope = this.decoded(from, bytes);
    if (envelope === undefined) return;
    if (!isEnvelope(envelope)) return this.malformed(from, MAILBOX);
    this.receivers.get(envelope.shard)?.receiver.deliver(envelope);
  }

  private receiveReports(from: string, bytes: Uint8Array): void {
    const reports = this.decoded(from, bytes);
    if (reports === undefined) return;
    if (!Array.isArray(reports) || !reports.every(isReport)) return this.malformed(from, REPORT);
    for (const report of reports) this.receivers.get(report.shard)?.receiver.report(report);
  }

  private decoded(from: string, bytes: Uint8Array): unknown {
    if (!this.running || this.options.codec === undefined) return undefined;
    try {
      return this.options.codec.decode(bytes);
    } catch (error) {
      this.drop('CODEC_FAILED', `a frame from node ${from} cannot be decoded`, error);
      return undefined;
    }
  }

  private malformed(from: string, channel: string): void {
    this.drop(
      'CODEC_FAILED',
      `a frame from node ${from} on '${channel}' is not what that channel carries; check that both run the same version`,
    );
  }
}

export const direct = (options: DirectOptions): Mailboxes => new Direct(options);
