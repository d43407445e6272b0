/** Bytes of the file that were changed by something else: found, named, and never taken for what was written. */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { errorData, isMeshError } from '../../core/errors.ts';
import { sqlite, type SqliteStore } from '../../persistence/sqlite.ts';
import { all, records, SHARD, streamOf } from '../conformance/records.ts';
import { claimAt, temporaryFolder } from './subjects.ts';

const folder = temporaryFolder();
const whole = join(folder.path, 'whole.db');
const ACTORS = ['desk/a', 'desk/b', 'desk/c'];
let bytes: Uint8Array;
let written: string;
let blob: string;

/** All that the store says of its logs, as text. */
async function told(store: SqliteStore): Promise<string> {
  const out: unknown[] = [await store.shards(), await all(store.streams(SHARD))];
  for (const actor of ACTORS) {
    out.push(await all(store.read(streamOf(actor), 1)));
    const saved = await store.loadCheckpoint(streamOf(actor));
    out.push(saved === undefined ? null : { ...saved, bytes: Buffer.from(saved.bytes).toString('hex') });
  }
  out.push(Buffer.from((await store.get(blob)) ?? []).toString('hex'));
  return JSON.stringify(out);
}

beforeAll(async () => {
  const store = await sqlite({ path: whole, now: () => 1_764_000_000_000 });
  await claimAt(store, SHARD, 1);
  for (const [i, actor] of ACTORS.entries()) {
    await store.append(streamOf(actor), 0, 1, records(0, 30 + i));
    await store.saveCheckpoint(streamOf(actor), 20, 1, { wakeAt: 7, leaf: false }, new Uint8Array(200).fill(i + 1));
  }
  blob = await store.put(new TextEncoder().encode('a large payload '.repeat(300)));
  await store.close();
  const reader = await sqlite({ path: whole, readOnly: true });
  written = await told(reader);
  await reader.close();
  bytes = readFileSync(whole);
});
afterAll(() => folder.remove());

/** What comes of reading the file after a change: the same, an error of ours, or something else, which only `check` finds. */
async function verdictOn(path: string): Promise<string> {
  let store: SqliteStore | undefined;
  try {
    store = await sqlite({ path, readOnly: true });
    if ((await told(store)) === written) return 'same';
    return (await store.check()).length > 0 ? 'found by check' : 'taken for true';
  } catch (error) {
    return isMeshError(error) && ['STORE_CORRUPT', 'STORE_NEWER'].includes(error.code)
      ? error.code
      : `unclear: ${errorData(error).code} ${errorData(error).message}`;
  } finally {
    await store?.close();
  }
}

describe('a byte that changed', () => {
  test('never makes a log say what was not written', async () => {
    const path = join(folder.path, 'changed.db');
    const verdicts = new Map<string, number>();
    // A step that is odd and no divisor of the page size: over the file it meets every place of a page.
    for (let at = 0; at < bytes.length; at += 53) {
      const changed = Uint8Array.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
      writeFileSync(path, changed);
      const verdict = await verdictOn(path);
      verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1);
    }
    expect([...verdicts.keys()].filter((v) => v.startsWith('unclear') || v === 'taken for true')).toEqual([]);
    expect(verdicts.get('STORE_CORRUPT')).toBeGreaterThan(100);
    expect(verdicts.get('same')).toBeGreaterThan(100);
  });

  test('in a record names the record, in a checkpoint the checkpoint, in a blob the blob', async () => {
    const path = join(folder.path, 'named.db');
    copyFileSync(whole, path);
    const db = new DatabaseSync(path);
    db.exec(`UPDATE events SET record = replace(record, '"n":7', '"n":8') WHERE seq = 7 AND stream = 2`);
    db.exec(`UPDATE checkpoints SET bytes = zeroblob(200) WHERE stream = 3`);
    db.exec(`UPDATE blobs SET bytes = x'00'`);
    db.exec(`DELETE FROM events WHERE seq = 12 AND stream = 1`);
    db.close();
    const store = await sqlite({ path, readOnly: true });
    const messageOf = (what: Promise<unknown>): Promise<string> =>
      what.then(
        () => 'nothing',
        (error: unknown) => `${(error as { code: string }).code} ${(error as Error).message}`,
      );
    expect(await messageOf(all(store.read(streamOf('desk/b'), 1)))).toMatch(/^STORE_CORRUPT record 7 of desk\/b was changed/);
    expect(await messageOf(all(store.read(streamOf('desk/a'), 1)))).toMatch(/^STORE_CORRUPT record 12 of desk\/a is missing/);
    expect(await messageOf(store.loadCheckpoint(streamOf('desk/c')))).toMatch(
      /^STORE_CORRUPT the checkpoint of desk\/c at seq 20/,
    );
    expect(await messageOf(store.get(blob))).toMatch(/^STORE_CORRUPT blob [0-9a-f]{64} was changed/);
    expect((await all(store.read(streamOf('desk/b'), 8))).length).toBe(24);
    expect((await store.check()).length).toBe(4);
    await store.close();
  });
});
