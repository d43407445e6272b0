/** What every `StoreAdmin` keeps: it removes only what a checkpoint covers, no seq is used twice, imported logs stay apart. */
import assert from 'node:assert/strict';
import { importedShard, type Shard } from '../../core/address.ts';
import { isMeshError } from '../../core/errors.ts';
import type { CheckpointMeta, EventStore, StoreAdmin, StreamId, StreamImport } from '../../core/ports/event-store.ts';
import type { LogRecord } from '../../core/record.ts';
import { type Case, caseOf, type Passing, until } from './case.ts';
import { all, given, range, record, records, seqs, SHARD, streamOf } from './records.ts';

export type AdminStore = EventStore & StoreAdmin;

export interface StoreAdminSubject extends Passing {
  readonly store: AdminStore;
  /** Makes `epoch` the one at which the shard is claimed. */
  claim(shard: Shard, epoch: number): Promise<void>;
  /** A path where nothing is, for a backup (needs `backup`). */
  backupPath(): string;
  /** Opens a backup to be read; the subject closes it. */
  openBackup(path: string): Promise<AdminStore>;
}

const A = streamOf('desk/a');
const B = streamOf('desk/b');
const CLEAN: CheckpointMeta = { wakeAt: undefined, leaf: false };
const BYTES = Uint8Array.from([1, 2, 3]);

const admin = (name: string, body: (store: AdminStore, subject: StoreAdminSubject) => Promise<void>, needs?: string[]) => ({
  ...caseOf<StoreAdminSubject>(name, async (subject) => {
    await subject.claim(SHARD, 1);
    await body(subject.store, subject);
  }),
  ...(needs !== undefined && { needs }),
});

async function grow(store: AdminStore, stream: StreamId, count: number, epoch = 1): Promise<void> {
  for (let left = count; left > 0;) {
    const { head } = await store.head(stream);
    const part = Math.min(left, 4_096);
    assert.equal((await store.append(stream, head, epoch, records(head, part, epoch))).outcome, 'done');
    left -= part;
  }
}
async function save(store: AdminStore, stream: StreamId, seq: number, meta: CheckpointMeta = CLEAN): Promise<void> {
  assert.equal(await store.saveCheckpoint(stream, seq, 1, meta, BYTES), 'saved');
}
const conflict = (error: unknown): boolean => isMeshError(error, 'STORE_CONFLICT');

/** Collects what a follower hears until it is stopped. */
function listening(store: AdminStore, shard: Shard) {
  const stop = new AbortController();
  const heard: string[] = [];
  const followed = store.follow(shard, stop.signal);
  const ended = (async () => {
    for await (const {
      stream,
      record: { seq },
    } of followed)
      heard.push(`${stream.shard} ${stream.actor} ${seq}`);
  })();
  return {
    heard,
    stop: async (): Promise<void> => {
      stop.abort();
      await ended;
    },
  };
}

const truncating: readonly Case<StoreAdminSubject>[] = [
  admin('nothing above the saved checkpoint can be removed', async (store) => {
    await grow(store, A, 10);
    await assert.rejects(store.truncateBefore(A, 1), conflict);
    await save(store, A, 6);
    await assert.rejects(store.truncateBefore(A, 7), conflict);
    await assert.rejects(store.truncateBefore(B, 1), conflict);
    assert.deepEqual(await seqs(store.read(A, 1)), range(1, 10));
  }),

  admin('records up to a seq go, the rest stays, and the stream goes on', async (store) => {
    await grow(store, A, 10);
    await grow(store, B, 3);
    await save(store, A, 6);
    assert.equal(await store.truncateBefore(A, 4), 4);
    assert.equal(await store.truncateBefore(A, 4), 0);
    assert.equal(await store.truncateBefore(A, 2), 0);
    assert.deepEqual(await seqs(store.read(A, 1)), range(5, 10));
    assert.deepEqual(await seqs(store.read(A, 7)), range(7, 10));
    assert.deepEqual(await seqs(store.read(A, 1, 4)), []);
    assert.equal(await store.truncateBefore(A, 6), 2);
    await grow(store, A, 2);
    assert.deepEqual(await seqs(store.read(A, 1)), range(7, 12));
    assert.deepEqual(await seqs(store.read(B, 1)), [1, 2, 3]);
    assert.equal((await store.loadCheckpoint(A))?.seq, 6);
  }),

  admin('a stream whose records are all gone keeps its head and its fence', async (store, subject) => {
    await grow(store, A, 5);
    await save(store, A, 5);
    assert.equal(await store.truncateBefore(A, 5), 5);
    assert.deepEqual(await store.head(A), { head: 5, epoch: 1 });
    assert.deepEqual(await seqs(store.read(A, 1)), []);
    assert.equal((await store.append(A, 0, 1, records(0, 1))).outcome, 'refused');
    await subject.claim(SHARD, 2);
    assert.equal((await store.append(A, 5, 1, records(5, 1))).outcome, 'refused');
    assert.deepEqual(await store.append(A, 5, 2, records(5, 1, 2)), { outcome: 'done', head: 6 });
    assert.deepEqual(await seqs(store.read(A, 1)), [6]);
  }),

  admin('a long log is cut too, while the stream grows', async (store) => {
    await grow(store, A, 12_000);
    await save(store, A, 11_999);
    const cutting = store.truncateBefore(A, 11_999);
    await grow(store, A, 5);
    assert.equal(await cutting, 11_999);
    assert.deepEqual(await seqs(store.read(A, 1)), range(12_000, 12_005));
  }),
];

const deleting: readonly Case<StoreAdminSubject>[] = [
  admin('a deleted stream is gone, and no seq of its shard is used again', async (store) => {
    await grow(store, A, 5);
    await grow(store, B, 2);
    await save(store, A, 3, { wakeAt: 5, leaf: true });
    await store.deleteStream(A);
    assert.deepEqual(
      (await all(store.streams(SHARD))).map((s) => s.actor),
      [B.actor],
    );
    assert.deepEqual(await seqs(store.read(A, 1)), []);
    assert.equal(await store.loadCheckpoint(A), undefined);
    for (const stream of [A, streamOf('desk/new')]) {
      assert.deepEqual(await store.head(stream), { head: 5, epoch: 0 });
      assert.deepEqual(await store.append(stream, 0, 1, records(0, 1)), { outcome: 'refused', head: 5, epoch: 0 });
      assert.deepEqual(await store.append(stream, 5, 1, records(5, 2)), { outcome: 'done', head: 7 });
      assert.deepEqual(await all(store.read(stream, 1)), records(5, 2));
      assert.equal(await store.saveCheckpoint(stream, 3, 1, CLEAN, BYTES), 'saved');
    }
    await grow(store, B, 1);
    assert.deepEqual(await seqs(store.read(B, 1)), [1, 2, 3]);
  }),

  admin('the floor is the highest head that was deleted, and of its shard only', async (store, subject) => {
    await subject.claim('default/1', 1);
    await grow(store, A, 9);
    await grow(store, B, 4);
    await store.deleteStream(A);
    await store.deleteStream(B);
    await store.deleteStream(streamOf('nobody'));
    assert.deepEqual(await store.head(streamOf('x')), { head: 9, epoch: 0 });
    assert.deepEqual(await store.head(streamOf('x', 'default/1')), { head: 0, epoch: 0 });
  }),

  admin('a stream that is created after another was deleted has nothing of it', async (store) => {
    for (const actor of ['first', 'second', 'third']) {
      const stream = streamOf(actor);
      const { head, epoch } = await store.head(stream);
      assert.deepEqual([epoch, await store.loadCheckpoint(stream), await seqs(store.read(stream, 1))], [0, undefined, []]);
      await grow(store, stream, 5);
      assert.deepEqual(await seqs(store.read(stream, 1)), range(head + 1, head + 5));
      assert.equal(await store.loadCheckpoint(stream), undefined);
      await save(store, stream, head + 5, { wakeAt: 1, leaf: true });
      await store.deleteStream(stream);
    }
  }),

  admin('a long log is deleted, and created again at once', async (store) => {
    await grow(store, A, 12_000);
    const deleting = store.deleteStream(A);
    const again = store.append(A, 12_000, 1, records(12_000, 1));
    await deleting;
    assert.deepEqual(await again, { outcome: 'done', head: 12_001 });
    assert.deepEqual(await seqs(store.read(A, 1)), [12_001]);
  }),

  admin('shards are those that hold streams', async (store, subject) => {
    assert.deepEqual(await store.shards(), []);
    await subject.claim('gpu/3', 1);
    await grow(store, streamOf('a', 'gpu/3'), 1);
    await grow(store, A, 1);
    assert.deepEqual((await store.shards()).toSorted(), [SHARD, 'gpu/3']);
    await store.deleteStream(A);
    assert.deepEqual(await store.shards(), ['gpu/3']);
  }),
];

const following: readonly Case<StoreAdminSubject>[] = [
  admin('who follows a shard hears its new records, in order, each once', async (store, subject) => {
    await subject.claim('default/1', 1);
    await grow(store, A, 3);
    const [one, two] = [listening(store, SHARD), listening(store, SHARD)];
    await grow(store, streamOf('desk/a', 'default/1'), 2);
    await grow(store, A, 400);
    await grow(store, B, 2);
    await grow(store, A, 1);
    const expected = [
      ...range(4, 403).map((seq) => `${SHARD} desk/a ${seq}`),
      `${SHARD} desk/b 1`,
      `${SHARD} desk/b 2`,
      `${SHARD} desk/a 404`,
    ];
    for (const { heard } of [one, two]) {
      await until(subject, 'all is heard', () => heard.length >= expected.length);
      assert.deepEqual(heard, expected);
    }
    await one.stop();
    await grow(store, A, 1);
    await until(subject, 'the other one hears on', () => two.heard.length > expected.length);
    assert.deepEqual([one.heard.length, two.heard.at(-1)], [expected.length, `${SHARD} desk/a 405`]);
    await two.stop();
  }),

  admin('a follower goes on over truncated and deleted streams', async (store, subject) => {
    await grow(store, A, 3);
    await save(store, A, 3);
    const follower = listening(store, SHARD);
    await grow(store, B, 1);
    await until(subject, 'the first', () => follower.heard.length === 1);
    await store.truncateBefore(A, 3);
    await store.deleteStream(B);
    await grow(store, A, 1);
    await until(subject, 'the second', () => follower.heard.length === 2);
    assert.deepEqual(follower.heard, [`${SHARD} desk/b 1`, `${SHARD} desk/a 4`]);
    await follower.stop();
  }),

  admin('a follower ends with its signal, with the store, and when it has heard enough', async (store, subject) => {
    const before = new AbortController();
    before.abort();
    assert.deepEqual(await all(store.follow(SHARD, before.signal)), []);
    const brief = (async () => {
      for await (const { record: first } of store.follow(SHARD, new AbortController().signal)) return first.seq;
      return 0;
    })();
    await subject.passes();
    await grow(store, A, 5);
    assert.equal(await brief, 1);
    const last = all(store.follow(SHARD, new AbortController().signal));
    await subject.passes();
    await store.close();
    assert.deepEqual(await last, []);
  }),
];

const elsewhere = importedShard('prod 2026-01-01');
const from = (log: readonly LogRecord[], after = 0): StreamImport => ({ after, checkpoint: undefined, records: given(log) });

const importing: readonly Case<StoreAdminSubject>[] = [
  admin('a log from elsewhere is read as it was, beside a living actor of that name', async (store) => {
    await grow(store, A, 2);
    const log = [...records(0, 300, 1), ...records(300, 300, 7)];
    assert.equal(await store.importStream({ ...A, shard: elsewhere }, from(log)), 600);
    assert.deepEqual(await all(store.read({ ...A, shard: elsewhere }, 1)), log);
    assert.deepEqual(await store.head({ ...A, shard: elsewhere }), { head: 600, epoch: 7 });
    assert.deepEqual(await seqs(store.read(A, 1)), [1, 2]);
    assert.deepEqual((await store.shards()).toSorted(), [elsewhere, SHARD].toSorted());
    assert.deepEqual(
      (await all(store.streams(elsewhere))).map((s) => s.actor),
      [A.actor],
    );
  }),

  admin('a log without its beginning comes with its checkpoint', async (store) => {
    const stream = { ...A, shard: elsewhere };
    const checkpoint = { seq: 500, epoch: 2, wakeAt: 9, leaf: true, tombstone: false, bytes: BYTES };
    assert.equal(await store.importStream(stream, { ...from(records(500, 3, 2), 500), checkpoint }), 3);
    assert.deepEqual(await seqs(store.read(stream, 1)), [501, 502, 503]);
    const saved = await store.loadCheckpoint(stream);
    assert.deepEqual([saved?.seq, saved?.epoch, saved?.wakeAt, saved?.leaf], [500, 2, 9, true]);
    assert.deepEqual(Uint8Array.from(saved?.bytes ?? []), BYTES);
  }),

  admin('nothing can be appended to it, whatever the epoch', async (store, subject) => {
    const stream = { ...A, shard: elsewhere };
    await store.importStream(stream, from(records(0, 2)));
    await subject.claim(elsewhere, 1).catch(() => undefined);
    for (const epoch of [-1, 0, 1, 2])
      assert.equal((await store.append(stream, 2, epoch, records(2, 1, epoch))).outcome, 'refused');
    assert.equal(await store.saveCheckpoint(stream, 2, 1, CLEAN, BYTES), 'refused');
  }),

  admin('a second log of the same name and actor is refused; deleted, it may come again', async (store) => {
    const stream = { ...A, shard: elsewhere };
    await store.importStream(stream, from(records(0, 2)));
    await assert.rejects(store.importStream(stream, from(records(0, 3))), conflict);
    assert.deepEqual(await seqs(store.read(stream, 1)), [1, 2]);
    assert.equal(await store.importStream({ ...B, shard: elsewhere }, from(records(0, 1))), 1);
    await store.deleteStream(stream);
    assert.deepEqual(await store.head(stream), { head: 0, epoch: 0 });
    assert.equal(await store.importStream(stream, from(records(0, 3))), 3);
  }),

  admin('of two logs of the same name and actor that come at once, one is there, whole', async (store) => {
    const stream = { ...A, shard: elsewhere };
    const imports = await Promise.allSettled([300, 700].map((count) => store.importStream(stream, from(records(0, count)))));
    const failed = imports.filter((result) => result.status === 'rejected');
    assert.deepEqual(
      failed.map((result) => conflict(result.reason)),
      [true],
    );
    const [count] = imports.flatMap((result) => (result.status === 'fulfilled' ? result.value : []));
    assert.deepEqual(await seqs(store.read(stream, 1)), range(1, count ?? 0));
  }),

  admin('of a log that breaks off, or is not dense, nothing stays', async (store) => {
    const stream = { ...A, shard: elsewhere };
    const broken = async function* (): AsyncGenerator<LogRecord> {
      yield* given(records(0, 10));
      throw new RangeError('line 11 is garbage');
    };
    await assert.rejects(store.importStream(stream, { ...from([]), records: broken() }), RangeError);
    await assert.rejects(store.importStream(stream, from([record(1), record(3)])), (error) => isMeshError(error, 'INTERNAL'));
    assert.deepEqual(await store.shards(), []);
    assert.deepEqual(await store.head(stream), { head: 0, epoch: 0 });
    assert.equal(await store.importStream(stream, from(records(0, 1))), 1);
  }),

  admin('a living shard takes no log from elsewhere', async (store) => {
    await assert.rejects(store.importStream(A, from(records(0, 2))), (error) => isMeshError(error, 'INTERNAL'));
    assert.deepEqual(await store.head(A), { head: 0, epoch: 0 });
  }),
];

const backing: readonly Case<StoreAdminSubject>[] = [
  admin(
    'a backup is what was there at one instant, made while others write',
    async (store, subject) => {
      await grow(store, A, 2_000);
      await save(store, A, 1_500);
      const path = subject.backupPath();
      let backed = false;
      const backup = store.backup(path).then(() => (backed = true));
      while (!backed) await grow(store, B, 7);
      await backup;
      const copy = await subject.openBackup(path);
      assert.deepEqual(await all(copy.read(A, 1)), records(0, 2_000));
      assert.equal((await copy.loadCheckpoint(A))?.seq, 1_500);
      const { head } = await copy.head(B);
      assert.equal(head % 7, 0);
      assert.deepEqual(await seqs(copy.read(B, 1)), range(1, head));
    },
    ['backup'],
  ),

  admin(
    'a backup overwrites nothing',
    async (store, subject) => {
      await grow(store, A, 3);
      const path = subject.backupPath();
      await store.backup(path);
      await grow(store, A, 1);
      await assert.rejects(store.backup(path), (error) => isMeshError(error, 'USAGE'));
      const copy = await subject.openBackup(path);
      assert.deepEqual(await seqs(copy.read(A, 1)), [1, 2, 3]);
    },
    ['backup'],
  ),
];

export const storeAdminCases: readonly Case<StoreAdminSubject>[] = [
  ...truncating,
  ...deleting,
  ...following,
  ...importing,
  ...backing,
];
