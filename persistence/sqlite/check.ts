/** Whether a store is whole: SQLite's own check of its pages, then every record, checkpoint and blob against its checksum. */
import type { DatabaseSync } from 'node:sqlite';
import { errorData } from '../../core/errors.ts';
import type { BlobStore, EventStore, StoreAdmin } from '../../core/ports/event-store.ts';

type Readable = Pick<EventStore, 'read' | 'streams' | 'loadCheckpoint'> &
  Pick<BlobStore, 'get' | 'list'> &
  Pick<StoreAdmin, 'shards'>;

const PROBLEMS_MAX = 100;

export async function problemsOf(db: DatabaseSync, store: Readable): Promise<string[]> {
  const problems: string[] = [];
  const tried = async (what: () => Promise<unknown>): Promise<void> => {
    try {
      await what();
    } catch (error) {
      if (problems.length < PROBLEMS_MAX) problems.push(errorData(error).message);
    }
  };
  await tried(async () => {
    const rows = db.prepare(`PRAGMA integrity_check(${PROBLEMS_MAX})`).all() as { integrity_check: string }[];
    problems.push(...rows.map((row) => row.integrity_check).filter((text) => text !== 'ok'));
  });
  await tried(async () => {
    for (const shard of await store.shards())
      for await (const { actor } of store.streams(shard)) {
        await tried(async () => {
          for await (const record of store.read({ shard, actor }, 1)) void record;
        });
        await tried(() => store.loadCheckpoint({ shard, actor }));
      }
  });
  await tried(async () => {
    for await (const { hash } of store.list()) await tried(() => store.get(hash));
  });
  return problems;
}
