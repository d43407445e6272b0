/**
 * Logs as JSON Lines, any number of actors in one text. A head begins an actor, its records follow, one a line, as docs/format.md has
 * them, payloads included:
 *
 *   {"stream":{"format":1,"mesh":"desk","actor":"desk/a","logic":{...},"after":0,"head":2}}
 *   {"v":1,"seq":1,"kind":"init",...}
 *   {"v":1,"seq":2,"kind":"event",...}
 *
 * `after` is the seq before the first record and `head` the last one. Where the beginning of a log was truncated, the checkpoint (base64)
 * stands for it. What is imported lies in a shard that no store lets anybody claim: it can be looked at and replayed, never run.
 */
import { type Address, checkAddress, importedShard } from '../address.ts';
import { decodeCheckpoint } from '../checkpoint.ts';
import { isMeshError, MeshError } from '../errors.ts';
import { isObject } from '../json.ts';
import { deflateRecords } from '../payload.ts';
import type { BlobStore, Checkpoint, EventStore, StoreAdmin, StreamId } from '../ports/event-store.ts';
import { FORMAT, type LogicStamp, type LogRecord } from '../record.ts';

const ARCHIVE = 1;

interface StoredCheckpoint extends Omit<Checkpoint, 'bytes'> {
  /** base64 */
  readonly bytes: string;
}
interface Head {
  readonly format: typeof ARCHIVE;
  readonly mesh: string;
  readonly actor: Address;
  /** Code that wrote the beginning of what is here. */
  readonly logic?: LogicStamp;
  readonly after: number;
  readonly head: number;
  readonly checkpoint?: StoredCheckpoint;
}

// ---- out -----------------------------------------------------------------------------------------------------------------

export interface ArchiveSource {
  readonly store: Pick<EventStore, 'read' | 'head' | 'loadCheckpoint'>;
  stream(address: Address): StreamId;
  /** Puts payloads back that lie in blobs. */
  inflate(record: LogRecord): Promise<LogRecord>;
}

/** The lines of one actor's log as it is now. Throws ACTOR_NOT_FOUND when it has none, STORE_CORRUPT. */
export async function* archiveLines(source: ArchiveSource, mesh: string, actor: Address): AsyncGenerator<string> {
  const { store } = source;
  const stream = source.stream(actor);
  const { head, epoch } = await store.head(stream);
  if (epoch === 0) throw new MeshError('ACTOR_NOT_FOUND', `${actor} has no log`);
  const checkpoint = await store.loadCheckpoint(stream);
  let isFirst = true;
  for await (const stored of store.read(stream, 1, head)) {
    const record = await source.inflate(stored);
    if (isFirst) yield line({ stream: headOf(mesh, actor, record.seq - 1, head, record, checkpoint) });
    isFirst = false;
    yield line(record);
  }
  // A tombstone, or a log that was truncated up to its head.
  if (isFirst) yield line({ stream: headOf(mesh, actor, head, head, undefined, checkpoint) });
}

const line = (value: object): string => JSON.stringify(value);

function headOf(
  mesh: string,
  actor: Address,
  after: number,
  head: number,
  first: LogRecord | undefined,
  checkpoint: Checkpoint | undefined,
): Head {
  // A life begins with `init`; whatever else comes first goes on from something.
  const kept = first?.kind === 'init' ? undefined : checkpoint;
  const logic =
    first !== undefined && 'logic' in first
      ? first.logic
      : kept === undefined
        ? undefined
        : decodeCheckpoint(kept.bytes, actor).tables.logic;
  return {
    format: ARCHIVE,
    mesh,
    actor,
    ...(logic !== undefined && logic.hash !== '' && { logic }),
    after,
    head,
    ...(kept !== undefined && { checkpoint: { ...kept, bytes: Buffer.from(kept.bytes).toString('base64') } }),
  };
}

// ---- in ------------------------------------------------------------------------------------------------------------------

export interface ArchiveText {
  /** As in 'logs.jsonl', for errors. */
  readonly name: string;
  readonly lines: AsyncIterable<string>;
}
export interface ImportedLog {
  readonly actor: Address;
  readonly records: number;
}

/**
 * Brings logs into the store under a name of their own, all of them or none.
 * Throws ARCHIVE_INVALID, naming the line; STORE_NEWER for a later format; ARCHIVE_EXISTS for an actor that was imported under this name before.
 */
export async function importArchive(store: BlobStore & StoreAdmin, name: string, text: ArchiveText): Promise<ImportedLog[]> {
  const shard = importedShard(name);
  const lines = new Lines(text);
  const imported: ImportedLog[] = [];
  try {
    for (let head = await lines.head(); head !== undefined; head = await lines.head()) {
      const { actor, after } = head;
      if (imported.some((log) => log.actor === actor)) throw lines.wrong(`begins ${actor}, whose log stands above already`);
      const log = { after, checkpoint: checkpointOf(head), records: deflated(lines.records(head), store) };
      imported.push({ actor, records: await store.importStream({ shard, actor }, log) });
    }
    if (imported.length === 0) throw lines.wrong('begins no actor: there is none in the file');
    return imported;
  } catch (error) {
    for (const { actor } of imported) await store.deleteStream({ shard, actor });
    if (!isMeshError(error, 'STORE_CONFLICT')) throw error;
    throw new MeshError('ARCHIVE_EXISTS', `${text.name}: ${error.message}; nothing was imported`, { cause: error });
  }
}

async function* deflated(records: AsyncIterable<LogRecord>, blobs: BlobStore): AsyncGenerator<LogRecord> {
  for await (const record of records) yield* await deflateRecords([record], blobs);
}

const checkpointOf = ({ checkpoint }: Head): Checkpoint | undefined =>
  checkpoint === undefined ? undefined : { ...checkpoint, bytes: Buffer.from(checkpoint.bytes, 'base64') };

/** Lines as heads and records, with one that was read too far put back. */
class Lines {
  private readonly name: string;
  private readonly iterator: AsyncIterator<string>;
  private number = 0;
  private waiting: unknown;

  constructor({ name, lines }: ArchiveText) {
    this.name = name;
    this.iterator = lines[Symbol.asyncIterator]();
  }

  /** Undefined: the text is over. */
  async head(): Promise<Head | undefined> {
    const value = await this.next();
    if (value === undefined) return undefined;
    const head = isObject(value) && isObject(value['stream']) ? (value['stream'] as Partial<Head>) : undefined;
    if (typeof head?.format !== 'number' || typeof head.actor !== 'string')
      throw this.wrong('begins no actor: it must be {"stream":{"format","mesh","actor","after","head"}}');
    this.checkFormat('log', head.format, ARCHIVE);
    try {
      checkAddress(head.actor);
    } catch (cause) {
      throw this.wrong('names no actor', cause);
    }
    if (!isSeq(head.after) || !isSeq(head.head) || head.head < head.after) throw this.wrong('does not say which records follow');
    if (head.checkpoint !== undefined && !isCheckpoint(head.checkpoint)) throw this.wrong('has a checkpoint that is none');
    return head as Head;
  }

  /** Those of the actor whose head was read. */
  async *records({ actor, after, head }: Head): AsyncGenerator<LogRecord> {
    for (let seq = after + 1; seq <= head; seq++) {
      const value = await this.next();
      if (value === undefined || (isObject(value) && 'stream' in value))
        throw this.wrong(`ends the log of ${actor} before seq ${seq} of ${head}: the text was cut`);
      yield this.record(value, seq);
    }
    const beyond = await this.next();
    if (isObject(beyond) && 'kind' in beyond) throw this.wrong(`goes beyond seq ${head}, the last of ${actor}`);
    this.waiting = beyond;
  }

  private record(value: unknown, seq: number): LogRecord {
    if (!isObject(value)) throw this.wrong('is no record');
    if (typeof value['v'] === 'number') this.checkFormat('record', value['v'], FORMAT);
    const { v, kind, epoch, meta, event } = value as Partial<LogRecord> & { event?: unknown };
    const isRecord = v === FORMAT && KINDS.has(String(kind)) && isSeq(epoch) && isObject(meta) && typeof meta['ts'] === 'number';
    if (!isRecord || (event !== undefined && (!isObject(event) || typeof event['type'] !== 'string')))
      throw this.wrong('is no record');
    if (value['seq'] !== seq) throw this.wrong(`has seq ${String(value['seq'])} where ${seq} must be`);
    return value as unknown as LogRecord;
  }

  private checkFormat(what: string, found: number, known: number): void {
    if (found > known)
      throw new MeshError(
        'STORE_NEWER',
        `${this.name}:${this.number}: the ${what} is of format ${found}, this version reads ${known}`,
      );
  }

  private async next(): Promise<unknown> {
    const { waiting } = this;
    this.waiting = undefined;
    if (waiting !== undefined) return waiting;
    for (;;) {
      const { value, done } = await this.iterator.next();
      if (done === true) return undefined;
      this.number++;
      if (value.trim() === '') continue;
      try {
        return JSON.parse(value) as unknown;
      } catch (cause) {
        throw this.wrong('is no JSON', cause);
      }
    }
  }

  wrong(what: string, cause?: unknown): MeshError {
    return new MeshError(
      'ARCHIVE_INVALID',
      `${this.name}:${this.number}: the line ${what}`,
      cause === undefined ? {} : { cause },
    );
  }
}

const KINDS: ReadonlySet<string> = new Set<LogRecord['kind']>([
  'init',
  'event',
  'activated',
  'ready',
  'failed',
  'dead',
  'fired',
  'void',
  'resend',
  'mark',
  'bridge',
]);

const isSeq = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
const isCheckpoint = (value: unknown): boolean =>
  isObject(value) && isSeq(value['seq']) && isSeq(value['epoch']) && typeof value['bytes'] === 'string';
