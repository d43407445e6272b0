/** The schedules of DELIVERY §8, by number, on real nodes under virtual time. D3, D4, D17 and D28 need JetStream or a lock of the host. */
import { describe, expect, test } from 'vitest';
import { OUTSIDE } from '../../core/address.ts';
import { resend } from '../../core/cell/decisions.ts';
import { reference } from '../../core/fold/targets.ts';
import type { Logic } from '../../core/logic.ts';
import { pool } from '../../core/pool.ts';
import { type Call, sendTo, spawn, timer, World, type WorldOptions } from './world.ts';

const HOUR = 3_600_000;

/** Group `a` lives on n1, group `b` on n2, until one of them dies and n3 takes over. */
async function pair(options: WorldOptions = {}): Promise<World> {
  const world = new World(options);
  await world.up('n1', ['a']);
  await world.up('n2', ['b']);
  await world.advance(1_000);
  return world;
}
const A = 'a.plain1';
const B = 'b.plain1';
const order = (to: string, event: Record<string, unknown>) => ({
  kind: 'send' as const,
  to: { kind: 'address' as const, address: to },
  event: event as { type: string },
  lane: 'system' as const,
});

describe('schedules of DELIVERY §8', () => {
  test('D1: two tools start, the second ends first: both results are taken', async () => {
    const world = await pair();
    const open: ((output: unknown) => void)[] = [];
    world.answer = (_call, done) => open.push(done);
    await world.send(A, { type: 'go', do: [spawn('one', 'tool', 1), spawn('two', 'tool', 2)] });
    await world.advance(10);
    open[1]?.('second');
    await world.advance(10);
    open[0]?.('first');
    await world.advance(10);
    expect(await world.taken(A)).toEqual(['go', 'xstate.done.actor.two', 'xstate.done.actor.one']);
  });

  test('D2: a stop overtakes m1, whose receiver fails: m1 is not swallowed, nothing stands still', async () => {
    const world = await pair();
    await world.send(A, { type: 'go', do: [order(B, { type: 'reprise.start', run: 'r1', logic: 'plain', input: null })] });
    await world.advance(50);
    await world.send(A, {
      type: 'go',
      do: [
        sendTo(B, { type: 'm', n: 'm1', boom: true }),
        order(B, { type: 'reprise.stop', run: 'r1', deadlineMs: 1_000 }),
        sendTo(B, { type: 'm', n: 'm2' }),
      ],
    });
    await world.advance(5_000);
    expect(await world.dead(B)).toEqual(['stopped:m1', 'stopped:m2']);
    await world.send(A, {
      type: 'go',
      do: [
        order(B, { type: 'reprise.start', run: 'r2', logic: 'plain', input: null, mode: 'fresh' }),
        sendTo(B, { type: 'm', n: 'm3' }),
      ],
    });
    await world.advance(5_000);
    expect(await world.taken(B)).toContain('m3');
  });

  test('D5: a keyed actor is pruned and created again: nothing is swallowed, no old answer is taken', async () => {
    const world = await pair();
    await world.send(A, { type: 'go', do: [sendTo(B, { type: 'm', n: 'm1' }), spawn('call', 'tool', { key: 'old' })] });
    world.answer = () => undefined;
    await world.advance(100);
    await world.send(A, { type: 'go', do: [spawn('late', 'tool', { key: 'never answered' })] });
    await world.advance(100);
    const oldHead = (await world.records(A)).at(-1)?.seq ?? 0;
    const removed = world.node('n1').remove(A, world.store);
    await world.advance(1_000);
    expect(await removed).toBeGreaterThan(0);
    world.answer = undefined;
    await world.send(A, { type: 'go', do: [sendTo(B, { type: 'm', n: 'm2' }), spawn('call', 'tool', { key: 'new' })] });
    await world.advance(5_000);
    const records = await world.records(A);
    expect(records[0]?.seq).toBeGreaterThan(oldHead);
    expect(await world.taken(B)).toEqual(['m1', 'm2']);
    expect(new Set(world.calls.map((c) => c.key)).size).toBe(world.calls.length);
  });

  test('D5: its tombstone is gone too, the floor of its shard is raised: its next life begins above it', async () => {
    const world = await pair();
    await world.send(A, { type: 'go', do: [sendTo(B, { type: 'm', n: 'm1' })] });
    await world.advance(1_000);
    const stream = { shard: world.node('n1').shardOf(A), actor: A };
    const removed = world.node('n1').remove(A, world.store);
    await world.advance(1_000);
    await removed;
    const { head } = await world.store.head(stream);
    world.crash('n1');
    await world.store.deleteStream(stream);
    await world.up('n3', ['a']);
    await world.advance(10_000);
    await world.send(A, { type: 'go', do: [sendTo(B, { type: 'm', n: 'm2' })] });
    await world.send('a.plain2', { type: 'm', n: 'another of its shard' });
    await world.advance(5_000);
    expect((await world.records(A)).map((r) => [r.seq, r.kind])).toEqual([
      [head + 1, 'init'],
      [head + 2, 'event'],
    ]);
    expect((await world.records('a.plain2'))[0]?.seq).toBe(head + 1);
    expect(await world.taken(B)).toEqual(['m1', 'm2']);
  });

  test('D6: an actor that was woken 60 times is claimed by another node: the zombie is refused', async () => {
    const world = new World({ passivateAfterMs: 100 });
    await world.up('n1');
    for (let i = 0; i < 60; i++) {
      await world.send('plain7', { type: 'm', n: i });
      await world.advance(3_000);
    }
    expect(world.node('n1').cells.size).toBe(0);
    world.freeze('n1');
    await world.up('n2');
    await world.advance(10_000);
    await world.send('plain7', { type: 'm', n: 'new owner' });
    const zombie = world
      .node('n1')
      .cellAt('plain7')
      .catch((error: unknown) => error);
    world.thaw('n1');
    await world.advance(5_000);
    await zombie;
    const epochs = (await world.records('plain7')).map((r) => r.epoch);
    expect(epochs).toEqual(epochs.toSorted((a, b) => a - b));
    expect(await world.taken('plain7')).toEqual([...Array.from({ length: 60 }, (_, i) => i), 'new owner']);
  });

  test('D7: an append commits, its answer is lost, the owner freezes, is replaced, wakes and repeats: one effect', async () => {
    const world = new World();
    await world.up('n1');
    await world.send('plain1', { type: 'm', n: 0 });
    world.fault({ on: 'append', node: 'n1', how: 'lose', match: (r) => r.some((x) => x.kind === 'event' && x.event['n'] === 1) });
    const sent = world
      .node('n1')
      .send('plain1', { type: 'm', n: 1, do: [spawn('pay', 'tool', 'once')] }, { internal: 'user' })
      .catch((error: unknown) => error);
    await world.advance(1);
    world.freeze('n1');
    await world.up('n2');
    await world.advance(15_000);
    world.thaw('n1');
    await world.advance(15_000);
    await sent;
    expect(world.calls.length).toBe(1);
    expect(await world.taken('plain1')).toEqual([0, 1, 'xstate.done.actor.pay']);
  });

  test('D8: a pool takes m1, its ack is lost, the node of the sender dies, m1 is sent again: one member gets it, once', async () => {
    const world = await pair({ logics: { 'reprise.pool': pool } });
    const input = { size: 3, member: { logic: 'plain' } };
    await world.send(A, {
      type: 'go',
      do: [order('b.pool', { type: 'reprise.start', run: 'r1', logic: 'reprise.pool', input })],
    });
    await world.advance(1_000);
    world.network.partition('n2', 'n1', 'oneWay');
    await world.send(A, { type: 'go', do: [sendTo('b.pool', { type: 'm', n: 'm1' })] });
    await world.advance(5_000);
    world.crash('n1');
    world.network.heal();
    await world.up('n3', ['a']);
    await world.advance(60_000);
    const taken = await Promise.all([1, 2, 3].map((i) => world.taken(`b.pool/${i}`)));
    expect(taken.flat()).toEqual(['m1']);
    expect(world.node('n3').cells.get(A)?.actor.tables.outbox?.byId.size ?? 0).toBe(0);
  });

  test('D9: a poison message fails twice, the process dies, it fails again: a dead letter after three in all; a poison result parks, and is shown', async () => {
    const world = new World();
    await world.up('n1');
    await world.send('plain2', { type: 'go', do: [sendTo('plain1', { type: 'm', n: 'bad', boom: true })] });
    await world.advance(150);
    const failures = async (): Promise<number> => (await world.records('plain1')).filter((r) => r.kind === 'failed').length;
    expect(await failures()).toBe(2);
    world.crash('n1');
    await world.up('n2');
    await world.advance(60_000);
    expect(await failures()).toBe(3);
    expect(await world.dead('plain1')).toEqual(['poison:bad']);
    world.answer = (_call, done) => done({ boom: true });
    await world.send('picky1', { type: 'go', do: [spawn('x', 'tool', 1)] });
    await world.advance(60_000);
    expect(world.node('n2').status('picky1')).toMatchObject({ phase: 'parked' });
    expect(world.node('n2').status('picky1')?.reason).toContain('poison');
  });

  const asks = { type: 'go', do: [spawn('q', 'ask', { to: B, event: { type: 'm', n: 'q' }, timeoutMs: 1_000 })] };

  test('D10: the deadline passes while a copy is on its way: taken at most once', async () => {
    const world = await pair();
    world.network.freeze('n2');
    await world.send(A, asks);
    await world.advance(10_000);
    world.network.thaw('n2');
    await world.advance(60_000);
    expect(await world.taken(A)).toEqual(['go', 'xstate.error.actor.q']);
    expect([...(await world.taken(B)), ...(await world.dead(B))]).toEqual(['q']);
  });

  test('D10: the deadline passes before a copy comes: dead (expired); sent again it is taken, once', async () => {
    const world = await pair();
    world.network.partition('n1', 'n2', 'oneWay');
    await world.send(A, asks);
    await world.advance(10_000);
    world.network.heal();
    await world.advance(60_000);
    expect(await world.dead(B)).toEqual(['expired:q']);
    const { seq = 0 } = (await world.records(B)).find((r) => r.kind === 'dead') ?? {};
    const cell = await world.time.run(world.node('n2').cellAt(B));
    expect(resend(cell, seq, { type: 'm', n: 'q' }, 'expired')).toMatch(/^b\.plain1!/);
    expect(() => resend(cell, seq, { type: 'm', n: 'q' }, 'expired')).toThrow(/sent again already/);
    await world.advance(5_000);
    expect(await world.taken(B)).toEqual(['q']);
  });

  test('D11: kill -9 far after the checkpoint, edited code that diverges, the old code gone: nothing is lost silently', async () => {
    const world = await pair({ passivateAfterMs: 500 });
    await world.send(A, { type: 'm', n: 0 });
    await world.advance(5_000);
    world.network.partition('n1', 'n2');
    await world.send(A, { type: 'm', n: 1, do: [sendTo(B, { type: 'm', n: 'owed' })] });
    await world.send('a.plain9', { type: 'm', n: 'one' });
    await world.send('a.plain9', { type: 'm', n: 'two' });
    world.crash('n1');
    world.network.heal();
    const old = world.logics['plain'] as Logic;
    // The edit forgets what it got before, and sends nothing.
    world.logics['plain'] = world.logic('plain', (_state, event) => ({ state: { got: [event['n']] } }));
    await world.up('n3', ['a']);
    await world.advance(5_000);
    const n3 = world.node('n3');
    expect(n3.status(A)).toMatchObject({ phase: 'parked' });
    expect(n3.status(A)).toMatchObject({ code: 'REPLAY_DIVERGED', reason: expect.stringContaining('from seq 3 on') as unknown });
    await world.send('a.plain8', { type: 'm', n: 'goes on' });
    const refused = n3.reset(A).catch((error: unknown) => error);
    await world.advance(100);
    expect(await refused).toMatchObject({
      code: 'CHECKPOINT_INCOMPATIBLE',
      message: expect.stringContaining('--accept-loss') as unknown,
    });
    const reset = n3.reset(A, { old });
    await world.advance(5_000);
    await reset;
    expect(await world.taken(B)).toEqual(['owed']);
    expect(await world.dead(A)).toEqual([]);

    const lost = n3.reset('a.plain9', { acceptLoss: true });
    await world.advance(5_000);
    await lost;
    // Its `init` and both messages.
    expect(await world.dead('a.plain9')).toEqual(['underivable:reprise.init', 'underivable:one', 'underivable:two']);
    await world.send('a.plain9', { type: 'm', n: 'three' });
    expect(n3.cells.get('a.plain9')?.view().context).toEqual({ got: ['three'] });
  });

  test('D12: m1 is taken, its ack lost, the receiver is away for longer than the horizon: m1 is not taken twice', async () => {
    const world = await pair({ horizonMs: HOUR });
    await world.send(A, { type: 'go', do: [sendTo(B, { type: 'm', n: 'm0' })] });
    await world.advance(1_000);
    world.network.partition('n2', 'n1', 'oneWay');
    await world.send(A, { type: 'go', do: [sendTo(B, { type: 'm', n: 'm1' })] });
    await world.advance(1_000);
    expect(await world.taken(B)).toEqual(['m0', 'm1']);
    world.crash('n2');
    await world.advance(2 * HOUR);
    world.network.heal();
    await world.up('n2', ['b']);
    await world.advance(700_000);
    expect(await world.taken(B)).toEqual(['m0', 'm1']);
  });

  test('D13: an ask from outside is tried again after its reply was lost: the same reply', async () => {
    const world = new World();
    await world.up('n1');
    const ask = async (): Promise<unknown> => {
      const asked = world.node('n1').send(
        'plain1',
        {
          type: 'ask',
          do: [sendTo(`${OUTSIDE}!q1`, { type: 'answer', at: world.time.elapsed() })],
          replyTo: reference(`${OUTSIDE}!q1`),
        },
        { id: 'q1', internal: 'user' },
      );
      asked.catch(() => undefined);
      await world.advance(100);
      return world.node('n1').cells.get('plain1')?.actor.tables.outside;
    };
    const first = JSON.stringify(await ask(), (_k, v: unknown) => (v instanceof Map ? [...v] : v));
    await world.advance(5_000);
    const second = JSON.stringify(await ask(), (_k, v: unknown) => (v instanceof Map ? [...v] : v));
    expect(second).toBe(first);
    expect(await world.taken('plain1')).toEqual(['ask']);
  });

  test('D14: the owner freezes inside saveCheckpoint, a new owner saves further and truncates, the old one wakes: nothing is lost', async () => {
    const world = new World({ passivateAfterMs: 200 });
    await world.up('n1');
    for (let i = 0; i < 5; i++) await world.send('plain1', { type: 'm', n: i });
    const save = world.fault({ on: 'saveCheckpoint', node: 'n1', how: 'hold' });
    await world.advance(3_000);
    expect(save.held?.length).toBe(1);
    world.freeze('n1');
    await world.up('n2');
    await world.advance(10_000);
    for (let i = 5; i < 8; i++) await world.send('plain1', { type: 'm', n: i });
    await world.advance(10_000);
    const shard = world.node('n2').shardOf('plain1');
    const saved = await world.store.loadCheckpoint({ shard, actor: 'plain1' });
    await world.store.truncateBefore({ shard, actor: 'plain1' }, saved?.seq ?? 0);
    save.held?.[0]?.();
    world.thaw('n1');
    await world.advance(10_000);
    expect((await world.store.loadCheckpoint({ shard, actor: 'plain1' }))?.seq).toBe(saved?.seq);
    const cell = await world.time.run(world.node('n2').cellAt('plain1'));
    expect((cell.view().context as { got: unknown[] }).got).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  test('D15: a node with sleeping and working actors dies: timers of both kinds fire on the new owner, once, at their deadline', async () => {
    const world = new World({ passivateAfterMs: 1_000 });
    await world.up('n1');
    await world.send('plain1', { type: 'm', n: 'sleeper', do: [timer('t', 60_000, { type: 'ring' })] });
    await world.advance(10_000);
    await world.send('plain2', { type: 'm', n: 'worker', do: [timer('t', 50_000, { type: 'ring' })] });
    expect([...world.node('n1').cells.keys()]).toEqual(['plain2']);
    world.crash('n1');
    await world.up('n2');
    await world.advance(30_000);
    expect(await world.taken('plain1')).toEqual(['sleeper']);
    await world.advance(60_000);
    expect(await world.taken('plain1')).toEqual(['sleeper', 'ring']);
    expect(await world.taken('plain2')).toEqual(['worker', 'ring']);
    const set = (await world.records('plain1')).find((r) => r.kind === 'event')?.meta.ts ?? 0;
    const rang = (await world.records('plain1')).findLast((r) => r.kind === 'event')?.meta.ts ?? 0;
    expect(rang - set).toBe(60_000);
  });

  test('D16: one actor kills three nodes that hold many idle ones: it alone is parked; three rolling restarts park none', async () => {
    const world = new World({ passivateAfterMs: 500 });
    await world.up('n0');
    for (let i = 0; i < 300; i++) await world.send(`plain${i}`, { type: 'm', n: i });
    await world.advance(5_000);
    for (let i = 1; i <= 3; i++) {
      await world.stop(`n${i - 1}`);
      await world.up(`n${i}`);
    }
    world.answer = () => undefined;
    await world.send('plain5', { type: 'm', n: 'kill', do: [spawn('kill', 'tool', 'kill')] });
    world.answer = (call, done) => {
      if (call.input !== 'kill') return done('ok');
      const victim = [...world.nodes.keys()].at(-1) as string;
      queueMicrotask(() => world.crash(victim));
    };
    world.crash('n3');
    for (let i = 4; i <= 8 && world.nodes.size === 0; i++) {
      await world.up(`n${i}`).catch(() => undefined);
      await world.advance(10_000);
    }
    const last = [...world.nodes.values()].at(-1);
    expect(last?.status('plain5')).toMatchObject({ phase: 'parked' });
    expect(last?.status('plain5')?.reason).toContain('strikes');
    for (const i of [0, 1, 299]) await world.send(`plain${i}`, { type: 'm', n: 'alive' });
    expect((await world.taken('plain299')).at(-1)).toBe('alive');
    expect(world.events.filter((e) => e.type === 'actor.parked').map((e) => e.actor)).toEqual(['plain5']);
  });

  test('D18: a clock jumps by an hour: no session ends, no timer is lost; a suspended machine loses its session and does nothing', async () => {
    const world = new World();
    await world.up('n1');
    await world.up('n2');
    await world.advance(5_000);
    world.clocks.get('n2')?.jump(3_600_000);
    await world.advance(10_000);
    expect(world.events.filter((e) => e.type === 'node.session_ended')).toEqual([]);
    await world.send('plain1', { type: 'm', n: 1 });
    world.freeze('n2');
    await world.advance(20_000);
    world.thaw('n2');
    await world.advance(5_000);
    expect(world.events.filter((e) => e.type === 'node.session_ended').map((e) => e.node)).toEqual(['n2']);
    expect(world.repeated()).toEqual([]);
  });

  test('D18: clocks an hour apart: the node that is off claims nothing, says so, and the others do not count on it', async () => {
    const world = new World({ shards: 8 });
    await world.up('n1');
    const off = await world.up('n2', ['default'], HOUR);
    await world.advance(20_000);
    expect(off.ownership.held()).toEqual([]);
    expect(world.events.filter((e) => e.type === 'node.clock_skew')).toMatchObject([
      { node: 'n2', code: 'CLOCK_SKEW', offsetMs: -HOUR },
    ]);
    await world.send('plain1', { type: 'm', n: 1 });
    world.crash('n1');
    await world.advance(20_000);
    expect(off.ownership.held()).toEqual([]);
    const right = await world.up('n3');
    await world.advance(20_000);
    expect(right.ownership.held().length).toBe(8);
    expect(await world.taken('plain1')).toEqual([1]);
    world.clocks.get('n2')?.jump(-HOUR);
    await world.advance(20_000);
    expect(world.events.filter((e) => e.type === 'node.clock_skew').at(-1)).toMatchObject({ node: 'n2', offsetMs: 0 });
  });

  test('D21: many cases wait for an approval, or for a group without nodes: memory stays flat', async () => {
    const world = new World({ passivateAfterMs: 500 });
    await world.up('n1');
    for (let i = 0; i < 500; i++)
      await world.send(`plain${i}`, { type: 'm', n: i, do: i % 2 === 0 ? [] : [sendTo(`nowhere.plain${i}`, { type: 'hello' })] });
    await world.advance(30_000);
    expect(world.node('n1').cells.size).toBeLessThan(300);
    await world.advance(600_000);
    expect(world.node('n1').cells.size).toBeLessThan(50);
    await world.up('n2', ['nowhere']);
    await world.advance(700_000);
    expect(await world.taken('nowhere.plain499')).toEqual(['hello']);
  });

  test('D22: two actors flood each other beyond every bound: both go on', async () => {
    const flood = (other: string, n: number) => Array.from({ length: n }, (_, i) => sendTo(other, { type: 'm', n: i }));
    const world = await pair({ limits: { mailbox: 20 } });
    await world.send(A, { type: 'go', do: flood(B, 200) });
    await world.send(B, { type: 'go', do: flood(A, 200) });
    await world.advance(600_000);
    expect((await world.taken(A)).slice(1)).toEqual(Array.from({ length: 200 }, (_, i) => i));
    expect((await world.taken(B)).filter((n) => typeof n === 'number')).toEqual(Array.from({ length: 200 }, (_, i) => i));
  });

  test('D23: m1, m2 taken, acks lost, silence of two horizons, copies of both come: neither is taken twice', async () => {
    const world = await pair({ horizonMs: HOUR });
    world.network.partition('n2', 'n1', 'oneWay');
    await world.send(A, { type: 'go', do: [sendTo(B, { type: 'm', n: 'm1' }), sendTo(B, { type: 'm', n: 'm2' })] });
    await world.advance(1_000);
    expect(await world.taken(B)).toEqual(['m1', 'm2']);
    world.crash('n1');
    await world.advance(3 * HOUR);
    world.network.heal();
    await world.up('n1', ['a']);
    await world.advance(700_000);
    expect((await world.taken(B)).filter((n) => n === 'm1' || n === 'm2')).toEqual(['m1', 'm2']);
  });

  test('D24: m1, m2 sent, the receiver away for longer than the horizon, m2 comes first: m1 is not swallowed', async () => {
    const world = await pair({ horizonMs: HOUR, jitterMs: 50 });
    world.crash('n2');
    await world.send(A, { type: 'go', do: [sendTo(B, { type: 'm', n: 'm1' }), sendTo(B, { type: 'm', n: 'm2' })] });
    await world.advance(2 * HOUR);
    await world.up('n2', ['b']);
    await world.advance(700_000);
    const fate = [...(await world.taken(B)), ...(await world.dead(B))].map(String);
    expect(fate.map((f) => f.replace('forgotten:', ''))).toEqual(['m1', 'm2']);
  });

  test.each(['removed', 'reset', 'restarted fresh'])(
    'D25: the sender logs m1 and is %s before it is acknowledged: m1 is taken',
    async (how) => {
      const world = await pair();
      await world.send(A, { type: 'm', n: 0 });
      world.network.partition('n1', 'n2', 'oneWay');
      await world.send(A, { type: 'go', do: [sendTo(B, { type: 'm', n: 'm1' })] });
      const node = world.node('n1');
      const done =
        how === 'removed'
          ? node.remove(A, world.store)
          : how === 'reset'
            ? node.reset(A)
            : node.send(
                A,
                { type: 'reprise.start', run: 'r9', logic: 'plain', input: null, mode: 'fresh' },
                { internal: 'system' },
              );
      await world.advance(1_000);
      await done;
      world.network.heal();
      await world.advance(700_000);
      expect(await world.taken(B)).toEqual(['m1']);
    },
  );

  test('D26: a checkpoint at the head with a pending leaf, then a crash, no further mail: the leaf is resumed', async () => {
    const world = new World();
    await world.up('n1');
    let open: ((output: unknown) => void) | undefined;
    world.answer = (_call: Call, done) => {
      open = done;
    };
    await world.send('plain1', { type: 'go', do: [spawn('x', 'tool', 1)] });
    await world.advance(100);
    expect(await world.time.run(world.node('n1').cells.get('plain1')?.checkpoint() ?? Promise.resolve(false))).toBe(true);
    world.crash('n1');
    await world.up('n2');
    await world.advance(10_000);
    expect(world.calls.length).toBe(2);
    expect(world.calls[1]?.key).toBe(world.calls[0]?.key);
    open?.('done');
    await world.advance(100);
    expect(await world.taken('plain1')).toEqual(['go', 'xstate.done.actor.x']);
  });

  test('D27: a batch is durable as a prefix and its answer is lost: the actor goes on', async () => {
    const world = new World();
    await world.up('n1');
    world.fault({ on: 'append', how: 'prefix', match: (r) => r.length > 1 && r.some((x) => x.kind === 'event') });
    for (let i = 0; i < 5; i++)
      void world
        .node('n1')
        .send('plain1', { type: 'm', n: i }, { internal: 'user' })
        .catch(() => undefined);
    await world.advance(5_000);
    expect((await world.taken('plain1')).map(Number).toSorted((a, b) => a - b)).toEqual([0, 1, 2, 3, 4]);
    const seqs = (await world.records('plain1')).map((r) => r.seq);
    expect(seqs).toEqual(seqs.map((_, i) => i + 1));
  });

  test('D29: a node wakes from a freeze and takes a new session, its old cells have a done answer in hand: they perform nothing', async () => {
    const world = new World();
    await world.up('n1');
    await world.send('plain1', { type: 'm', n: 0 });
    const hold = world.fault({
      on: 'append',
      node: 'n1',
      how: 'hold',
      match: (r) => r.some((x) => x.kind === 'event' && x.event['n'] === 1),
    });
    void world
      .node('n1')
      .send('plain1', { type: 'm', n: 1, do: [spawn('pay', 'tool', 'once')] }, { internal: 'user' })
      .catch(() => undefined);
    await world.advance(1);
    hold.held?.[0]?.();
    world.freeze('n1');
    await world.up('n2');
    await world.advance(15_000);
    const before = world.calls.length;
    world.thaw('n1');
    await world.advance(15_000);
    expect(before).toBe(1);
    expect(world.calls.length).toBe(1);
  });

  test('D30: mail to an actor that was deleted for good: dead (gone), acknowledged', async () => {
    const world = await pair();
    await world.send(B, { type: 'm', n: 0 });
    const removed = world.node('n2').remove(B, world.store);
    await world.advance(1_000);
    await removed;
    await world.send(A, { type: 'go', do: [sendTo(B, { type: 'nobirth', n: 'm1' })] });
    await world.advance(5_000);
    expect(await world.dead(B)).toEqual(['gone:m1']);
    expect(world.node('n1').cells.get(A)?.actor.tables.outbox?.byId.size ?? 0).toBe(0);
  });
});
