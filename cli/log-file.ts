/**
 * Logs as JSON Lines, one file for any number of actors. A line `{"stream":{"actor","after","checkpoint"?}}` begins an actor; its records
 * follow, one a line, as docs/format.md has them, payloads included. `after` is the seq before the first record; where the beginning was
 * truncated, the checkpoint (base64) stands for it. What is imported can be looked at and replayed, and is never run.
 */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { type Address, checkAddress, importedShard } from '../core/address.ts';
import { MeshError } from '../core/errors.ts';
import type { Inspection } from '../core/inspection.ts';
import type { MeshStore } from '../core/mesh.ts';
import { deflateRecords } from '../core/payload.ts';
import type { Checkpoint } from '../core/ports/event-store.ts';
import { FORMAT, type LogRecord } from '../core/record.ts';

interface StreamLine {
  readonly stream: {
    readonly actor: Address;
    readonly after: number;
    readonly checkpoint?: Omit<Checkpoint, 'bytes'> & { readonly bytes: string };
  };
}

export interface ImportedLog {
  readonly actor: Address;
  readonly records: number;
}

/** The lines of these actors' logs. Throws ACTOR_NOT_FOUND, STORE_CORRUPT. */
export async function* exportLines(inspect: Inspection, actors: readonly Address[]): AsyncGenerator<string> {
  for (const actor of actors) {
    const checkpoint = await inspect.store.loadCheckpoint(inspect.stream(actor));
    let isFirst = true;
    for await (const record of inspect.records(actor)) {
      if (isFirst) {
        const isCut = record.kind === 'event' || (checkpoint !== undefined && record.seq > 1);
        yield JSON.stringify(headOf(actor, record.seq - 1, isCut ? checkpoint : undefined));
        isFirst = false;
      }
      yield JSON.stringify(record);
    }
    if (isFirst && checkpoint !== undefined) yield JSON.stringify(headOf(actor, checkpoint.seq, checkpoint));
  }
}

const headOf = (actor: Address, after: number, checkpoint: Checkpoint | undefined): StreamLine => ({
  stream: {
    actor,
    after,
    ...(checkpoint !== undefined && { checkpoint: { ...checkpoint, bytes: Buffer.from(checkpoint.bytes).toString('base64') } }),
  },
});

/**
 * Brings a file of logs into the store, under a name of its own.
 * Throws CODEC_FAILED, naming the line; STORE_NEWER for a later format; STORE_CONFLICT for an actor that was imported under this name before.
 */
export async function importLogs(store: MeshStore, path: string, name: string): Promise<ImportedLog[]> {
  const shard = importedShard(name);
  const lines = new Lines(path);
  const imported: ImportedLog[] = [];
  for (let head = await lines.head(); head !== undefined; head = await lines.head()) {
    const { actor, after, checkpoint } = head.stream;
    const records = await store.importStream(
      { shard, actor },
      {
        after,
        checkpoint: checkpoint === undefined ? undefined : { ...checkpoint, bytes: Buffer.from(checkpoint.bytes, 'base64') },
        records: deflated(lines.records(after), store),
      },
    );
    imported.push({ actor, records });
  }
  return imported;
}

async function* deflated(records: AsyncIterable<LogRecord>, store: MeshStore): AsyncGenerator<LogRecord> {
  for await (const record of records) yield* await deflateRecords([record], store);
}

/** Lines of a file, with one that was read too far put back. */
class Lines {
  private readonly path: string;
  private readonly iterator: AsyncIterator<string>;
  private number = 0;
  private waiting: unknown;

  constructor(path: string) {
    this.path = path;
    this.iterator = createInterface({ input: createReadStream(path), crlfDelay: Infinity })[Symbol.asyncIterator]();
  }

  /** Undefined: the file is over. */
  async head(): Promise<StreamLine | undefined> {
    const line = await this.next();
    if (line === undefined) return undefined;
    const { stream } = line as Partial<StreamLine>;
    if (typeof stream?.actor !== 'string' || !Number.isSafeInteger(stream.after) || stream.after < 0)
      throw this.wrong('begins no actor: it must be {"stream":{"actor","after"}}');
    checkAddress(stream.actor);
    return { stream };
  }

  /** Those of the actor whose head was read. */
  async *records(after: number): AsyncGenerator<LogRecord> {
    let seq = after;
    for (let line = await this.next(); line !== undefined; line = await this.next()) {
      if (typeof line === 'object' && line !== null && 'stream' in line) {
        this.waiting = line;
        return;
      }
      const record = line as Partial<LogRecord>;
      if (record?.v !== undefined && record.v > FORMAT)
        throw new MeshError('STORE_NEWER', `${this.path}:${this.number}: the record is of format ${record.v}, this is ${FORMAT}`);
      if (record?.v !== FORMAT || typeof record.kind !== 'string' || typeof record.meta?.ts !== 'number')
        throw this.wrong('is no record');
      if (record.seq !== seq + 1) throw this.wrong(`has seq ${record.seq} where ${seq + 1} must be`);
      seq = record.seq;
      yield record as LogRecord;
    }
  }

  private async next(): Promise<unknown> {
    if (this.waiting !== undefined) {
      const line = this.waiting;
      this.waiting = undefined;
      return line;
    }
    const { value, done } = await this.line();
    if (done === true) return undefined;
    this.number++;
    if (value.trim() === '') return this.next();
    try {
      return JSON.parse(value) as unknown;
    } catch (cause) {
      throw this.wrong('is no JSON', cause);
    }
  }

  private async line(): Promise<IteratorResult<string>> {
    try {
      return await this.iterator.next();
    } catch (cause) {
      throw new MeshError('USAGE', `${this.path} cannot be read`, { cause });
    }
  }

  private wrong(what: string, cause?: unknown): MeshError {
    return new MeshError('CODEC_FAILED', `${this.path}:${this.number}: the line ${what}`, cause === undefined ? {} : { cause });
  }
}
