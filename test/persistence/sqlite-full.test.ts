/** A full disk: what is not stored is not acknowledged, what was acknowledged stays, and it goes on when there is room again. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { isMeshError } from '../../core/errors.ts';
import { sqlite, type SqliteStore } from '../../persistence/sqlite.ts';
import { range, record, seqs, SHARD, streamOf } from '../conformance/records.ts';
import { growUnder } from './children.ts';
import { claimAt, temporaryFolder } from './subjects.ts';

const A = streamOf('desk/a');
const B = streamOf('desk/b');
const MIB = 1024 * 1024;
const isFull = (error: unknown): boolean => isMeshError(error, 'STORE_FULL') && error.retryable;

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder.remove());

/** Appends until the store is full. Returns the last head that was acknowledged. */
async function fill(store: SqliteStore, bytes: number): Promise<number> {
  for (let head = (await store.head(A)).head; ; head++) {
    try {
      await store.append(A, head, 1, [record(head + 1, 1, { text: 'x'.repeat(bytes) })]);
    } catch (error) {
      if (isFull(error)) return head;
      throw error;
    }
  }
}

/** Every record is there, and no other. */
async function expectLog(store: SqliteStore, head: number): Promise<void> {
  expect((await store.head(A)).head).toBe(head);
  expect(await seqs(store.read(A, 1))).toEqual(range(1, head));
}

describe('a file that may not grow', () => {
  test('refuses what has no room, keeps what it acknowledged, and takes more after a cut', async () => {
    const path = join(folder.path, 'mesh.db');
    const store = await sqlite({ path, bytesMax: MIB });
    await claimAt(store, SHARD, 1);
    const head = await fill(store, 10_000);
    expect(head).toBeGreaterThan(50);
    await expectLog(store, head);
    await store.saveCheckpoint(A, head - 1, 1, { wakeAt: undefined, leaf: false }, new Uint8Array(1));
    expect(await store.truncateBefore(A, head - 10)).toBe(head - 10);
    const more = await fill(store, 10_000);
    expect(more).toBeGreaterThan(head + 20);
    await store.close();
    const again = await sqlite({ path });
    expect(await seqs(again.read(A, 1))).toEqual(range(head - 9, more));
    expect(await again.check()).toEqual([]);
    await again.close();
    expect(statSync(path).size).toBeLessThanOrEqual(MIB);
  });

  test('what is too large spoils nothing that is written in the same turn', async () => {
    const store = await sqlite({ path: join(folder.path, 'mesh.db'), bytesMax: MIB });
    await claimAt(store, SHARD, 1);
    const small = streamOf('small');
    const answers = await Promise.allSettled([
      store.append(small, 0, 1, [record(1)]),
      store.append(A, 0, 1, [record(1, 1, { text: 'x'.repeat(2 * MIB) })]),
      store.append(B, 7, 1, [record(8)]),
      store.put(new Uint8Array(2 * MIB)),
      store.append(small, 1, 1, [record(2)]),
    ]);
    expect(answers.map((a) => (a.status === 'fulfilled' ? a.value : (a.reason as { code: string }).code))).toEqual([
      { outcome: 'done', head: 1 },
      'STORE_FULL',
      { outcome: 'refused', head: 0, epoch: 0 },
      'STORE_FULL',
      { outcome: 'done', head: 2 },
    ]);
    expect(await seqs(store.read(small, 1))).toEqual([1, 2]);
    expect(await store.head(A)).toEqual({ head: 0, epoch: 0 });
    expect(await store.append(A, 0, 1, [record(1)])).toEqual({ outcome: 'done', head: 1 });
    await store.close();
  });
});

test('a process that may not write large files keeps what it acknowledged, and says what may be the matter', async () => {
  const path = join(folder.path, 'mesh.db');
  const { head, code, message } = growUnder(1_024, path);
  expect(head).toBeGreaterThan(20);
  expect([code, message]).toEqual(['STORE_UNAVAILABLE', expect.stringContaining('`ulimit -f`')]);
  const store = await sqlite({ path });
  await expectLog(store, head);
  expect(await store.check()).toEqual([]);
  await store.close();
});

/** A disk of its own; undefined: this user may not mount one. */
function smallDisk(at: string, bytes: number): { umount(): void } | undefined {
  mkdirSync(at, { recursive: true });
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', at]);
  return status === 0 ? { umount: () => spawnSync('umount', [at]) } : undefined;
}

const probe = temporaryFolder();
const disk = smallDisk(probe.path, MIB);
disk?.umount();
probe.remove();
if (disk === undefined)
  console.warn('SKIPPED: only root may mount a small disk; the test of a disk that is really full does not run');

describe.skipIf(disk === undefined)('a disk that is really full', () => {
  let small: ReturnType<typeof smallDisk>;
  let at: string;
  const parent = temporaryFolder();
  beforeAll(() => {
    at = join(parent.path, 'disk');
    small = smallDisk(at, 3 * MIB);
  });
  afterAll(() => {
    small?.umount();
    parent.remove();
  });

  test('refuses, keeps, and goes on when something else makes room', async () => {
    const path = join(at, 'mesh.db');
    const filler = join(at, 'filler');
    const store = await sqlite({ path });
    await claimAt(store, SHARD, 1);
    await store.append(B, 0, 1, [record(1)]);
    writeFileSync(filler, Buffer.alloc(1.5 * MIB));
    const head = await fill(store, 20_000);
    expect(head).toBeGreaterThan(10);
    await expectLog(store, head);
    await expect(store.saveCheckpoint(A, head, 1, { wakeAt: undefined, leaf: false }, new Uint8Array(MIB))).rejects.toSatisfy(
      isFull,
    );
    rmSync(filler);
    const more = await fill(store, 20_000);
    expect(more).toBeGreaterThan(head + 10);
    await expectLog(store, more);
    // Full when it is opened: what is there can be read, and room can be made.
    await store.close();
    const reader = await sqlite({ path, readOnly: true });
    await expectLog(reader, more);
    await reader.close();
  });

  test('takes no backup, and nothing of one is left', async () => {
    const folder = temporaryFolder();
    const store = await sqlite({ path: join(folder.path, 'mesh.db') });
    await claimAt(store, SHARD, 1);
    await store.put(new Uint8Array(4 * MIB));
    const before = readdirSync(at);
    await expect(store.backup(join(at, 'backup.db'))).rejects.toMatchObject({
      code: 'BACKUP_FAILED',
      message: expect.stringContaining('the disk is full') as unknown,
    });
    expect(readdirSync(at)).toEqual(before);
    expect(await store.append(A, 0, 1, [record(1)])).toEqual({ outcome: 'done', head: 1 });
    await store.close();
    folder.remove();
  });
});
