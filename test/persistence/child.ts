/**
 * A process of its own that uses a store, until somebody kills it. Prints a line of JSON for each thing that it knows to be done.
 *
 *   node --conditions=reprise-source child.ts own FILE              owns it; `{ owns }`, then waits
 *   node --conditions=reprise-source child.ts few FILE COUNT [MIB]  a blob of so many MiB, then so many records, a commit each; then waits
 *   node --conditions=reprise-source child.ts work FILE             appends to many streams, saves checkpoints, puts blobs
 *   node --conditions=reprise-source child.ts backup FILE TARGET    `{ backing }`, then `{ backed }`, while appending
 *   node --conditions=reprise-source child.ts unlinked FILE         two records and the removal of its -wal and -shm in between; `{ code }`, then waits
 *   node --conditions=reprise-source child.ts grow FILE             appends until that fails; `{ head, message }` of the last one and the failure
 *   node --conditions=reprise-source child.ts remove FILE           deletes and imports long logs, over and over
 *   node --conditions=reprise-source child.ts open FILE [ro]        `{ code, message }` of the error, or `{ opened, heads }`
 */
import { rmSync, writeSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { importedShard } from '../../core/address.ts';
import { errorData } from '../../core/errors.ts';
import { sqlite, type SqliteStore } from '../../persistence/sqlite.ts';
import { given, record, records, SHARD, streamOf } from '../conformance/records.ts';
import { claimAt } from './subjects.ts';

const [, , what, path = '', more = '', mib = '0'] = process.argv;

/** Synchronous: what is printed has left the process, even when it is killed in the next instant. */
const say = (line: unknown): void => void writeSync(1, `${JSON.stringify(line)}\n`);

async function owned(): Promise<{ store: SqliteStore; epoch: number }> {
  const store = await sqlite({ path });
  const epoch = ((await store.claims()).find((c) => c.shard === SHARD)?.epoch ?? 0) + 1;
  await claimAt(store, SHARD, epoch);
  return { store, epoch };
}

/** One actor that grows for ever. */
async function grow(store: SqliteStore, actor: string, epoch: number): Promise<never> {
  const stream = streamOf(actor);
  for (let round = 1; ; round++) {
    const { head } = await store.head(stream);
    const count = 1 + (round % 5);
    const result = await store.append(stream, head, epoch, records(head, count, epoch));
    if (result.outcome !== 'done') throw new RangeError(`${actor}: ${result.outcome}`);
    say({ actor, head: result.head });
    if (round % 20 === 0) {
      await store.saveCheckpoint(stream, result.head, epoch, { wakeAt: result.head, leaf: false }, new Uint8Array(result.head));
      say({ actor, saved: result.head });
      say({ blob: await store.put(new TextEncoder().encode(`${actor} ${result.head} ${'.'.repeat(70_000)}`)) });
    }
  }
}

async function remove(store: SqliteStore, epoch: number): Promise<never> {
  const elsewhere = { actor: 'desk/a', shard: importedShard('copy') };
  for (;;) {
    const { head } = await store.head(streamOf('doomed'));
    for (let at = head; at < head + 8_000; at += 2_000)
      await store.append(streamOf('doomed'), at, epoch, records(at, 2_000, epoch));
    say({ grown: head + 8_000 });
    await store.deleteStream(streamOf('doomed'));
    say({ floor: head + 8_000 });
    await store.importStream(elsewhere, { after: 0, checkpoint: undefined, records: given(records(0, 8_000)) });
    say({ imported: 8_000 });
    await store.deleteStream(elsewhere);
    say({ imported: 0 });
  }
}

switch (what) {
  case 'own': {
    await owned();
    say({ owns: process.pid });
    setInterval(() => undefined, 1_000);
    break;
  }
  case 'few': {
    const { store, epoch } = await owned();
    if (mib !== '0') await store.put(Buffer.alloc(Number(mib) * 1024 * 1024, 'a large one '));
    for (let head = 0; head < Number(more); head++) {
      await store.append(streamOf('desk/a'), head, epoch, records(head, 1, epoch));
      say({ actor: 'desk/a', head: head + 1 });
    }
    setInterval(() => undefined, 1_000);
    break;
  }
  case 'work': {
    const { store, epoch } = await owned();
    say({ owns: process.pid });
    await Promise.all(['desk/a', 'desk/b', 'desk/c'].map((actor) => grow(store, actor, epoch)));
    break;
  }
  case 'backup': {
    const { store, epoch } = await owned();
    void grow(store, 'desk/a', epoch);
    await store.put(Buffer.alloc(24 * 1024 * 1024, 'a large one '));
    say({ backing: true });
    await store.backup(more);
    say({ backed: true });
    break;
  }
  case 'unlinked': {
    const { store, epoch } = await owned();
    await store.append(streamOf('desk/a'), 0, epoch, records(0, 1, epoch));
    for (const file of [`${path}-wal`, `${path}-shm`]) rmSync(file);
    await sleep(20);
    await store.append(streamOf('desk/a'), 1, epoch, records(1, 1, epoch)).catch((error: unknown) => say(errorData(error)));
    setInterval(() => undefined, 1_000);
    break;
  }
  case 'grow': {
    const { store, epoch } = await owned();
    for (let head = 0; ; head++) {
      const result = await store.append(streamOf('desk/a'), head, epoch, [record(head + 1, epoch, { text: 'x'.repeat(9_000) })]);
      if (result.outcome === 'done') continue;
      say({ head, ...(result.outcome === 'unknown' && errorData(result.cause)) });
      break;
    }
    await store.close();
    break;
  }
  case 'remove': {
    const { store, epoch } = await owned();
    await remove(store, epoch);
    break;
  }
  case 'open': {
    try {
      const store = await sqlite({ path, readOnly: more === 'ro' });
      const heads: Record<string, number> = {};
      for (const shard of await store.shards()) for await (const s of store.streams(shard)) heads[s.actor] = s.head;
      await store.close();
      say({ opened: true, heads });
    } catch (error) {
      say(errorData(error));
    }
    break;
  }
  default:
    throw new RangeError(`no such work: ${what}`);
}
