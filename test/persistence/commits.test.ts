/** Group commit against a database that fails on command. */
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isMeshError } from '../../core/errors.ts';
import { Commits } from '../../persistence/sqlite/commits.ts';

/** https://sqlite.org/rescode.html */
const IOERR_FSYNC = 1_034;
const FULL = 13;
const CORRUPT = 11;
const TOO_BIG = 18;

let db: DatabaseSync;
let commits: Commits;
let events: string[];
/** Fails this many commits with this code, after SQLite has done its part or before. */
let failing: { code: number; times: number } | undefined;
let transactions: number;

const failure = (code: number): Error => Object.assign(new Error(`code ${code}`), { code: 'ERR_SQLITE_ERROR', errcode: code });

beforeEach(() => {
  db = new DatabaseSync(':memory:');
  db.exec('CREATE TABLE t(x)');
  events = [];
  failing = undefined;
  transactions = 0;
  const unreliable = {
    prepare: (sql: string) => {
      const statement = db.prepare(sql);
      if (sql !== 'COMMIT') return statement;
      return {
        run: () => {
          transactions++;
          if (failing !== undefined && failing.times-- > 0) throw failure(failing.code);
          return statement.run();
        },
      } as unknown as StatementSync;
    },
    exec: (sql: string) => db.exec(sql),
    get isTransaction() {
      return db.isTransaction;
    },
  } as unknown as DatabaseSync;
  commits = new Commits(unreliable, 'mesh.db', {
    begins: () => undefined,
    committed: () => events.push('committed'),
    undone: () => events.push('undone'),
  });
});
afterEach(() => db.close());

const insert = (x: number) => (): number => {
  db.prepare('INSERT INTO t VALUES (?)').run(x);
  return x;
};
const rows = (): number[] => (db.prepare('SELECT x FROM t ORDER BY x').all() as { x: number }[]).map((row) => row.x);
const settled = async (writes: readonly Promise<unknown>[]): Promise<unknown[]> =>
  (await Promise.allSettled(writes)).map((r) => (r.status === 'fulfilled' ? r.value : (r.reason as { code: string }).code));

describe('writes of one turn', () => {
  test('are one transaction, answered after it, in order', async () => {
    const answers: number[] = [];
    const writes = [1, 2, 3].map((x) => commits.write(insert(x)).then((value) => answers.push(value)));
    expect(rows()).toEqual([]);
    await Promise.all(writes);
    expect([answers, rows(), transactions, events]).toEqual([[1, 2, 3], [1, 2, 3], 1, ['committed']]);
    await commits.write(insert(4));
    expect(transactions).toBe(2);
  });

  test('one that throws is undone alone', async () => {
    const boom = (): number => {
      insert(99)();
      throw failure(TOO_BIG);
    };
    expect(await settled([commits.write(insert(1)), commits.write(boom), commits.write(insert(3))])).toEqual([
      1,
      'PAYLOAD_TOO_LARGE',
      3,
    ]);
    expect(rows()).toEqual([1, 3]);
    expect(events).toContain('undone');
  });

  test('a commit that has no room fails each that has none, and nothing is left of it', async () => {
    failing = { code: FULL, times: 2 };
    expect(await settled([commits.write(insert(1)), commits.write(insert(2))])).toEqual(['STORE_FULL', 2]);
    expect(rows()).toEqual([2]);
    failing = { code: FULL, times: 9 };
    expect(await settled([commits.write(insert(3)), commits.write(insert(4))])).toEqual(['STORE_FULL', 'STORE_FULL']);
    expect(rows()).toEqual([2]);
    failing = undefined;
    expect(await settled([commits.write(insert(3))])).toEqual([3]);
  });

  test('a flush that failed is unclear: those who can live with that are told so, nothing is tried again', async () => {
    failing = { code: IOERR_FSYNC, times: 1 };
    const unclear = commits.write<unknown>(insert(1), (cause) => ({ outcome: 'unknown', cause: cause.code }));
    expect(await settled([unclear, commits.write(insert(2))])).toEqual([
      { outcome: 'unknown', cause: 'STORE_UNAVAILABLE' },
      'STORE_UNAVAILABLE',
    ]);
    expect([rows(), transactions]).toEqual([[], 1]);
  });

  test('a torn page while writing is no unclear commit: nothing was written for sure', async () => {
    const torn = (): never => {
      throw failure(CORRUPT);
    };
    const told = commits.write<unknown>(torn, () => 'unknown');
    expect(await settled([told, commits.write(insert(2))])).toEqual(['STORE_CORRUPT', 'STORE_CORRUPT']);
    expect(rows()).toEqual([]);
  });
});

describe('a write at once', () => {
  test('is durable when it returns, and does not wait for those that are queued', async () => {
    const queued = commits.write(insert(1));
    commits.now(insert(2));
    expect(rows()).toEqual([2]);
    await queued;
    expect(rows()).toEqual([1, 2]);
  });

  test('throws when it fails, and leaves nothing', () => {
    failing = { code: IOERR_FSYNC, times: 1 };
    expect(() => commits.now(insert(1))).toThrow(expect.objectContaining({ code: 'STORE_UNAVAILABLE' }) as Error);
    expect(rows()).toEqual([]);
  });
});

test('what is queued at the close is written; what comes later is refused', async () => {
  const last = commits.write(insert(1));
  commits.close();
  expect(rows()).toEqual([1]);
  expect(await last).toBe(1);
  await expect(commits.write(insert(2))).rejects.toSatisfy((error) => isMeshError(error, 'STORE_UNAVAILABLE'));
});
