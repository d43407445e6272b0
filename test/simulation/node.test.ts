/** A node when what is around it fails: its mailboxes, its directory, its hooks; and how much it does at once. */
import { describe, expect, test } from 'vitest';
import type { MeshError } from '../../core/errors.ts';
import type { Logic } from '../../core/logic.ts';
import type { Node, NodeOptions } from '../../core/node.ts';
import type { Clock } from '../../core/ports/clock.ts';
import type { LogRecord } from '../../core/record.ts';
import { reducer } from '../../core/reducer.ts';
import { sendTo, spawn, timer, World, type WorldOptions } from './world.ts';

const HOUR = 3_600_000;
const emit = { kind: 'emit' as const, event: { type: 'news' } };

const pause = (clock: Clock, ms: number): Promise<void> =>
  new Promise((resolve) => {
    clock.after(ms, resolve);
  });

/** Opening an actor takes so long, and how many are opened at once is counted. */
function slow(options: NodeOptions, ms: number, seen: { most: number }): NodeOptions {
  let open = 0;
  return {
    ...options,
    store: {
      ...options.store,
      loadCheckpoint: async (stream) => {
        seen.most = Math.max(seen.most, ++open);
        await pause(options.clock, ms);
        open--;
        return options.store.loadCheckpoint(stream);
      },
    },
  };
}

describe('a takeover', () => {
  test('whose mailboxes cannot be opened at first goes on until they are: the shard is received and recovered', async () => {
    let failures = 0;
    const world = new World({
      made: (o) => ({
        ...o,
        mailboxes: {
          ...o.mailboxes,
          open: (shard, epoch, receiver) =>
            o.name === 'n2' && ++failures < 4
              ? Promise.reject(new RangeError('no link'))
              : o.mailboxes.open(shard, epoch, receiver),
        },
      }),
    });
    await world.up('n1');
    await world.send('plain1', { type: 'm', n: 1, do: [timer('t', 5_000, { type: 'ring' })] });
    await world.up('n2');
    world.crash('n1');
    await world.advance(20_000);
    expect(failures).toBe(4);
    expect(world.events.filter((e) => e.type === 'shard.stalled')).toHaveLength(3);
    expect(await world.taken('plain1')).toEqual([1, 'ring']);
    await world.send('plain1', { type: 'm', n: 2, do: [sendTo('plain2', { type: 'm', n: 3 })] });
    await world.advance(1_000);
    expect(await world.taken('plain2')).toEqual([3]);
  });

  test('whose shard goes while its mailboxes are opened closes them', async () => {
    const opened: { readonly epoch: number; closed: boolean }[] = [];
    let release: (() => void) | undefined;
    const world = new World({
      made: (o) => ({
        ...o,
        mailboxes: {
          ...o.mailboxes,
          open: async (shard, epoch, receiver) => {
            const entry = { epoch, closed: false };
            opened.push(entry);
            const mailbox = await o.mailboxes.open(shard, epoch, receiver);
            if (epoch === 2)
              await new Promise<void>((resolve) => {
                release = resolve;
              });
            return {
              close: () => {
                entry.closed = true;
                return mailbox.close();
              },
            };
          },
        },
      }),
    });
    await world.up('n1');
    await world.up('n2');
    world.crash('n1');
    await world.advance(5_000);
    // A node that died at once had claimed the shard in between.
    await world.store.claim({ shard: 'default/0', epoch: 3, session: 'gone', node: 'gone' }, 2);
    await world.advance(2_000);
    release?.();
    await world.advance(5_000);
    expect(opened.slice(1)).toEqual([
      { epoch: 2, closed: true },
      { epoch: 4, closed: false },
    ]);
    await world.send('plain1', { type: 'm', n: 1, do: [sendTo('plain2', { type: 'm', n: 2 })] });
    await world.advance(1_000);
    expect(await world.taken('plain2')).toEqual([2]);
  });

  test('that takes long at a start costs no session: every actor is recovered once, at most 16 at a time', async () => {
    const seen = { most: 0 };
    const world = new World({ made: (o) => (o.name === 'n2' ? slow(o, 500, seen) : o) });
    await world.up('n1');
    for (let i = 0; i < 160; i++) await world.send(`plain${i}`, { type: 'm', n: i });
    await world.up('watch', ['other']);
    world.crash('n1');
    await world.advance(5_000);
    const before = world.time.elapsed();
    await world.up('n2');
    expect(world.time.elapsed() - before).toBeGreaterThanOrEqual(10_000);
    await world.advance(10_000);
    expect(world.events.filter((e) => e.type === 'node.session_ended')).toEqual([]);
    expect(world.events.filter((e) => e.type === 'shard.claimed' && e.node === 'n2')).toHaveLength(1);
    expect(world.events.filter((e) => e.type === 'actor.recovered')).toHaveLength(160);
    expect(seen.most).toBe(16);
  });
});

test('timers of many actors that are due at once wake 16 actors at a time, and every one of them', async () => {
  const seen = { most: 0 };
  const world = new World({ passivateAfterMs: 500, made: (o) => slow(o, 10, seen) });
  const node = await world.up('n1');
  for (let i = 0; i < 200; i++)
    await world.send(`plain${i}`, {
      type: 'm',
      n: i,
      do: [timer('t', 60_000 - (world.time.elapsed() % 60_000), { type: 'ring' })],
    });
  await world.advance(3_000);
  expect(node.cells.size).toBe(0);
  seen.most = 0;
  await world.advance(60_000);
  expect(seen.most).toBe(16);
  for (let i = 0; i < 200; i++) expect(await world.taken(`plain${i}`)).toEqual([i, 'ring']);
});

describe('the horizon is stored with the mesh', () => {
  test.each([
    ['longer', 2 * HOUR],
    ['shorter', HOUR / 2],
  ])('a node with a %s one is refused, and claims nothing', async (_, horizonMs) => {
    const options: { -readonly [K in keyof WorldOptions]: WorldOptions[K] } = { horizonMs: HOUR };
    const world = new World(options);
    await world.up('n1');
    await world.stop('n1');
    options.horizonMs = horizonMs;
    await expect(world.up('n2')).rejects.toMatchObject({
      code: 'HORIZON_CHANGED',
      message: `the store was made with a horizon of 3600000ms, the plan has ${horizonMs}ms`,
    });
    expect(world.node('n2').ownership.held()).toEqual([]);
    options.horizonMs = HOUR;
    const node = await world.up('n3');
    expect(node.ownership.held()).toEqual(['default/0']);
  });
});

test('who follows a node is told of every record of its actors, also of those that no step has made', async () => {
  const followed = new Map<string, LogRecord[]>();
  const world = new World({
    made: (o) => ({
      ...o,
      onRecords: (actor, records) => followed.set(actor, [...(followed.get(actor) ?? []), ...structuredClone(records)]),
    }),
  });
  await world.up('n1');
  await world.send('plain1', { type: 'm', n: 1 });
  world.crash('n1');
  const node = await world.up('n2');
  await world.advance(10_000);
  await world.send('plain1', { type: 'm', n: 2 });
  await world.time.run(node.reset('plain1'));
  await world.send('plain1', { type: 'm', n: 3 });
  await world.advance(1_000);
  const log = await world.records('plain1');
  const kinds = ['init', 'event', 'activated', 'ready', 'event', 'mark', 'bridge', 'init', 'event'];
  expect(log.map(({ kind }) => kind)).toEqual(expect.arrayContaining(kinds));
  expect(followed.get('plain1')?.map(({ seq, kind }) => [seq, kind])).toEqual(log.map(({ seq, kind }) => [seq, kind]));
});

test('a directory that fails is told when it begins and when it ends', async () => {
  let fails = false;
  const world = new World({
    made: (o) => ({
      ...o,
      directory: { ...o.directory, renew: (s) => (fails ? Promise.reject(new RangeError('gone')) : o.directory.renew(s)) },
    }),
  });
  await world.up('n1');
  fails = true;
  await world.advance(10_000);
  fails = false;
  await world.advance(10_000);
  expect(world.events.filter((e) => e.type.startsWith('directory.'))).toMatchObject([
    { type: 'directory.stalled', node: 'n1', code: 'DIRECTORY_UNAVAILABLE', error: expect.stringContaining('gone') },
    { type: 'directory.answers', node: 'n1' },
  ]);
});

test('of those that wait for the session, one that throws costs the others nothing', async () => {
  const world = new World();
  const node = await world.up('n1');
  const heard: string[] = [];
  node.whenRegained(() => {
    throw new RangeError('not today');
  });
  node.whenRegained(() => heard.push('went on'));
  await world.advance(2_000);
  expect(heard).toEqual(['went on']);
  expect(world.events.filter((e) => e.type === 'node.failed')).toMatchObject([{ error: { message: 'not today' } }]);
});

test('what waits for the session again while it goes on is called at the next renewal, not in the same one', async () => {
  const world = new World();
  const node = await world.up('n1');
  let calls = 0;
  const again = (): void => {
    calls++;
    node.whenRegained(again);
  };
  node.whenRegained(again);
  await world.advance(3_100);
  expect(calls).toBe(3);
});

describe('a node that was frozen with a durable call in hand', () => {
  const frozen = async (): Promise<World> => {
    const world = new World();
    await world.up('n1');
    await world.send('plain1', { type: 'm', n: 0 });
    const hold = world.fault({ on: 'append', node: 'n1', how: 'hold' });
    const sent = world.node('n1').send('plain1', { type: 'm', n: 1, do: [spawn('pay', 'tool', 'once')] }, { internal: 'user' });
    sent.catch(() => undefined);
    await world.advance(1);
    hold.held?.[0]?.();
    world.freeze('n1');
    return world;
  };

  test('goes on when nobody has ended its session: it has lost nothing, and makes the call once', async () => {
    const world = await frozen();
    await world.advance(20_000);
    expect(world.calls).toEqual([]);
    world.thaw('n1');
    await world.advance(5_000);
    expect(world.calls.map((c) => c.input)).toEqual(['once']);
    expect(world.events.filter((e) => e.type === 'node.session_ended' || e.type === 'actor.dropped')).toEqual([]);
    await world.send('plain1', { type: 'm', n: 2 });
    expect((await world.taken('plain1')).filter((n) => typeof n === 'number')).toEqual([0, 1, 2]);
  });

  test('leaves it to the node that has claimed the shard meanwhile', async () => {
    const world = await frozen();
    await world.up('n2');
    await world.advance(15_000);
    world.thaw('n1');
    await world.advance(15_000);
    expect(world.calls.map((c) => c.input)).toEqual(['once']);
    expect(world.events.filter((e) => e.type === 'node.session_ended').map((e) => e.node)).toEqual(['n1']);
    expect(world.node('n1').cells.size).toBe(0);
  });
});

test('a node that is suspended between two calls that it takes up makes the second one when its session is renewed', async () => {
  let suspended = false;
  const ends: (() => void)[] = [];
  const world = new World({
    at: (w, point) => {
      if (point !== 'call.after' || suspended || w.nodes.has('n1')) return;
      suspended = true;
      w.clocks.get('n2')?.jump(60_000);
    },
  });
  world.answer = (_, done) => void ends.push(() => done('ok'));
  await world.up('n1');
  await world.send('plain1', { type: 'm', n: 1, do: [spawn('first', 'tool', 1), spawn('second', 'tool', 2)] });
  world.crash('n1');
  await world.up('n2');
  for (let i = 0; i < 100 && !suspended; i++) await world.advance(100);
  expect(world.calls.map((c) => c.input)).toEqual([1, 2, 1]);
  await world.advance(2_000);
  expect(world.calls.map((c) => c.input)).toEqual([1, 2, 1, 2]);
  for (const end of ends) end();
  await world.advance(1_000);
  expect((await world.taken('plain1')).slice(1)).toEqual(['xstate.done.actor.first', 'xstate.done.actor.second']);
});

describe('messages from outside to one actor', () => {
  const DAY = 24 * HOUR;
  /** Counts what it takes, and answers with the number. */
  const counting = (): Logic =>
    reducer<number, null>({
      id: 'counter',
      version: '1',
      init: () => ({ state: 0, effects: [] }),
      step: (n, event) => {
        const to = (event['replyTo'] as { id: string } | undefined)?.id;
        return { state: n + 1, effects: to === undefined ? [] : [sendTo(to, { type: 'count', n: n + 1 })] };
      },
    });
  const counter = async (): Promise<{ readonly world: World; readonly node: Node; readonly count: () => unknown }> => {
    const world = new World({ logics: { counter: counting() }, passivateAfterMs: HOUR });
    const node = await world.up('n1');
    return { world, node, count: () => node.cells.get('counter1')?.view().context };
  };
  /** How many are taken, and the errors of the others. */
  const fill = async (world: World, node: Node, n: number, idOf?: (i: number) => string) => {
    const sent = Array.from({ length: n }, (_, i) =>
      node.send('counter1', { type: 'm' }, idOf === undefined ? {} : { id: idOf(i) }),
    );
    return world.time.run(Promise.allSettled(sent)).then((all) => ({
      taken: all.filter((s) => s.status === 'fulfilled').length,
      refused: all.flatMap((s) => (s.status === 'rejected' ? [s.reason as unknown] : [])),
    }));
  };

  test('30,000 a day without an id of the client: all are taken, and few are remembered', async () => {
    const { world, node, count } = await counter();
    for (let i = 0; i < 30; i++) {
      expect(await fill(world, node, 1_000)).toEqual({ taken: 1_000, refused: [] });
      await world.advance(DAY / 30 - 1_000);
    }
    expect(count()).toBe(30_000);
    const { made, outside } = node.cells.get('counter1')?.actor.tables ?? {};
    expect([made?.ids.size, outside?.ids.size ?? 0]).toEqual([2_000, 0]);
  });

  test('with ids of the client: each acts once for a day, however many come without; a full window refuses, and says what is taken', async () => {
    const { world, node } = await counter();
    for (let i = 0; i < 10; i++) await fill(world, node, 1_000, (j) => `mine-${i}-${j}`);
    const { taken, refused } = await fill(world, node, 1, () => 'one-more');
    expect(taken).toBe(0);
    expect(refused).toMatchObject([
      { code: 'BUSY', message: expect.stringContaining('a message without an id of your own is taken') },
    ]);
    expect((await fill(world, node, 3_000)).taken).toBe(3_000);
    // What is known comes from the log, not only from this process.
    world.crash('n1');
    const next = await world.up('n1');
    await world.advance(5_000);
    expect((await fill(world, next, 1_000, (j) => `mine-0-${j}`)).taken).toBe(1_000);
    expect(next.cells.get('counter1')?.view().context).toBe(13_000);
  });

  test('an id that was made for a call, as by `reprise send`, counts as one of the node, and makes a retry safe', async () => {
    const { world, node } = await counter();
    const send = (i: number) => node.send('counter1', { type: 'm' }, { id: `made-${i}`, made: true });
    const first = await world.time.run(send(0));
    expect(await world.time.run(send(0))).toEqual(first);
    expect(await world.time.run(node.send('counter1', { type: 'm' }, { id: 'made-0' }))).toEqual(first);
    const { made, outside } = node.cells.get('counter1')?.actor.tables ?? {};
    expect([made?.ids.size, outside?.ids.size ?? 0]).toEqual([1, 0]);
  });

  test('an ask that was in vain gets its answer under the id that the node had made for it', async () => {
    const { world, node, count } = await counter();
    world.fault({ on: 'append', how: 'hold', match: (r) => r.some((x) => x.kind === 'event') });
    const asked = node.ask('counter1', { type: 'm' }, { timeoutMs: 100 }).catch((error: unknown) => error);
    await world.advance(200);
    const { data } = (await asked) as MeshError;
    world.faults[0]?.held?.[0]?.();
    await world.advance(100);
    const again = node.ask('counter1', { type: 'm' }, { id: (data as { id: string }).id });
    expect(await world.time.run(again)).toMatchObject({ type: 'count', n: 1 });
    expect(count()).toBe(1);
  });
});

describe('a hook that throws', () => {
  const fails = (): never => {
    throw new RangeError('not today');
  };
  const hooks: [string, (o: NodeOptions) => NodeOptions][] = [
    ['onEmitted', (o) => ({ ...o, onEmitted: fails })],
    ['onRecords', (o) => ({ ...o, onRecords: fails })],
    [
      'onEvent',
      (o) => ({
        ...o,
        onEvent: (event) => {
          o.onEvent?.(event);
          fails();
        },
      }),
    ],
  ];

  test.each(hooks)('%s: every effect is performed once, and it is told once', async (hook, made) => {
    const world = new World({ made });
    await world.up('n1');
    for (const n of [1, 2]) {
      await world.send('plain1', { type: 'm', n, do: [spawn('before', 'tool', `${n}a`), emit, spawn('after', 'tool', `${n}b`)] });
      await world.advance(1_000);
    }
    await world.advance(60_000);
    expect(world.calls.map((c) => c.input)).toEqual(['1a', '1b', '2a', '2b']);
    expect((await world.taken('plain1')).filter((n) => typeof n === 'number')).toEqual([1, 2]);
    expect(world.events.filter((e) => e.type === 'node.hook_failed')).toMatchObject([{ hook, error: { message: 'not today' } }]);
    expect(world.events.filter((e) => e.type === 'actor.crashed' || e.type === 'actor.dropped')).toEqual([]);
  });

  test('after it has returned is told as well', async () => {
    const late = (() => Promise.reject(new RangeError('too late'))) as () => void;
    const world = new World({ made: (o) => ({ ...o, onEmitted: late }) });
    await world.up('n1');
    await world.send('plain1', { type: 'm', n: 1, do: [emit] });
    await world.advance(100);
    expect(world.events.filter((e) => e.type === 'node.hook_failed')).toMatchObject([{ hook: 'onEmitted' }]);
  });
});
