/** The clockwork of sessions and claims when the directory answers late, wrong or not at all. */
import { expect, test } from 'vitest';
import type { Shard } from '../../core/address.ts';
import { MeshError } from '../../core/errors.ts';
import { Ownership, type OwnershipOptions } from '../../core/node/ownership.ts';
import type { Directory } from '../../core/ports/directory.ts';
import { seededEntropy, type Timeline, timeline } from '../../core/testing/virtual.ts';
import { memory, type MemoryStore } from '../../persistence/memory.ts';

interface Owner {
  readonly time: Timeline;
  readonly store: MemoryStore;
  readonly ownership: Ownership;
  readonly heard: string[];
  /** What waits for the session, as cells do. */
  readonly waiting: (() => void)[];
}

/** `faults`: calls of the directory that do not do what they should. */
function owner(
  faults: (store: MemoryStore, time: Timeline) => Partial<Directory>,
  options: Partial<OwnershipOptions> = {},
): Owner {
  const time = timeline();
  const clock = time.clock();
  const store = memory({ now: () => clock.now() });
  const heard: string[] = [];
  const waiting: (() => void)[] = [];
  const directory: Directory = {
    renew: (session) => store.renew(session),
    end: (session, counter) => store.end(session, counter),
    sessions: () => store.sessions(),
    claims: () => store.claims(),
    claim: (claim, expected) => store.claim(claim, expected),
    watch: (changed) => store.watch(changed),
    constant: (name, value) => store.constant(name, value),
    ...faults(store, time),
  };
  const ownership = new Ownership({
    node: 'n1',
    endpoint: '',
    groups: ['default'],
    shards: 2,
    store,
    directory,
    clock,
    entropy: seededEntropy(1),
    claimed: async (shard) => void heard.push(`claimed ${shard}`),
    lost: (shard, reason) => void heard.push(`lost ${shard}: ${reason}`),
    renewed: () => {
      for (const fn of waiting.splice(0)) fn();
    },
    sessionEnded: () => void heard.push('ended'),
    stalled: (error) => void heard.push(error === undefined ? 'answers' : `${error.code}: ${error.message}`),
    ...options,
  });
  return { time, store, ownership, heard, waiting };
}
const CLAIMED = ['claimed default/0', 'claimed default/1'];
const unavailable = (): MeshError => new MeshError('STORE_UNAVAILABLE', 'no store');
/** Another node, as it stands in the directory. */
const other = (counter: number) => ({ node: 'n2', session: 'n2~1', counter, endpoint: '', groups: ['default'] });

test('a renewal whose answer is lost ends no session: the next one has a counter of its own', async () => {
  let n = 0;
  const { time, ownership, heard } = owner((store) => ({
    renew: async (session) => {
      const answer = await store.renew(session);
      if (++n === 4) throw unavailable();
      return answer;
    },
  }));
  await time.run(ownership.start());
  await time.advance(20_000);
  expect(heard.filter((line) => !/answers|the directory/.test(line))).toEqual(CLAIMED);
  expect(ownership.mayAct('default/0', 1)).toBe(true);
});

test('without renewals nothing may act past the deadline; the first one that succeeds lets it go on', async () => {
  let n = 0;
  const { time, ownership, heard, waiting } = owner((store) => ({
    renew: (session) => (++n > 3 && n < 9 ? Promise.reject(unavailable()) : store.renew(session)),
  }));
  await time.run(ownership.start());
  expect(ownership.mayAct('default/0', 1)).toBe(true);
  await time.advance(4_500);
  expect(ownership.mayAct('default/0', 1)).toBe(false);
  waiting.push(() => heard.push('goes on'));
  await time.advance(5_000);
  expect(ownership.mayAct('default/0', 1)).toBe(true);
  expect(heard.filter((line) => line === 'goes on')).toEqual(['goes on']);
});

test('what waits goes on when the deadline passed only while a renewal was on its way', async () => {
  let n = 0;
  const { time, store, ownership, waiting, heard } = owner((store, time) => ({
    renew: async (session) => {
      if (++n !== 4) return store.renew(session);
      await new Promise<void>((resolve) => {
        time.clock().after(2_000, resolve);
      });
      return store.renew(session);
    },
  }));
  await time.run(ownership.start());
  await time.advance(3_700);
  expect(ownership.mayAct('default/0', 1)).toBe(false);
  waiting.push(() => heard.push('goes on'));
  await time.advance(400);
  expect(ownership.mayAct('default/0', 1)).toBe(true);
  // The directory tells of a change: it is looked at before the next renewal is due.
  await store.renew(other(1));
  await time.advance(3_000);
  expect(heard).toContain('goes on');
});

test('a renewal that is heard of a TTL later lets nothing go on: the session was ended meanwhile, and another node has claimed', async () => {
  let n = 0;
  let answer: (() => void) | undefined;
  const { time, store, ownership, heard, waiting } = owner((store) => ({
    renew: async (session) => {
      const renewal = await store.renew(session);
      if (++n === 4)
        await new Promise<void>((resolve) => {
          answer = resolve;
        });
      return renewal;
    },
  }));
  await time.run(ownership.start());
  await time.advance(1_500);
  waiting.push(() => heard.push('goes on'));
  await time.advance(5_000);
  const [session] = await store.sessions();
  expect(await store.end(session?.session ?? '', session?.counter ?? 0)).toBe('ended');
  await store.renew(other(1));
  await store.claim({ shard: 'default/0', epoch: 2, session: 'n2~1', node: 'n2' }, 1);
  answer?.();
  const told = 'DIRECTORY_UNAVAILABLE: the directory does not let n1 renew its session: no answer for 3000 ms';
  // Before the next renewal tells that the session is over.
  await time.advance(500);
  expect(heard).toEqual([...CLAIMED, told, 'answers', 'lost default/0: another node claimed it']);
  expect([ownership.mayAct('default/0', 1), ownership.mayAct('default/1', 1)]).toEqual([false, false]);
  await time.advance(1_500);
  expect(heard.slice(5, 7)).toEqual(['lost default/1: the session was ended', 'ended']);
});

test('a directory that fails is told once, and once when it answers again', async () => {
  let fails = false;
  const { time, ownership, heard } = owner((store) => ({
    renew: (session) => (fails ? Promise.reject(unavailable()) : store.renew(session)),
    claims: () => (fails ? Promise.reject(unavailable()) : store.claims()),
  }));
  await time.run(ownership.start());
  fails = true;
  await time.advance(30_000);
  const told = 'STORE_UNAVAILABLE: the directory does not let n1 renew its session: no store';
  expect(heard).toEqual([...CLAIMED, told]);
  fails = false;
  await time.advance(30_000);
  expect(heard).toEqual([...CLAIMED, told, 'answers']);
});

test('a directory that lets it renew but not look is told too, and not anew at each renewal', async () => {
  let fails = false;
  const { time, ownership, heard } = owner((store) => ({
    claims: () => (fails ? Promise.reject(unavailable()) : store.claims()),
  }));
  await time.run(ownership.start());
  fails = true;
  await time.advance(30_000);
  fails = false;
  await time.advance(5_000);
  const told = 'STORE_UNAVAILABLE: the directory does not let n1 look after the shards: no store';
  expect(heard).toEqual([...CLAIMED, told, 'answers']);
});

test('a directory that never answers is told after a TTL', async () => {
  let n = 0;
  const { time, ownership, heard } = owner((store) => ({
    renew: (session) => (++n > 3 ? new Promise(() => undefined) : store.renew(session)),
  }));
  await time.run(ownership.start());
  await time.advance(4_500);
  expect(heard).toEqual(CLAIMED);
  await time.advance(1_000);
  expect(heard.at(-1)).toBe('DIRECTORY_UNAVAILABLE: the directory does not let n1 renew its session: no answer for 3000 ms');
});

test('a start whose first look fails throws, and leaves nothing that goes on', async () => {
  const { time, ownership, heard } = owner(() => ({ claims: () => Promise.reject(unavailable()) }));
  await expect(time.run(ownership.start())).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  expect(time.pending()).toBe(0);
  expect(heard).toEqual([]);
});

test('a recovery that takes long keeps nobody from renewing, nor from claiming what falls to this node meanwhile', async () => {
  let done: (() => void) | undefined;
  const claimed: Shard[] = [];
  const { time, store, ownership, heard } = owner(() => ({}), {
    claimed: (shard) =>
      new Promise((resolve) => {
        claimed.push(shard);
        done = resolve;
      }),
  });
  await store.renew(other(1));
  const start = ownership.start();
  await time.advance(20_000);
  // The other one never renewed: its session is over, and its shards are taken while the first ones are still being recovered.
  expect(claimed.toSorted()).toEqual(['default/0', 'default/1']);
  expect(heard).toEqual([]);
  for (const shard of claimed) expect(ownership.mayAct(shard, 1)).toBe(true);
  done?.();
  void start;
});

test('a session that opens while a node looks is not taken for dead', async () => {
  let calls = 0;
  const { time, ownership, heard } = owner((store) => ({
    sessions: async () => {
      const sessions = await store.sessions();
      // Right after they were read for the claims, another node opens its session and claims.
      if (++calls === 2) {
        await store.renew(other(1));
        await store.claim({ shard: 'default/0', epoch: 1, session: 'n2~1', node: 'n2' }, 0);
      }
      return sessions;
    },
  }));
  await time.run(ownership.start());
  await time.advance(2_000);
  expect(heard).toEqual(['claimed default/1']);
  expect(ownership.ownerOf('default/0')).toBe('n2');
});

test('what is claimed under a session that ends meanwhile is claimed anew under the next one', async () => {
  let release: (() => void) | undefined;
  const { time, store, ownership, heard } = owner((store) => ({
    claim: async (claim, expected) => {
      const answer = await store.claim(claim, expected);
      if (claim.epoch === 1 && claim.shard === 'default/0')
        await new Promise<void>((resolve) => {
          release = resolve;
        });
      return answer;
    },
  }));
  const start = ownership.start();
  await time.advance(500);
  for (const { session, counter } of await store.sessions()) await store.end(session, counter);
  await time.advance(1_000);
  expect(heard).toEqual(['ended']);
  release?.();
  await time.run(start);
  await time.advance(2_000);
  expect(heard).toEqual(['ended', ...CLAIMED]);
  expect([ownership.mayAct('default/0', 1), ownership.mayAct('default/0', 2)]).toEqual([false, true]);
});
