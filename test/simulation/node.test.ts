/** A node when what is around it fails: its mailboxes, its directory, its hooks; and how much it does at once. */
import { describe, expect, test } from 'vitest';
import type { NodeOptions } from '../../core/node.ts';
import type { Clock } from '../../core/ports/clock.ts';
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
