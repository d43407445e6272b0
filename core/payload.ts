/** Events over 64 KiB lie in content-addressed blobs; their record holds the hash. */
import type { EventObject } from './effect.ts';
import { MeshError } from './errors.ts';
import type { BlobStore } from './ports/event-store.ts';
import { sizeOf } from './recovery.ts';
import type { LogRecord } from './record.ts';

export const INLINE_BYTES_MAX = 64 * 1024;
const BLOB = 'reprise$blob';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Records as they are stored; at once where none is large. Puts the blobs first: a record never names one that is not durable. */
export function deflateRecords(
  records: readonly LogRecord[],
  blobs: BlobStore,
): readonly LogRecord[] | Promise<readonly LogRecord[]> {
  if (!records.some(isLarge)) return records;
  return Promise.all(
    records.map(async (record) => {
      if (!isLarge(record)) return record;
      const { event } = record as LogRecord & { event: EventObject };
      const bytes = encoder.encode(JSON.stringify(event));
      return { ...record, event: { type: event.type, [BLOB]: await blobs.put(bytes), bytes: bytes.length } } as LogRecord;
    }),
  );
}

function isLarge(record: LogRecord): boolean {
  return 'event' in record && record.event !== undefined && sizeOf(record.event, 12) > INLINE_BYTES_MAX;
}

/** Blob that a stored record names; undefined: none. */
export function blobOf(record: LogRecord): string | undefined {
  const event = 'event' in record ? record.event : undefined;
  const hash = event?.[BLOB];
  return typeof hash === 'string' ? hash : undefined;
}

/** Throws STORE_CORRUPT when the blob is gone. */
export async function inflateRecord(record: LogRecord, blobs: Pick<BlobStore, 'get'> | undefined): Promise<LogRecord> {
  const hash = blobOf(record);
  if (hash === undefined) return record;
  const bytes = await blobs?.get(hash);
  if (bytes === undefined)
    throw new MeshError('STORE_CORRUPT', `record ${record.seq} names blob ${hash}, which is not in the store`);
  return { ...record, event: JSON.parse(decoder.decode(bytes)) as EventObject } as LogRecord;
}
