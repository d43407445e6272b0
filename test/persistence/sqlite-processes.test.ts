/** The store under real processes: owners that are killed, frozen, refused; readers beside them. */
import { copyFileSync, existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isMeshError } from '../../core/errors.ts';
import { sqlite, storeOwner, type SqliteStore } from '../../persistence/sqlite.ts';
import { all, range, seqs, SHARD, streamOf } from '../conformance/records.ts';
import { type Child, type Said, start } from './children.ts';
import { claimAt, temporaryFolder } from './subjects.ts';

let folder: ReturnType<typeof temporaryFolder>;
let path: string;
const children: Child[] = [];
const begin = (...args: string[]): Child => {
  const child = start(...args);
  children.push(child);
  return child;
};
beforeEach(() => {
  folder = temporaryFolder();
  path = join(folder.path, 'mesh.db');
});
afterEach(async () => {
  await Promise.all(children.splice(0).map((child) => child.kill()));
  folder.remove();
});

const owns = (said: readonly Said[]): boolean => said.some((line) => line.owns !== undefined);
const highest = (said: readonly Said[], actor: string, of: 'head' | 'saved'): number =>
  Math.max(0, ...said.filter((line) => line.actor === actor).map((line) => line[of] ?? 0));

/** All that was acknowledged is there; every log is dense and readable. */
async function holds(store: SqliteStore, said: readonly Said[]): Promise<void> {
  for (const actor of ['desk/a', 'desk/b', 'desk/c']) {
    const { head } = await store.head(streamOf(actor));
    expect(head).toBeGreaterThanOrEqual(highest(said, actor, 'head'));
    expect(await seqs(store.read(streamOf(actor), 1))).toEqual(range(1, head));
    const saved = await store.loadCheckpoint(streamOf(actor));
    expect(saved?.seq ?? 0).toBeGreaterThanOrEqual(highest(said, actor, 'saved'));
    expect(saved?.bytes.length ?? 0).toBe(saved?.seq ?? 0);
  }
  for (const blob of said.flatMap((line) => line.blob ?? [])) expect((await store.get(blob))?.length).toBeGreaterThan(70_000);
}

async function stateOfBackup(target: string): Promise<string> {
  if (!existsSync(target)) return 'none';
  const copy = await sqlite({ path: target, readOnly: true });
  const problems = await copy.check();
  const isWhole = (await all(copy.list())).some((b) => b.bytes === 24 * 1024 * 1024);
  await copy.close();
  return problems.length === 0 && isWhole ? 'whole' : `broken: ${problems.join('; ')}`;
}

describe('an owner that is killed', () => {
  test('loses nothing that it acknowledged, however often it happens', async () => {
    const said: Said[] = [];
    for (const ms of [0, 7, 23, 60, 110, 190]) {
      const child = begin('work', path);
      await child.until('appends', (lines) => lines.length > 20);
      await sleep(ms);
      said.push(...(await child.kill()));
      const store = await sqlite({ path });
      await holds(store, said);
      expect(await store.check()).toEqual([]);
      await store.close();
    }
    expect(highest(said, 'desk/a', 'head')).toBeGreaterThan(50);
  });

  test('frees the store at once, and its sessions are over', async () => {
    const child = begin('own', path);
    await child.until('owning', owns);
    await child.kill();
    const store = await sqlite({ path });
    expect(await store.sessions()).toEqual([]);
    await store.close();
  });

  test('in the middle of a backup leaves a whole one, or none', async () => {
    for (const [i, ms] of [0, 5, 10, 20, 40, 400].entries()) {
      const target = join(folder.path, `backup-${i}.db`);
      const child = begin('backup', path, target);
      await child.until('a backup', (said) => said.some((line) => line.backing === true));
      await sleep(ms);
      const backed = (await child.kill()).some((line) => line.backed === true);
      expect(backed ? ['whole'] : ['whole', 'none']).toContain(await stateOfBackup(target));
    }
    const store = await sqlite({ path });
    await store.backup(join(folder.path, 'backup-last.db'));
    await store.close();
    expect(readdirSync(folder.path).filter((name) => name.endsWith('-last.db.partial'))).toEqual([]);
  });

  test('while it deletes and imports long logs leaves neither halves nor seqs that are used twice', async () => {
    let floor = 0;
    for (const ms of [0, 40, 90, 150, 260]) {
      const child = begin('remove', path);
      await child.until('work', (said) => said.some((line) => line.floor !== undefined));
      await sleep(ms);
      const said = await child.kill();
      floor = Math.max(floor, ...said.map((line) => line.floor ?? 0));
      const store = await sqlite({ path });
      const doomed = await store.head(streamOf('doomed'));
      expect(doomed.head).toBeGreaterThanOrEqual(floor);
      const kept = await seqs(store.read(streamOf('doomed'), 1));
      expect(kept).toEqual(doomed.epoch === 0 ? [] : range(kept[0] ?? 0, doomed.head));
      const shards = await store.shards();
      for (const shard of shards.filter((name) => name !== SHARD))
        expect(await seqs(store.read({ shard, actor: 'desk/a' }, 1))).toEqual(range(1, 8_000));
      expect(await store.check()).toEqual([]);
      for (const shard of shards) for (const s of await all(store.streams(shard))) await store.deleteStream(s);
      await store.close();
      floor = Math.max(floor, doomed.head);
    }
  });
});

describe('a store that has an owner', () => {
  test('refuses a second one, which is told who the first is and since when', async () => {
    const before = Date.now() - 60_000;
    const child = begin('own', path);
    await child.until('owning', owns);
    const error = await sqlite({ path }).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(isMeshError(error, 'STORE_LOCKED')).toBe(true);
    const { message, data } = error as { message: string; data: { pid: number; startedAt: number } };
    expect(data.pid).toBe(child.pid);
    expect(data.startedAt).toBeGreaterThan(before);
    expect(data.startedAt).toBeLessThanOrEqual(Date.now());
    expect(message).toContain(String(child.pid));
    expect(message).toContain(new Date(data.startedAt).toISOString());
    expect(storeOwner(path)?.pid).toBe(child.pid);
    expect(child.said().length).toBe(1);
    await child.kill();
    expect(storeOwner(path)).toBe(undefined);
    const store = await sqlite({ path });
    expect(storeOwner(path)?.pid).toBe(process.pid);
    await store.close();
    expect(storeOwner(path)).toBe(undefined);
  });

  test('refuses a second one in the same process too', async () => {
    const store = await sqlite({ path });
    await expect(sqlite({ path })).rejects.toSatisfy((error) => isMeshError(error, 'STORE_LOCKED'));
    await store.close();
    await (await sqlite({ path })).close();
  });

  test.skipIf(process.platform !== 'linux')('says so when its owner is frozen, and stays locked', async () => {
    const child = begin('own', path);
    await child.until('owning', owns);
    child.signal('SIGSTOP');
    await sleep(20);
    await expect(sqlite({ path })).rejects.toSatisfy(
      (error) => isMeshError(error, 'STORE_OWNER_FROZEN') && error.message.includes(`kill -9 ${child.pid}`),
    );
    child.signal('SIGCONT');
    await sleep(20);
    await expect(sqlite({ path })).rejects.toSatisfy((error) => isMeshError(error, 'STORE_LOCKED'));
  });

  test('is read beside it, as it grows, and after it was killed', async () => {
    const child = begin('work', path);
    await child.until('appends', (said) => said.length > 50);
    const reader = await sqlite({ path, readOnly: true });
    const early = await reader.head(streamOf('desk/a'));
    expect(early.head).toBeGreaterThan(0);
    const stop = new AbortController();
    const followed: number[] = [];
    const following = (async () => {
      for await (const { stream, record } of reader.follow(SHARD, stop.signal)) {
        if (stream.actor === 'desk/a') followed.push(record.seq);
        if (followed.length >= 100) stop.abort();
      }
    })();
    await following;
    expect(followed).toEqual(range(followed[0] ?? 0, (followed[0] ?? 0) + followed.length - 1));
    expect(followed[0]).toBeGreaterThan(early.head);
    const said = await child.kill();
    await holds(reader, said);
    await reader.close();
    const late = await sqlite({ path, readOnly: true });
    await holds(late, said);
    expect(await late.check()).toEqual([]);
    await late.close();
    const store = await sqlite({ path });
    await holds(store, said);
    await store.close();
  });

  test('may be copied as a backup by one who only reads', async () => {
    const child = begin('work', path);
    await child.until('appends', (said) => said.length > 50);
    const reader = await sqlite({ path, readOnly: true });
    const target = join(folder.path, 'copy.db');
    const before = [...child.said()];
    await reader.backup(target);
    await reader.close();
    await child.kill();
    copyFileSync(target, join(folder.path, 'restored.db'));
    const restored = await sqlite({ path: join(folder.path, 'restored.db') });
    await holds(restored, before);
    await claimAt(restored, SHARD, 99);
    expect((await restored.claims()).map((c) => c.epoch)).toEqual([99]);
    await restored.close();
  });
});
