/** A store of another process, read through its control socket: the only way into a store that lives in memory. */
import type { ReadableStore } from '../../core/operator/inspection.ts';
import type { Checkpoint, EventStore, StreamHead, StreamId, StreamState } from '../../core/ports/event-store.ts';
import type { Shard } from '../../core/address.ts';
import type { LogRecord } from '../../core/record.ts';
import type { ControlClient } from './client.ts';
import type { Operation } from './server.ts';

/** Records of one answer. */
const PAGE = 500;

export const remoteStore = (client: ControlClient): ReadableStore => ({
  shards: () => client.call<Shard[]>('store.shards'),
  async *streams(shard) {
    yield* await client.call<StreamState[]>('store.streams', { shard });
  },
  head: ({ shard, actor }) => client.call<StreamHead>('store.head', { shard, actor }),
  async *read({ shard, actor }, from, to) {
    for (let next = from; ;) {
      const page = await client.call<LogRecord[]>('store.read', { shard, actor, from: next, ...(to !== undefined && { to }) });
      yield* page;
      if (page.length < PAGE) return;
      next = (page.at(-1) as LogRecord).seq + 1;
    }
  },
  async loadCheckpoint({ shard, actor }) {
    const saved = await client.call<(Omit<Checkpoint, 'bytes'> & { readonly bytes: string }) | null>('store.checkpoint', {
      shard,
      actor,
    });
    return saved === null ? undefined : { ...saved, bytes: Buffer.from(saved.bytes, 'base64') };
  },
  async get(hash) {
    const bytes = await client.call<string | null>('store.blob', { hash });
    return bytes === null ? undefined : Buffer.from(bytes, 'base64');
  },
});

/** The other end. */
export function storeOperations(store: ReadableStore): Readonly<Record<string, Operation>> {
  const stream = (params: Readonly<Record<string, unknown>>): StreamId => ({
    shard: String(params['shard']),
    actor: String(params['actor']),
  });
  return {
    'store.shards': () => store.shards(),
    'store.streams': ({ shard }) => collected(store.streams(String(shard))),
    'store.head': (params) => store.head(stream(params)),
    'store.read': (params) =>
      page(store, stream(params), Number(params['from']), params['to'] === undefined ? undefined : Number(params['to'])),
    'store.checkpoint': async (params) => {
      const saved = await store.loadCheckpoint(stream(params));
      return saved === undefined ? null : { ...saved, bytes: Buffer.from(saved.bytes).toString('base64') };
    },
    'store.blob': async ({ hash }) => {
      const bytes = await store.get(String(hash));
      return bytes === undefined ? null : Buffer.from(bytes).toString('base64');
    },
  };
}

async function page(
  store: Pick<EventStore, 'read'>,
  stream: StreamId,
  from: number,
  to: number | undefined,
): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  for await (const record of store.read(stream, from, to)) if (records.push(record) === PAGE) break;
  return records;
}

async function collected<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
