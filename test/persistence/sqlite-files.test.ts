/** What a store makes of the files that it finds: missing, empty, torn, foreign, newer, not writable. Nothing is overwritten. */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { importedShard } from '../../core/address.ts';
import { type ErrorCode, isMeshError, type MeshError } from '../../core/errors.ts';
import type { LogRecord } from '../../core/record.ts';
import { sqlite, storeOwner, type SqliteStore } from '../../persistence/sqlite.ts';
import { all, range, records, seqs, SHARD, streamOf } from '../conformance/records.ts';
import { eventually } from '../servers.ts';
import { tryOpen } from './children.ts';
import { claimAt, temporaryFolder } from './subjects.ts';

const A = streamOf('desk/a');
let folder: ReturnType<typeof temporaryFolder>;
let path: string;
beforeEach(() => {
  folder = temporaryFolder();
  path = join(folder.path, 'mesh.db');
});
afterEach(() => folder.remove());

/** Every file with a digest of its bytes and when it was changed; but the lock, which only owners make. */
function files(): Record<string, string> {
  return Object.fromEntries(
    readdirSync(folder.path)
      .filter((name) => !name.endsWith('.lock'))
      .map((name) => {
        const bytes = readFileSync(join(folder.path, name));
        return [name, `${createHash('sha256').update(bytes).digest('hex')} ${statSync(join(folder.path, name)).mtimeMs}`];
      }),
  );
}

async function made(count = 10): Promise<void> {
  const store = await sqlite({ path });
  await fill(store, count);
  await store.close();
}
async function fill(store: SqliteStore, count: number): Promise<void> {
  const present = (await store.claims()).find((c) => c.shard === SHARD)?.epoch ?? 0;
  await claimAt(store, SHARD, present + 1);
  const { head } = await store.head(A);
  expect((await store.append(A, head, present + 1, records(head, count, present + 1))).outcome).toBe('done');
}

interface Attempts {
  readonly codes: readonly (string | undefined)[];
  readonly messages: readonly string[];
  readonly unchanged: boolean;
}
/** What comes of opening it, to read and to own. */
async function attempts(): Promise<Attempts> {
  const before = files();
  const errors: MeshError[] = [];
  for (const readOnly of [true, false]) {
    const error: unknown = await sqlite({ path, readOnly }).catch((reason: unknown) => reason);
    if (isMeshError(error)) errors.push(error);
  }
  const unchanged = JSON.stringify(files()) === JSON.stringify(before) && storeOwner(path) === undefined;
  return { codes: errors.map((e) => e.code), messages: errors.map((e) => e.message), unchanged };
}
/** Both fail with this code, say where and what, and leave every byte as it was. */
function refusals(code: ErrorCode, said: string): Attempts {
  const message = expect.stringMatching(new RegExp(`mesh\\.db.*${said}`)) as string;
  return { codes: [code, code], messages: [message, message], unchanged: true };
}

describe('a store that is not there', () => {
  test('is made with its folders by an owner, and leaves one file when it is closed', async () => {
    path = join(folder.path, 'deep', 'down', 'mesh.db');
    const store = await sqlite({ path });
    await fill(store, 3);
    await store.close();
    expect(readdirSync(join(folder.path, 'deep', 'down')).toSorted()).toEqual(['mesh.db', 'mesh.db.lock']);
  });

  test('is an error for a reader, who makes nothing; nor does asking for its owner', async () => {
    await expect(sqlite({ path, readOnly: true })).rejects.toSatisfy((error) => isMeshError(error, 'STORE_MISSING'));
    expect(storeOwner(path)).toBe(undefined);
    expect(readdirSync(folder.path)).toEqual([]);
  });

  test('but whose log is there is not begun anew', async () => {
    await made();
    renameSync(path, `${path}-wal`);
    const before = files();
    await expect(sqlite({ path })).rejects.toSatisfy((error) => isMeshError(error, 'STORE_CORRUPT'));
    expect(files()).toEqual(before);
  });

  test('whose making was interrupted is made again', async () => {
    writeFileSync(`${path}.new`, 'half of a sto');
    await made();
    expect(Object.keys(files())).toEqual(['mesh.db']);
  });
});

describe('who may read it', () => {
  const modeOf = (name: string): number => statSync(join(folder.path, name)).mode & 0o777;

  test('only its user: the file, what SQLite has beside it, and a backup', async () => {
    const store = await sqlite({ path });
    await fill(store, 3);
    expect(['mesh.db', 'mesh.db-wal', 'mesh.db-shm'].map(modeOf)).toEqual([0o600, 0o600, 0o600]);
    await store.backup(join(folder.path, 'by-owner.db'));
    await store.close();
    const reader = await sqlite({ path, readOnly: true });
    await reader.backup(join(folder.path, 'by-reader.db'));
    await reader.close();
    expect(['by-owner.db', 'by-reader.db'].map(modeOf)).toEqual([0o600, 0o600]);
  });

  test('a backup to a folder that is not there fails, and says that the copy could not be written', async () => {
    await made();
    const reader = await sqlite({ path, readOnly: true });
    await expect(reader.backup(join(folder.path, 'nowhere', 'backup.db'))).rejects.toMatchObject({ code: 'BACKUP_FAILED' });
    await reader.close();
  });

  test('a file that is there keeps the mode that somebody gave it', async () => {
    await made();
    chmodSync(path, 0o640);
    const store = await sqlite({ path });
    await fill(store, 1);
    expect(['mesh.db', 'mesh.db-wal'].map(modeOf)).toEqual([0o640, 0o640]);
    await store.close();
    expect(modeOf('mesh.db')).toBe(0o640);
  });
});

describe('a file that is no store of this version', () => {
  test('empty', async () => {
    writeFileSync(path, '');
    expect(await attempts()).toEqual(refusals('STORE_CORRUPT', 'is empty'));
  });
  test('something else', async () => {
    writeFileSync(path, 'a shopping list\n'.repeat(1_000));
    expect(await attempts()).toEqual(refusals('STORE_CORRUPT', 'no store'));
  });
  test('a database of another program', async () => {
    const db = new DatabaseSync(path);
    db.exec('CREATE TABLE events(x); INSERT INTO events VALUES (1)');
    db.close();
    expect(await attempts()).toEqual(refusals('STORE_CORRUPT', 'no store'));
  });
  test('a folder', async () => {
    mkdirSync(path);
    for (const readOnly of [true, false])
      await expect(sqlite({ path, readOnly })).rejects.toSatisfy((error) => isMeshError(error, 'STORE_CORRUPT'));
  });
  test('of a newer version', async () => {
    await made();
    const db = new DatabaseSync(path);
    db.exec('PRAGMA user_version=2');
    db.close();
    expect(await attempts()).toEqual(refusals('STORE_NEWER', 'format 2'));
  });
  test.each([1, 99, 100, 3_000, 4_096, 4_097, 20_000])('torn after %i bytes', async (bytes) => {
    await made(200);
    truncateSync(path, bytes);
    expect(await attempts()).toEqual(refusals('STORE_CORRUPT', ''));
  });
});

describe('what was removed', () => {
  const rowsOf = (table: string): number => {
    const db = new DatabaseSync(path, { readOnly: true });
    const { n } = db.prepare(`SELECT count(*) AS n FROM ${table}`).get() as { n: number };
    db.close();
    return n;
  };

  test('leaves no rows in the file: a deleted stream, a log whose import broke off', async () => {
    const store = await sqlite({ path });
    await fill(store, 20);
    await store.saveCheckpoint(A, 20, 1, { wakeAt: undefined, leaf: false }, new Uint8Array(9));
    await store.deleteStream(A);
    const broken = async function* (): AsyncGenerator<LogRecord> {
      yield* records(0, 10);
      await Promise.reject(new RangeError('cut'));
    };
    const log = { after: 0, checkpoint: undefined, records: broken() };
    await expect(store.importStream({ shard: importedShard('x'), actor: 'a' }, log)).rejects.toThrow('cut');
    await store.close();
    expect(['events', 'streams', 'checkpoints'].map(rowsOf)).toEqual([0, 0, 0]);
  });

  test('is swept away by the next owner when a process died in between', async () => {
    await made(10);
    const db = new DatabaseSync(path);
    db.exec('UPDATE streams SET shard = -id');
    db.close();
    const store = await sqlite({ path });
    expect(await store.shards()).toEqual([]);
    await store.close();
    expect(['events', 'streams'].map(rowsOf)).toEqual([0, 0]);
  });
});

describe('one who only reads', () => {
  test('a store that nobody has open changes no byte of it and leaves no file', async () => {
    await made(300);
    rmSync(`${path}.lock`);
    const before = files();
    const reader = await sqlite({ path, readOnly: true });
    expect(await seqs(reader.read(A, 1))).toEqual(range(1, 300));
    expect((await all(reader.streams(SHARD))).map((s) => s.head)).toEqual([300]);
    expect(await reader.shards()).toEqual([SHARD]);
    expect((await reader.claims()).map((c) => c.epoch)).toEqual([1]);
    expect(await reader.check()).toEqual([]);
    expect(files()).toEqual(before);
    await reader.close();
    expect(files()).toEqual(before);
    expect(readdirSync(folder.path)).toEqual(['mesh.db']);
  });

  test('may do nothing that writes', async () => {
    await made();
    const reader = await sqlite({ path, readOnly: true });
    const session = { node: 'n1', session: 's', counter: 1, endpoint: '', groups: [] };
    for (const write of [
      async () => reader.append(A, 10, 1, records(10, 1)),
      async () => reader.saveCheckpoint(A, 10, 1, { wakeAt: undefined, leaf: false }, new Uint8Array(1)),
      async () => reader.put(new Uint8Array(1)),
      async () => reader.delete('00', Infinity),
      async () => reader.truncateBefore(A, 1),
      async () => reader.deleteStream(A),
      async () => reader.importStream(A, { after: 0, checkpoint: undefined, records: reader.read(A, 1) }),
      async () => reader.renew(session),
      async () => reader.end('s', 1),
      async () => reader.claim({ shard: SHARD, epoch: 9, session: 's', node: 'n1' }, 1),
      async () => reader.constant('never set', '1'),
      async () => reader.watch(() => undefined),
    ])
      await expect(write()).rejects.toSatisfy((error) => isMeshError(error, 'FOLLOWER_READ_ONLY'));
    await reader.close();
  });

  test('sees what owners write who come and go after it', async () => {
    await made(5);
    const reader = await sqlite({ path, readOnly: true });
    const headSeen = async (): Promise<number> => (await reader.head(A)).head;
    expect(await headSeen()).toBe(5);
    for (const expected of [10, 15, 20]) {
      const store = await sqlite({ path });
      await fill(store, 4);
      expect(await headSeen()).toBe(expected - 1);
      await fill(store, 1);
      expect(await headSeen()).toBe(expected);
      await store.close();
      expect(await headSeen()).toBe(expected);
    }
    expect(await seqs(reader.read(A, 1))).toEqual(range(1, 20));
    await reader.close();
  });

  test('sees what an owner wrote who came and went while it looked away', async () => {
    await made(5);
    const reader = await sqlite({ path, readOnly: true });
    expect((await reader.head(A)).head).toBe(5);
    await made(5);
    expect((await reader.head(A)).head).toBe(10);
    expect(await seqs(reader.read(A, 1))).toEqual(range(1, 10));
    await reader.close();
  });

  test('and pauses in the middle of a log keeps no file from being cut back', async () => {
    await made(1_000);
    const store = await sqlite({ path });
    const reader = await sqlite({ path, readOnly: true });
    const paused = [reader.read(A, 1), store.read(A, 1)].map((log) => log[Symbol.asyncIterator]());
    for (const log of paused) await log.next();
    for (let i = 0; i < 100; i++) await store.put(Buffer.alloc(256 * 1024, String(i)));
    expect(statSync(path).size).toBeGreaterThan(20_000_000);
    expect(statSync(`${path}-wal`).size).toBeLessThan(8_000_000);
    for (const log of paused) expect((await log.next()).value).toMatchObject({ seq: 2 });
    await reader.close();
    await store.close();
  });

  test('misses nothing when the last records went before others came', async () => {
    await made(5);
    const reader = await sqlite({ path, readOnly: true });
    const heard: string[] = [];
    const stop = new AbortController();
    const following = (async () => {
      for await (const { stream, record } of reader.follow(SHARD, stop.signal)) heard.push(`${stream.actor} ${record.seq}`);
    })();
    const hears = (last: string): Promise<void> => eventually(last, () => heard.at(-1) === last);
    const owner = async (does: (store: SqliteStore, epoch: number) => Promise<unknown>): Promise<void> => {
      const store = await sqlite({ path });
      const epoch = ((await store.claims())[0]?.epoch ?? 0) + 1;
      await claimAt(store, SHARD, epoch);
      await does(store, epoch);
      await store.close();
    };
    const B = streamOf('desk/b');
    await owner(async (store, epoch) => {
      await store.append(A, 5, epoch, records(5, 3, epoch));
      await hears('desk/a 8');
      await store.saveCheckpoint(A, 8, epoch, { wakeAt: undefined, leaf: false }, new Uint8Array(1));
      await store.truncateBefore(A, 8);
    });
    await owner(async (store, epoch) => {
      await store.append(B, 0, epoch, records(0, 2, epoch));
      await hears('desk/b 2');
      await store.deleteStream(B);
    });
    await owner((store, epoch) => store.append(A, 8, epoch, records(8, 1, epoch)));
    await hears('desk/a 9');
    stop.abort();
    await following;
    expect(heard).toEqual(['desk/a 6', 'desk/a 7', 'desk/a 8', 'desk/b 1', 'desk/b 2', 'desk/a 9']);
    await reader.close();
  });

  test('reads constants that were set, and what sessions said last', async () => {
    const store = await sqlite({ path });
    expect(await store.constant('shards', '16')).toBe('16');
    await store.renew({ node: 'n1', session: 's', counter: 1, endpoint: 'here', groups: ['default'] });
    const reader = await sqlite({ path, readOnly: true });
    expect(await reader.constant('shards', '99')).toBe('16');
    expect((await reader.sessions()).map((s) => s.session)).toEqual(['s']);
    await reader.close();
    await store.close();
  });
});

describe('a file or folder that cannot be written', () => {
  /** Root may write everything; then a process of nobody's tries. */
  const isRoot = process.getuid?.() === 0;
  const open = (readOnly: boolean) => tryOpen(path, readOnly, isRoot ? { uid: 65_534, gid: 65_534 } : {});
  const locked = async (fileMode: number, folderMode: number): Promise<void> => {
    await made(20);
    rmSync(`${path}.lock`);
    chmodSync(path, fileMode);
    chmodSync(folder.path, folderMode);
  };
  afterEach(() => chmodSync(folder.path, 0o755));

  test('is read, but not owned', async () => {
    await locked(0o444, 0o555);
    const before = files();
    expect(open(true).heads).toEqual({ 'desk/a': 20 });
    const { code, message } = open(false);
    expect([code, message]).toEqual(['STORE_READ_ONLY', expect.stringContaining('mesh.db')]);
    expect(files()).toEqual(before);
  });

  test('so is a file in a folder that can be written', async () => {
    await locked(0o444, 0o777);
    const before = files()['mesh.db'];
    expect(open(true).heads).toEqual({ 'desk/a': 20 });
    expect(open(false).code).toBe('STORE_READ_ONLY');
    expect(files()['mesh.db']).toEqual(before);
  });

  test('a file that may not even be read is said to be that', async () => {
    await locked(0o600, 0o777);
    if (!isRoot) chmodSync(path, 0);
    for (const readOnly of [true, false]) {
      const { code, message } = open(readOnly);
      expect([code, message]).toEqual(['STORE_READ_ONLY', expect.stringContaining('may not be read')]);
    }
  });

  test('a folder in which nothing can be made', async () => {
    await locked(0o444, 0o555);
    path = join(folder.path, 'deeper', 'mesh.db');
    expect(open(false).code).toBe('STORE_READ_ONLY');
    expect(open(true).code).toBe('STORE_MISSING');
  });
});
