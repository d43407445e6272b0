/** Who copies or checks a store that nobody has open sees one instant of it, also when an owner comes in the middle. */
import { join } from 'node:path';
import { backup, DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { sqlite } from '../../persistence/sqlite.ts';
import { all } from '../conformance/records.ts';
import { temporaryFolder } from './subjects.ts';

/** Called once in the middle of a copy or a check: all that another process may do then. */
let inBetween: (() => void) | undefined;
const meet = (): void => {
  const meeting = inBetween;
  inBetween = undefined;
  meeting?.();
};

vi.mock(import('../../persistence/sqlite/driver.ts'), async (original) => ({
  ...(await original()),
  copyPages: (source, path) => backup(source, path, { rate: 100, progress: meet }),
}));
vi.mock(import('../../persistence/sqlite/check.ts'), async (original) => {
  const { problemsOf } = await original();
  return {
    problemsOf: (db, store) => {
      db.prepare('SELECT count(*) FROM blobs').get();
      meet();
      return problemsOf(db, store);
    },
  };
});

const COUNT = 40;
let folder: ReturnType<typeof temporaryFolder>;
let path: string;
beforeEach(async () => {
  folder = temporaryFolder();
  path = join(folder.path, 'mesh.db');
  const store = await sqlite({ path });
  for (let i = 0; i < COUNT; i++) await store.put(Buffer.alloc(50_000, `blob ${i}`));
  await store.close();
});
afterEach(() => folder.remove());

/** As an owner that comes, writes, and goes: what it wrote is in the file itself then. */
function comeAndGo(): void {
  const db = new DatabaseSync(path);
  db.exec(`
    CREATE TABLE other(x); INSERT INTO other SELECT bytes FROM blobs;
    DELETE FROM blobs WHERE rowid % 2 = 0; UPDATE blobs SET bytes = bytes || x'00' WHERE rowid < 5`);
  db.exec('UPDATE blobs SET bytes = substr(bytes, 1, 50000) WHERE rowid < 5; DELETE FROM other');
  db.close();
}

test('a backup', async () => {
  const reader = await sqlite({ path, readOnly: true });
  const target = join(folder.path, 'copy.db');
  inBetween = comeAndGo;
  await reader.backup(target);
  await reader.close();
  expect(inBetween).toBe(undefined);
  const copy = await sqlite({ path: target, readOnly: true });
  expect(await copy.check()).toEqual([]);
  expect((await all(copy.list())).length).toBe(COUNT / 2);
  await copy.close();
});

test('a check', async () => {
  const reader = await sqlite({ path, readOnly: true });
  inBetween = comeAndGo;
  expect(await reader.check()).toEqual([]);
  expect(inBetween).toBe(undefined);
  await reader.close();
});

test('an owner that stays is read beside it, by all that is asked meanwhile', async () => {
  const reader = await sqlite({ path, readOnly: true });
  const target = join(folder.path, 'copy.db');
  const stay = new DatabaseSync(path);
  inBetween = () => stay.exec('DELETE FROM blobs WHERE rowid > 10');
  const [, problems, blobs] = await Promise.all([reader.backup(target), reader.check(), all(reader.list())]);
  expect([problems, blobs.length]).toEqual([[], COUNT]);
  // The reader has its locks still, so whoever goes leaves it the log that it reads.
  stay.close();
  expect((await all(reader.list())).length).toBe(10);
  const after = new DatabaseSync(path);
  after.exec('DELETE FROM blobs WHERE rowid > 5');
  after.close();
  expect((await all(reader.list())).length).toBe(5);
  await reader.close();
});

test('one that comes again and again is waited for, and at last said', async () => {
  const reader = await sqlite({ path, readOnly: true });
  const again = (): void => {
    inBetween = again;
    const db = new DatabaseSync(path);
    db.exec('UPDATE blobs SET put_at = put_at + 1');
    db.close();
  };
  inBetween = again;
  await expect(reader.backup(join(folder.path, 'copy.db'))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  inBetween = undefined;
  await reader.backup(join(folder.path, 'copy.db'));
  await reader.close();
});
