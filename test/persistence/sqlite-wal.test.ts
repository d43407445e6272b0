/** The `-wal` that a killed owner left: what is torn opens, what is damaged does not, and nothing acknowledged goes without a word. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isMeshError, type MeshError } from '../../core/errors.ts';
import { sqlite } from '../../persistence/sqlite.ts';
import { range, seqs, streamOf } from '../conformance/records.ts';
import { type Child, start } from './children.ts';
import { temporaryFolder } from './subjects.ts';

const A = streamOf('desk/a');
const HEADER = 32;
const FRAME = 24 + 4_096;

interface Left {
  readonly db: Buffer;
  readonly wal: Buffer;
  readonly shm: Buffer;
}

const folder = temporaryFolder();
const path = join(folder.path, 'mesh.db');
const children: Child[] = [];
afterAll(async () => {
  await Promise.all(children.map((child) => child.kill()));
  folder.remove();
});

/** The files of an owner that was killed after these commits were acknowledged. */
async function leftBy(name: string, commits: number, mib = 0): Promise<Left> {
  const at = join(folder.path, name);
  const child = start('few', at, String(commits), String(mib));
  children.push(child);
  await child.until('the last commit', (said) => said.some((line) => line.head === commits));
  await child.kill();
  return { db: readFileSync(at), wal: readFileSync(`${at}-wal`), shm: readFileSync(`${at}-shm`) };
}

/** Puts them in their place, but for what is left out. */
function place({ db, wal, shm }: Partial<Left> & Pick<Left, 'db'>): void {
  for (const end of ['-wal', '-shm', '.owner', '.lock']) rmSync(`${path}${end}`, { force: true });
  writeFileSync(path, db);
  if (wal !== undefined) writeFileSync(`${path}-wal`, wal);
  if (shm !== undefined) writeFileSync(`${path}-shm`, shm);
}

/** What a reader, then an owner, makes of it: the head that it finds, or the code of its error. */
async function opened(readOnly: boolean): Promise<number | string> {
  try {
    await using store = await opening(readOnly);
    const { head } = await store.head(A);
    expect(await seqs(store.read(A, 1))).toEqual(range(1, head));
    expect(await store.check()).toEqual([]);
    return head;
  } catch (error) {
    if (isMeshError(error)) return error.code;
    throw error;
  }
}
async function opening(readOnly: boolean) {
  const store = await sqlite({ path, readOnly });
  return Object.assign(store, { [Symbol.asyncDispose]: () => store.close() });
}
const refusal = (): Promise<MeshError> =>
  sqlite({ path, readOnly: true }).then(
    async (store) => {
      await store.close();
      throw new RangeError('it opened');
    },
    (error: unknown) => error as MeshError,
  );

const flipped = (bytes: Buffer, at: number): Buffer => {
  const changed = Buffer.from(bytes);
  changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
  return changed;
};

/** Numbers of the frames with a commit mark, from 1, of those with the salts of the header. */
function commitsIn(wal: Buffer): number[] {
  const commits: number[] = [];
  for (let frame = 1; HEADER + frame * FRAME <= wal.length; frame++) {
    const at = HEADER + (frame - 1) * FRAME;
    if (wal.readUInt32BE(at + 4) !== 0 && wal.subarray(at + 8, at + 16).equals(wal.subarray(16, 24))) commits.push(frame);
  }
  return commits;
}
/** Byte behind this frame. */
const endOf = (frame: number): number => HEADER + frame * FRAME;

/** Bytes to change: all of the header, one of each field of each frame's header, and some of each page. */
function placesIn(bytes: number): number[] {
  const places = range(0, HEADER - 1);
  for (let at = HEADER; at < bytes; at += FRAME)
    places.push(...[0, 4, 8, 12, 16, 20].map((field) => at + field + (at % 3)), at + 24, at + 1_501, at + FRAME - 1);
  return places;
}

describe('after kill -9', () => {
  const COMMITS = 7;
  let left: Left;
  beforeAll(async () => {
    left = await leftBy('killed.db', COMMITS);
  });

  test('all that was acknowledged is there', async () => {
    place(left);
    expect(await opened(true)).toBe(COMMITS);
    place(left);
    expect(await opened(false)).toBe(COMMITS);
  });

  test('one changed bit anywhere is found, whichever commit it is in', async () => {
    const found = new Map<number | string, number>();
    for (const at of placesIn(left.wal.length)) {
      place({ ...left, wal: flipped(left.wal, at) });
      const result = await opened(true);
      found.set(result, (found.get(result) ?? 0) + 1);
    }
    expect([...found.keys()]).toEqual(['STORE_CORRUPT']);
    expect(found.get('STORE_CORRUPT')).toBeGreaterThan(200);
  });

  test('a log that was cut off, emptied or removed is found', async () => {
    for (const bytes of [0, 31, HEADER, endOf(1), endOf(3) + 100, left.wal.length - 1]) {
      place({ ...left, wal: left.wal.subarray(0, bytes) });
      expect([bytes, await opened(true)]).toEqual([bytes, 'STORE_CORRUPT']);
    }
    place({ db: left.db, shm: left.shm });
    expect(await opened(true)).toBe('STORE_CORRUPT');
    expect((await refusal()).message).toMatch(/mesh\.db-wal is gone, .* Only if .*mesh\.db is a restored backup: remove .*-shm/);
  });

  test('an owner is refused like a reader, and not a byte changes', async () => {
    const wal = flipped(left.wal, endOf(9) + 2_000);
    place({ ...left, wal });
    expect(await opened(false)).toBe('STORE_CORRUPT');
    expect(readFileSync(`${path}-wal`).equals(wal)).toBe(true);
    expect(readFileSync(`${path}-shm`).equals(left.shm)).toBe(true);
    expect(readFileSync(path).equals(left.db)).toBe(true);
  });

  test('the error says where, how much is lost, and how to give it up; which works', async () => {
    const commits = commitsIn(left.wal);
    const [fourth = 0, fifth = 0] = commits.slice(-4, -2);
    place({ ...left, wal: flipped(left.wal, endOf(fifth) - 50) });
    const { message, data } = await refusal();
    expect(data).toMatchObject({ at: endOf(fifth - 1), commits: 3 });
    expect(message).toContain(`-wal is damaged at byte ${endOf(fifth - 1)}: at least 3 commits from there on cannot be read`);
    const [, command = ''] = /`(truncate [^`]+)`/.exec(message) ?? [];
    expect(command).toContain(`truncate -s ${endOf(fourth)} `);
    expect(spawnSync(command, { shell: true }).status).toBe(0);
    expect(await opened(true)).toBe(COMMITS - 3);
    expect(await opened(false)).toBe(COMMITS - 3);
  });

  test('bytes behind the last commit are none of its business', async () => {
    const commits = commitsIn(left.wal);
    const last = left.wal.subarray(endOf(commits.at(-2) ?? 0));
    for (const tail of [Buffer.alloc(3 * FRAME), Buffer.from('half a frame'), last, flipped(last, 5_000)]) {
      place({ ...left, wal: Buffer.concat([left.wal, tail]) });
      expect(await opened(true)).toBe(COMMITS);
      place({ ...left, wal: Buffer.concat([left.wal, tail]) });
      expect(await opened(false)).toBe(COMMITS);
    }
  });
});

describe('after a power loss, which may take the -shm along', () => {
  const COMMITS = 6;
  let left: Left;
  let commits: number[];
  beforeAll(async () => {
    left = await leftBy('lost.db', COMMITS);
    commits = commitsIn(left.wal);
  });

  test('a tail that is torn anywhere opens with whole commits', async () => {
    const heads: (number | string)[] = [];
    for (let bytes = 0; bytes <= left.wal.length; bytes += 2_003) {
      place({ db: left.db, wal: left.wal.subarray(0, bytes) });
      heads.push(await opened(bytes % 2 === 0));
    }
    expect([...new Set(heads)]).toEqual(range(0, COMMITS - 1));
  });

  test('so does one whose last commit reached the disk in part, its mark included', async () => {
    const [before = 0, last = 0] = commits.slice(-2);
    expect(last - before).toBeGreaterThan(1);
    for (let frame = before + 1; frame <= last; frame++) {
      const wal = Buffer.from(left.wal).fill(0, endOf(frame - 1), endOf(frame));
      place({ db: left.db, wal });
      expect(await opened(frame % 2 === 0)).toBe(COMMITS - 1);
    }
  });

  test('a changed bit before the last commit is found', async () => {
    const before = commits.at(-2) ?? 0;
    // The salts of the frame that ends the commit before tell to which use of the file it belongs.
    const mark = endOf(before - 1);
    const places = placesIn(endOf(before)).filter((at) => at < mark + 8 || at >= mark + 16);
    const results = new Set<number | string>();
    for (const at of places) {
      place({ db: left.db, wal: flipped(left.wal, at) });
      results.add(await opened(true));
    }
    expect([...results]).toEqual(['STORE_CORRUPT']);
  });

  test('one in the last commit looks like a torn tail, and nothing is taken for what it is not', async () => {
    const results = new Set<number | string>();
    for (const at of placesIn(left.wal.length).filter((place) => place >= endOf(commits.at(-2) ?? 0))) {
      place({ db: left.db, wal: flipped(left.wal, at) });
      results.add(await opened(at % 2 === 0));
    }
    // A mark that the flip itself made has frames behind it.
    results.delete('STORE_CORRUPT');
    expect([...results]).toEqual([COMMITS - 1]);
  });

  test('a stretch of frames that are gone is found', async () => {
    const [first = 0, , third = 0] = commits.slice(2);
    place({ db: left.db, wal: Buffer.from(left.wal).fill(0, endOf(first), endOf(third)) });
    expect(await opened(true)).toBe('STORE_CORRUPT');
  });
});

describe('a log that was begun anew keeps frames of its earlier use', () => {
  const COMMITS = 5;
  let left: Left;
  let last: number;
  beforeAll(async () => {
    // More than SQLite keeps before it copies the log into the file and begins at the front again.
    left = await leftBy('reset.db', COMMITS, 5);
    last = commitsIn(left.wal).at(-1) ?? 0;
  });

  test('they are no damage, nor is damage in them', async () => {
    expect(left.wal.length).toBeGreaterThan(endOf(1_000));
    expect(last).toBeLessThan(50);
    for (const wal of [left.wal, ...[1, 4_000, 9_000, 2_000_000].map((at) => flipped(left.wal, endOf(last) + at))]) {
      place({ ...left, wal });
      expect(await opened(true)).toBe(COMMITS);
      place({ db: left.db, wal });
      expect(await opened(false)).toBe(COMMITS);
    }
  });

  test('damage before them is found, and they do not count', async () => {
    for (const at of [0, 13, 18, 25, HEADER + 9, endOf(2) + 77, endOf(last) - 1]) {
      place({ ...left, wal: flipped(left.wal, at) });
      const { code, data } = await refusal();
      expect([at, code]).toEqual([at, 'STORE_CORRUPT']);
      expect((data as { commits: number }).commits).toBeLessThan(COMMITS + 10);
    }
  });
});

test('a reader beside an owner that writes is never refused', async () => {
  const at = join(folder.path, 'busy.db');
  const child = start('work', at);
  children.push(child);
  await child.until('appends', (said) => said.length > 20);
  expect(existsSync(`${at}-wal`)).toBe(true);
  for (let i = 0; i < 100; i++) {
    const reader = await sqlite({ path: at, readOnly: true });
    expect((await reader.head(A)).head).toBeGreaterThan(0);
    await reader.close();
  }
  await child.kill();
});
