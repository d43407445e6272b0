/** What every `EventStore` keeps: dense logs, fences, checkpoints that only go forward. */
import assert from 'node:assert/strict';
import type { Shard } from '../../core/address.ts';
import { isMeshError } from '../../core/errors.ts';
import type { AppendResult, Checkpoint, CheckpointMeta, EventStore, StreamState } from '../../core/ports/event-store.ts';
import { type Case, caseOf } from './case.ts';
import { all, ODD, range, record, records, seqs, SHARD, streamOf } from './records.ts';

export interface EventStoreSubject {
  readonly store: EventStore;
  /** Makes `epoch` the one at which the shard is claimed; -1 releases it. Without a claim fence it does nothing. */
  claim(shard: Shard, epoch: number): Promise<void>;
  /** Closes the store and opens its data again (needs `reopen`). */
  reopen(): Promise<EventStore>;
  close(): Promise<void>;
}

const A = streamOf('desk/a');
const B = streamOf('desk/b');
const CLEAN: CheckpointMeta = { wakeAt: undefined, leaf: false };
const BYTES = Uint8Array.from({ length: 256 }, (_, i) => i);

const store = (name: string, body: (store: EventStore, subject: EventStoreSubject) => Promise<void>, needs?: string[]) => ({
  ...caseOf<EventStoreSubject>(name, async (subject) => {
    await subject.claim(SHARD, 1);
    await body(subject.store, subject);
  }),
  ...(needs !== undefined && { needs }),
});

async function refused(result: Promise<AppendResult>, head: number, epoch: number): Promise<void> {
  assert.deepEqual(await result, { outcome: 'refused', head, epoch });
}
async function done(result: Promise<AppendResult>, head: number): Promise<void> {
  assert.deepEqual(await result, { outcome: 'done', head });
}
async function stateOf(from: EventStore, actor: string): Promise<StreamState | undefined> {
  return (await all(from.streams(SHARD))).find((s) => s.actor === actor);
}

const appending: readonly Case<EventStoreSubject>[] = [
  store('a stream without records has head 0 and epoch 0, and looking at it makes none', async (s) => {
    assert.deepEqual(await s.head(A), { head: 0, epoch: 0 });
    assert.deepEqual(await seqs(s.read(A, 1)), []);
    assert.equal(await s.loadCheckpoint(A), undefined);
    assert.deepEqual(await all(s.streams(SHARD)), []);
  }),

  store('what was appended is read, in order, as JSON keeps it', async (s) => {
    const log = ODD.map((event, i) => record(i + 1, 1, event));
    await done(s.append(A, 0, 1, log.slice(0, 2)), 2);
    await done(s.append(A, 2, 1, log.slice(2)), log.length);
    assert.deepEqual(await all(s.read(A, 1)), JSON.parse(JSON.stringify(log)));
    assert.deepEqual(await s.head(A), { head: log.length, epoch: 1 });
  }),

  store('neither what was appended nor what was read is shared with the store', async (s) => {
    const mutable = record(1) as unknown as { seq: number; event: { n: unknown } };
    const appended = s.append(A, 0, 1, [mutable as never]);
    mutable.event.n = 'changed while it is written';
    await done(appended, 1);
    const [first] = (await all(s.read(A, 1))) as unknown as (typeof mutable)[];
    assert.equal(first?.event.n, 1);
    if (first !== undefined) first.event.n = 'changed by a reader';
    assert.deepEqual(await all(s.read(A, 1)), [record(1)]);
  }),

  store('a range is read, and nothing beyond the head', async (s) => {
    await done(s.append(A, 0, 1, records(0, 1_000)), 1_000);
    assert.deepEqual(await seqs(s.read(A, 1)), range(1, 1_000));
    assert.deepEqual(await seqs(s.read(A, 257, 600)), range(257, 600));
    assert.deepEqual(await seqs(s.read(A, 999, 5_000)), [999, 1_000]);
    assert.deepEqual(await seqs(s.read(A, 1_000, 1_000)), [1_000]);
    assert.deepEqual(await seqs(s.read(A, 1_001)), []);
    assert.deepEqual(await seqs(s.read(A, 5, 4)), []);
  }),

  store('an append that expects another head is refused, and leaves nothing', async (s) => {
    await done(s.append(A, 0, 1, records(0, 3)), 3);
    await refused(s.append(A, 2, 1, records(2, 2)), 3, 1);
    await refused(s.append(A, 4, 1, records(4, 1)), 3, 1);
    await refused(s.append(B, 1, 1, records(1, 1)), 0, 0);
    assert.deepEqual(await seqs(s.read(A, 1)), [1, 2, 3]);
    assert.deepEqual(
      (await all(s.streams(SHARD))).map((x) => x.actor),
      [A.actor],
    );
  }),

  store('an append that is repeated after its answer was lost is refused, and the log tells that it is there', async (s) => {
    const batch = records(0, 3);
    await done(s.append(A, 0, 1, batch), 3);
    await refused(s.append(A, 0, 1, batch), 3, 1);
    assert.deepEqual(await all(s.read(A, 1)), batch);
  }),

  store('a batch that is empty, too large or not dense is an error, and leaves nothing', async (s) => {
    for (const batch of [[], records(0, 4_097), [record(2)], [record(1), record(3)], [record(1), record(1)]])
      await assert.rejects(
        async () => s.append(A, 0, 1, batch),
        (error) => isMeshError(error, 'INTERNAL'),
      );
    assert.deepEqual(await s.head(A), { head: 0, epoch: 0 });
  }),

  store('the largest batch is one append', async (s) => {
    await done(s.append(A, 0, 1, records(0, 4_096)), 4_096);
    await done(s.append(A, 4_096, 1, records(4_096, 4_096)), 8_192);
    assert.deepEqual(await seqs(s.read(A, 4_000)), range(4_000, 8_192));
  }),

  store('of appends that expect the same head, one is done', async (s) => {
    const results = await Promise.all(range(1, 20).map(() => s.append(A, 0, 1, records(0, 2))));
    assert.equal(results.filter((r) => r.outcome === 'done').length, 1);
    assert.equal(results.filter((r) => r.outcome === 'refused').length, 19);
    assert.deepEqual(await all(s.read(A, 1)), records(0, 2));
  }),

  store('appends of one turn have a verdict each: what is refused or wrong spoils nothing', async (s) => {
    await done(s.append(B, 0, 1, records(0, 1)), 1);
    const streams = range(1, 300).map((i) => streamOf(`desk/case/${i}`));
    const good = streams.map((stream) => s.append(stream, 0, 1, records(0, 2)));
    const bad = s.append(B, 0, 1, records(0, 5));
    const wrong = assert.rejects(async () => s.append(B, 1, 1, [{ ...record(2), big: 1n } as never]));
    const late = s.append(B, 1, 1, records(1, 1));
    for (const result of good) await done(result, 2);
    await refused(bad, 1, 1);
    await wrong;
    await done(late, 2);
    for (const stream of streams) assert.deepEqual(await s.head(stream), { head: 2, epoch: 1 });
  }),

  store('a stream grows by many appends, each seen by the next', async (s) => {
    for (const n of range(0, 199)) await done(s.append(A, n, 1, records(n, 1)), n + 1);
    assert.deepEqual(await all(s.read(A, 1)), records(0, 200));
  }),

  store('reading while the stream grows gives a dense beginning of it, and a reader that stops early harms nobody', async (s) => {
    await done(s.append(A, 0, 1, records(0, 600)), 600);
    const seen: number[] = [];
    for await (const { seq } of s.read(A, 1)) {
      seen.push(seq);
      if (seq % 200 === 0 && seq <= 600) {
        const { head } = await s.head(A);
        await done(s.append(A, head, 1, records(head, 10)), head + 10);
      }
    }
    assert.ok(seen.length >= 600);
    assert.deepEqual(seen, range(1, seen.length));
    for await (const { seq } of s.read(A, 1)) if (seq === 3) break;
    await done(s.append(A, 630, 1, records(630, 1)), 631);
  }),

  store('names of actors and shards are kept apart, whatever they look like', async (s, subject) => {
    const actors = ['a', 'A', 'a/b', 'a%2Fb', 'a/b@4.0', '@root', '~', 'a_b', 'a%', `long/${'x'.repeat(500)}`];
    const shards = [SHARD, 'default/00', 'default/1', 'default/10', 'DEFAULT/0', 'gpu/0'];
    for (const shard of shards) {
      await subject.claim(shard, shard === SHARD ? 2 : 1);
      for (const [i, actor] of actors.entries())
        await done(s.append({ shard, actor }, 0, shard === SHARD ? 2 : 1, [record(1, 1, { is: `${shard} ${i}` })]), 1);
    }
    for (const shard of shards) {
      assert.deepEqual((await all(s.streams(shard))).map((x) => x.actor).toSorted(), actors.toSorted());
      for (const [i, actor] of actors.entries())
        assert.deepEqual(await all(s.read({ shard, actor }, 1)), [record(1, 1, { is: `${shard} ${i}` })]);
    }
    assert.deepEqual(await all(s.streams('default')), []);
  }),

  store('every stream of a shard is listed, once', async (s) => {
    const actors = range(1, 700).map((i) => `case/${i}`);
    await Promise.all(actors.map((actor) => s.append(streamOf(actor), 0, 1, records(0, 1))));
    const listed = await all(s.streams(SHARD));
    assert.deepEqual(listed.map((x) => x.actor).toSorted(), actors.toSorted());
    assert.deepEqual(
      listed.find((x) => x.actor === 'case/1'),
      { ...streamOf('case/1'), head: 1, epoch: 1, checkpointSeq: 0, wakeAt: undefined, dirty: true, tombstone: false },
    );
  }),
];

const fencing: readonly Case<EventStoreSubject>[] = [
  store('an epoch below the last one of the stream writes nothing', async (s, subject) => {
    await done(s.append(A, 0, 1, records(0, 1)), 1);
    await subject.claim(SHARD, 3);
    await done(s.append(A, 1, 3, records(1, 1, 3)), 2);
    for (const epoch of [1, 2]) {
      await refused(s.append(A, 2, epoch, records(2, 1, epoch)), 2, 3);
      assert.equal(await s.saveCheckpoint(A, 2, epoch, CLEAN, BYTES), 'refused');
    }
    assert.deepEqual(await s.head(A), { head: 2, epoch: 3 });
    await done(s.append(A, 2, 3, records(2, 1, 3)), 3);
  }),

  store('a checkpoint of a new epoch fences like a record', async (s, subject) => {
    await done(s.append(A, 0, 1, records(0, 2)), 2);
    await subject.claim(SHARD, 2);
    assert.equal(await s.saveCheckpoint(A, 1, 2, CLEAN, BYTES), 'saved');
    await refused(s.append(A, 2, 1, records(2, 1)), 2, 2);
    assert.deepEqual(await s.head(A), { head: 2, epoch: 2 });
  }),

  store(
    'a claim fences all streams of its shard at once, also those that have no record yet, and no other shard',
    async (s, subject) => {
      const other = streamOf('desk/a', 'default/1');
      await subject.claim(other.shard, 1);
      await done(s.append(A, 0, 1, records(0, 1)), 1);
      await subject.claim(SHARD, 2);
      await refused(s.append(A, 1, 1, records(1, 1)), 1, 1);
      await refused(s.append(B, 0, 1, records(0, 1)), 0, 0);
      assert.equal(await s.saveCheckpoint(A, 1, 1, CLEAN, BYTES), 'refused');
      await refused(s.append(A, 1, 3, records(1, 1, 3)), 1, 1);
      await done(s.append(other, 0, 1, records(0, 1)), 1);
      await done(s.append(A, 1, 2, records(1, 1, 2)), 2);
      await done(s.append(B, 0, 2, records(0, 1, 2)), 1);
    },
    ['claimFence'],
  ),

  store(
    'in a shard that nobody holds, or that was released, nothing is written',
    async (s, subject) => {
      await refused(s.append(streamOf('x', 'default/7'), 0, 1, records(0, 1)), 0, 0);
      await done(s.append(A, 0, 1, records(0, 1)), 1);
      await subject.claim(SHARD, -1);
      for (const epoch of [0, 1, 2]) await refused(s.append(A, 1, epoch, records(1, 1, epoch)), 1, 1);
      assert.equal(await s.saveCheckpoint(A, 1, 1, CLEAN, BYTES), 'refused');
    },
    ['claimFence'],
  ),

  store(
    'an append that a claim overtakes is refused or in the log, never half of it',
    async (s, subject) => {
      const [early, , late] = await Promise.all([
        s.append(A, 0, 1, records(0, 3)),
        subject.claim(SHARD, 2),
        s.append(B, 0, 1, records(0, 3)),
      ]);
      for (const [stream, result] of [
        [A, early],
        [B, late],
      ] as const)
        assert.deepEqual(await seqs(s.read(stream, 1)), result.outcome === 'done' ? [1, 2, 3] : []);
      await refused(s.append(streamOf('c'), 0, 1, records(0, 1)), 0, 0);
    },
    ['claimFence'],
  ),
];

const checkpoints: readonly Case<EventStoreSubject>[] = [
  store('a checkpoint is given back as it was saved', async (s) => {
    await done(s.append(A, 0, 1, records(0, 5)), 5);
    const bytes = Uint8Array.from(BYTES);
    const saving = s.saveCheckpoint(A, 3, 1, { wakeAt: 1_764_000_000_000.5, leaf: true }, bytes);
    bytes.fill(0);
    assert.equal(await saving, 'saved');
    const saved = (await s.loadCheckpoint(A)) as Checkpoint;
    assert.deepEqual([saved.seq, saved.epoch, saved.wakeAt, saved.leaf], [3, 1, 1_764_000_000_000.5, true]);
    assert.notEqual(saved.tombstone, true);
    assert.deepEqual(Uint8Array.from(saved.bytes), BYTES);
    saved.bytes.fill(0);
    assert.deepEqual(Uint8Array.from((await s.loadCheckpoint(A))?.bytes ?? []), BYTES);
    assert.equal(await s.loadCheckpoint(B), undefined);
  }),

  store('a later checkpoint takes the place of the earlier one', async (s) => {
    await done(s.append(A, 0, 1, records(0, 5)), 5);
    assert.equal(await s.saveCheckpoint(A, 2, 1, { wakeAt: 5, leaf: true }, BYTES), 'saved');
    assert.equal(await s.saveCheckpoint(A, 5, 1, CLEAN, new Uint8Array(0)), 'saved');
    const saved = await s.loadCheckpoint(A);
    assert.deepEqual([saved?.seq, saved?.wakeAt, saved?.leaf, saved?.bytes.length], [5, undefined, false, 0]);
  }),

  store('a checkpoint goes only forward, and covers only what is durable', async (s) => {
    await done(s.append(A, 0, 1, records(0, 5)), 5);
    assert.equal(await s.saveCheckpoint(B, 0, 1, CLEAN, BYTES), 'refused');
    assert.equal(await s.saveCheckpoint(A, 6, 1, CLEAN, BYTES), 'refused');
    assert.equal(await s.saveCheckpoint(A, 3, 1, CLEAN, BYTES), 'saved');
    for (const seq of [0, 2, 3]) assert.equal(await s.saveCheckpoint(A, seq, 1, CLEAN, new Uint8Array(1)), 'refused');
    const saved = await s.loadCheckpoint(A);
    assert.deepEqual([saved?.seq, saved?.bytes.length], [3, BYTES.length]);
  }),

  store('two saves at once: the higher one stands', async (s) => {
    await done(s.append(A, 0, 1, records(0, 5)), 5);
    const answers = await Promise.all([
      s.saveCheckpoint(A, 4, 1, CLEAN, new Uint8Array(4)),
      s.saveCheckpoint(A, 2, 1, CLEAN, new Uint8Array(2)),
    ]);
    assert.deepEqual(answers[0], 'saved');
    assert.equal((await s.loadCheckpoint(A))?.seq, 4);
  }),

  store('a tombstone is the checkpoint of its head, and no lower one replaces it', async (s) => {
    await done(s.append(A, 0, 1, records(0, 5)), 5);
    assert.equal(await s.saveCheckpoint(A, 5, 1, { wakeAt: 77, leaf: false, tombstone: true }, BYTES), 'saved');
    assert.equal(await s.saveCheckpoint(A, 4, 1, CLEAN, BYTES), 'refused');
    assert.equal((await s.loadCheckpoint(A))?.tombstone, true);
    const state = await stateOf(s, A.actor);
    assert.deepEqual([state?.tombstone, state?.dirty, state?.wakeAt], [true, false, 77]);
  }),

  store('a stream is dirty above its checkpoint, or when that holds a leaf', async (s) => {
    const seen = async (): Promise<unknown[]> => {
      const state = await stateOf(s, A.actor);
      return [state?.head, state?.checkpointSeq, state?.dirty, state?.wakeAt];
    };
    await done(s.append(A, 0, 1, records(0, 2)), 2);
    assert.deepEqual(await seen(), [2, 0, true, undefined]);
    assert.equal(await s.saveCheckpoint(A, 1, 1, { wakeAt: 10, leaf: false }, BYTES), 'saved');
    assert.deepEqual(await seen(), [2, 1, true, 10]);
    assert.equal(await s.saveCheckpoint(A, 2, 1, { wakeAt: 20, leaf: false }, BYTES), 'saved');
    assert.deepEqual(await seen(), [2, 2, false, 20]);
    await done(s.append(A, 2, 1, records(2, 1)), 3);
    assert.deepEqual(await seen(), [3, 2, true, 20]);
    assert.equal(await s.saveCheckpoint(A, 3, 1, { wakeAt: undefined, leaf: true }, BYTES), 'saved');
    assert.deepEqual(await seen(), [3, 3, true, undefined]);
  }),
];

const lasting: readonly Case<EventStoreSubject>[] = [
  store(
    'what was acknowledged is there when the store is opened again, and so are its fences',
    async (s, subject) => {
      await done(s.append(A, 0, 1, records(0, 3)), 3);
      assert.equal(await s.saveCheckpoint(A, 2, 1, { wakeAt: 42, leaf: true }, BYTES), 'saved');
      await subject.claim(SHARD, 5);
      await done(s.append(B, 0, 5, records(0, 1, 5)), 1);
      const again = await subject.reopen();
      assert.deepEqual(await all(again.read(A, 1)), records(0, 3));
      assert.deepEqual(Uint8Array.from((await again.loadCheckpoint(A))?.bytes ?? []), BYTES);
      assert.deepEqual(await stateOf(again, A.actor), {
        ...A,
        head: 3,
        epoch: 1,
        checkpointSeq: 2,
        wakeAt: 42,
        dirty: true,
        tombstone: false,
      });
      assert.deepEqual(await again.head(B), { head: 1, epoch: 5 });
      await refused(again.append(B, 1, 1, records(1, 1)), 1, 5);
      await subject.claim(SHARD, 6);
      await done(again.append(A, 3, 6, records(3, 1, 6)), 4);
    },
    ['reopen'],
  ),

  store('what was asked before the close is written, and after it nothing is answered', async (s) => {
    const last = s.append(A, 0, 1, records(0, 1));
    await s.close();
    await done(last, 1);
    for (const late of [
      async () => s.append(A, 1, 1, records(1, 1)),
      async () => s.head(A),
      async () => all(s.read(A, 1)),
      async () => all(s.streams(SHARD)),
      async () => s.loadCheckpoint(A),
      async () => s.saveCheckpoint(A, 1, 1, CLEAN, BYTES),
    ])
      await assert.rejects(late, (error) => isMeshError(error, 'STORE_UNAVAILABLE'));
    await s.close();
  }),
];

export const eventStoreCases: readonly Case<EventStoreSubject>[] = [...appending, ...fencing, ...checkpoints, ...lasting];
