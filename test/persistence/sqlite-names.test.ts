/** Files of the store that are removed, moved or replaced under the process that has them open. */
import { copyFileSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isMeshError, type MeshError } from '../../core/errors.ts';
import { sqlite, type SqliteStore, storeOwner } from '../../persistence/sqlite.ts';
import { range, record, seqs, SHARD, streamOf } from '../conformance/records.ts';
import { start } from './children.ts';
import { claimAt, temporaryFolder } from './subjects.ts';

const A = streamOf('desk/a');
const SESSION = { node: 'n1', session: 'n1~1', endpoint: '', groups: ['default'] };
let folder: ReturnType<typeof temporaryFolder>;
let path: string;
let store: SqliteStore;
beforeEach(async () => {
  folder = temporaryFolder();
  path = join(folder.path, 'mesh.db');
  store = await sqlite({ path });
  await claimAt(store, SHARD, 1);
  await store.renew({ ...SESSION, counter: 1 });
  for (let head = 0; head < 3; head++) await append(head);
});
afterEach(async () => {
  await store.close();
  folder.remove();
});

const append = (head: number) => store.append(A, head, 1, [record(head + 1)]);
/** The store need not look before each commit. */
const looksAgain = (): Promise<void> => sleep(20);
const rescued = (): string => join(folder.path, `mesh.db.rescued-${process.pid}`);

async function errorOf(what: () => Promise<unknown>): Promise<MeshError> {
  const error: unknown = await what().catch((reason: unknown) => reason);
  if (!isMeshError(error, 'STORE_DETACHED')) throw new RangeError(`no STORE_DETACHED: ${JSON.stringify(error)}`);
  return error;
}
/** All that writes, and what an idle node does. */
const WRITES: Readonly<Record<string, () => Promise<unknown>>> = {
  append: () => append(3),
  checkpoint: () => store.saveCheckpoint(A, 3, 1, { wakeAt: undefined, leaf: false }, new Uint8Array(1)),
  blob: () => store.put(new Uint8Array(9)),
  renewal: () => store.renew({ ...SESSION, counter: 2 }),
  claim: () => store.claim({ shard: 'default/9', epoch: 1, session: 'n1~1', node: 'n1' }, 0),
  constant: () => store.constant('new', '1'),
};
async function refused(): Promise<Record<string, string>> {
  const errors: Record<string, string> = {};
  for (const [name, write] of Object.entries(WRITES)) errors[name] = (await errorOf(write)).message;
  return errors;
}
async function expectStored(at: string, head: number): Promise<void> {
  const copy = await sqlite({ path: at, readOnly: true });
  expect(await seqs(copy.read(A, 1))).toEqual(range(1, head));
  expect(await copy.check()).toEqual([]);
  await copy.close();
}

describe.each([
  ['removed', () => rmSync(path), 'is gone'],
  ['removed with all beside it', () => readdirSync(folder.path).forEach((name) => rmSync(join(folder.path, name))), 'is gone'],
  ['moved', () => renameSync(path, `${path}.old`), 'is gone'],
  [
    'replaced by a copy of itself',
    () => {
      copyFileSync(path, `${path}.copy`);
      renameSync(`${path}.copy`, path);
    },
    'is another file now',
  ],
])('a store whose file was %s', (_how, lose, what) => {
  test('takes nothing more, and says what there is to do', async () => {
    lose();
    await looksAgain();
    const errors = await refused();
    expect(new Set(Object.values(errors)).size).toBe(1);
    expect(errors['append']).toContain(`${path} ${what}, while process ${process.pid} has it open: nothing more is stored.`);
    expect(errors['append']).toContain('`reprise backup FILE`');
    expect((await store.head(A)).head).toBe(3);
  });

  test('says so to a node that is idle', async () => {
    lose();
    expect((await errorOf(() => store.renew({ ...SESSION, counter: 2 }))).message).toContain(what);
  });

  test('can still be backed up, whole', async () => {
    lose();
    const backup = join(folder.path, 'saved.db');
    await store.backup(backup);
    await expectStored(backup, 3);
    expect(await store.check()).toEqual([]);
  });

  test('is left beside its path at the end of the process, and only then', async () => {
    lose();
    await looksAgain();
    expect((await errorOf(() => append(3))).message).toContain(rescued());
    await store.close();
    await expectStored(rescued(), 3);
    expect(statSync(rescued()).mode & 0o777).toBe(0o600);
  });
});

test('a copy that was saved is the store again once it has its place', async () => {
  rmSync(path);
  await looksAgain();
  await errorOf(() => append(3));
  await store.close();
  for (const file of [`${path}-wal`, `${path}-shm`]) rmSync(file, { force: true });
  renameSync(rescued(), path);
  store = await sqlite({ path });
  expect(await seqs(store.read(A, 1))).toEqual(range(1, 3));
  await claimAt(store, SHARD, 2);
  expect(await store.append(A, 3, 2, [record(4, 2)])).toEqual({ outcome: 'done', head: 4 });
});

test('a file that is moved back is gone on with, and nothing is left beside it', async () => {
  renameSync(path, `${path}.old`);
  await looksAgain();
  await refused();
  renameSync(`${path}.old`, path);
  expect(await append(3)).toEqual({ outcome: 'done', head: 4 });
  await store.close();
  expect(readdirSync(folder.path).toSorted()).toEqual(['mesh.db', 'mesh.db.lock']);
  await expectStored(path, 4);
});

test('what another process began at the same path is left alone at the end', async () => {
  for (const name of readdirSync(folder.path)) rmSync(join(folder.path, name));
  const other = start('few', path, '5');
  await other.until('five records', (said) => said.at(-1)?.head === 5);
  expect((await errorOf(() => store.renew({ ...SESSION, counter: 2 }))).message).toContain('is another file now');
  await store.close();
  expect(storeOwner(path)?.pid).toBe(other.pid);
  await other.kill();
  await expectStored(path, 5);
  await expectStored(rescued(), 3);
});

describe.each([['-wal'], ['-shm'], ['.lock']])('a store whose %s was removed', (end) => {
  test('brings what it has to the file that still has a name, and takes nothing more', async () => {
    rmSync(`${path}${end}`);
    await looksAgain();
    const errors = await refused();
    expect(new Set(Object.values(errors)).size).toBe(1);
    expect(errors['append']).toContain(`${path}${end} is gone`);
    expect(errors['append']).toContain(`What was stored is in ${path}: end the process, and start it again`);
    copyFileSync(path, join(folder.path, 'alone.db'));
    await expectStored(join(folder.path, 'alone.db'), 3);
    await store.close();
    expect(readdirSync(folder.path)).not.toContain(`mesh.db.rescued-${process.pid}`);
    store = await sqlite({ path });
    expect(await seqs(store.read(A, 1))).toEqual(range(1, 3));
  });
});

test('a store whose lock was removed takes nothing beside the one that owns it then', async () => {
  rmSync(`${path}.lock`);
  const second = await sqlite({ path });
  await claimAt(second, SHARD, 2);
  await looksAgain();
  expect((await errorOf(() => append(3))).message).toContain(`${path}.lock is another file now`);
  expect(await second.append(A, 3, 2, [record(4, 2)])).toEqual({ outcome: 'done', head: 4 });
  await second.close();
});

test('kill -9 loses nothing of what was stored when the -wal and the -shm had been removed', async () => {
  const at = join(folder.path, 'killed.db');
  const child = start('unlinked', at);
  await child.until('refused', (said) => said.length > 0);
  expect((await child.kill()).map((line) => line.code)).toEqual(['STORE_DETACHED']);
  await expectStored(at, 1);
  const again = await sqlite({ path: at });
  expect((await again.head(A)).head).toBe(1);
  await again.close();
});
