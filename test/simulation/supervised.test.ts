/** Schedules D19 and D20 of DELIVERY §8: supervisors and their children on real nodes under virtual time. */
import { describe, expect, test } from 'vitest';
import type { Address } from '../../core/address.ts';
import type { SupervisorConfig } from '../../core/supervision/child-spec.ts';
import type { EventObject } from '../../core/effect.ts';
import type { Logic } from '../../core/logic.ts';
import { supervisor } from '../../core/supervisor.ts';
import type { SupervisionState } from '../../core/supervision/supervision.ts';
import { sendTo, spawn, World } from './world.ts';

const SUP = 'a.sup';
const world = (options = {}): World => new World({ logics: { 'reprise.supervisor': supervisor }, ...options });

/** An order or a config for the supervisor, as the root would give it. */
async function order(w: World, node: string, to: Address, event: EventObject): Promise<void> {
  const sent = w.node(node).send(to, event, { internal: 'system' });
  await w.advance(100);
  await sent;
}
const start = (w: World, config: SupervisorConfig): Promise<void> =>
  order(w, 'n1', SUP, { type: 'reprise.start', logic: 'reprise.supervisor', input: config });
const stateOf = async (w: World, node: string): Promise<SupervisionState> =>
  (await w.time.run(w.node(node).cellAt(SUP))).view().context as SupervisionState;
const lives = async (w: World, actor: Address): Promise<number> =>
  (await w.records(actor)).filter((r) => r.kind === 'init').length;

describe('schedules of DELIVERY §8, supervised', () => {
  test('D19: the mesh file is edited, another strategy and intensity: supervisors fold', async () => {
    const w = world();
    await w.up('n1', ['a']);
    const children = [
      { id: 'x', address: `${SUP}/x`, logic: 'plain' },
      { id: 'y', address: `${SUP}/y`, logic: 'plain' },
    ];
    await start(w, { children, flags: { strategy: 'one_for_one', intensity: 1 } });
    await w.send(`${SUP}/x`, { type: 'm', n: 'bad', boom: true }).catch(() => undefined);
    await w.advance(60_000);
    expect((await stateOf(w, 'n1')).flags.strategy).toBe('one_for_one');
    await order(w, 'n1', SUP, { type: 'reprise.configure', children, flags: { strategy: 'one_for_all', intensity: 7 } });
    w.crash('n1');
    await w.up('n2', ['a']);
    await w.advance(5_000);
    expect(await stateOf(w, 'n2')).toMatchObject({ phase: 'up', flags: { strategy: 'one_for_all', intensity: 7 } });
    expect(w.events.filter((e) => e.type === 'actor.parked')).toEqual([]);
  });

  test('D20: one_for_all, and B fails while it is being stopped: restarted once, budget spent once', async () => {
    const w = world();
    let isBroken = true;
    w.logics['once'] = w.logic('once', (state) => {
      if (isBroken) throw new RangeError('broken');
      return { state };
    });
    await w.up('n1', ['a']);
    const child = (id: string) => ({ id, address: `${SUP}/${id}`, logic: 'once' });
    await start(w, { children: [child('A'), child('B')], flags: { strategy: 'one_for_all', intensity: 3, periodMs: 60_000 } });
    void w
      .node('n1')
      .send(`${SUP}/A`, { type: 'm', n: 'bad', boom: true }, { internal: 'user' })
      .catch(() => undefined);
    void w
      .node('n1')
      .send(`${SUP}/B`, { type: 'm', n: 'bad', boom: true }, { internal: 'user' })
      .catch(() => undefined);
    await w.advance(2);
    expect((await w.records(`${SUP}/B`)).some((r) => r.kind === 'failed')).toBe(true);
    isBroken = false;
    await w.advance(20_000);
    const { restarts, children } = await stateOf(w, 'n1');
    expect(restarts.length).toBe(1);
    expect(children.map((c) => [c.key, c.status, c.restarts])).toEqual([
      ['A', 'running', 1],
      ['B', 'running', 1],
    ]);
    expect([await lives(w, `${SUP}/A`), await lives(w, `${SUP}/B`)]).toEqual([2, 2]);
  });

  test("D20: the supervisor's group has no nodes: a failing child acts alone after 30 s, and that is reported", async () => {
    const w = world();
    await w.up('n1', ['a']);
    await w.up('n2', ['b']);
    await start(w, { children: [{ id: 'far', address: 'b.plain1', logic: 'plain' }], flags: { intensity: 5 } });
    w.crash('n1');
    await w.advance(5_000);
    void w
      .node('n2')
      .send('b.plain1', { type: 'm', n: 'bad', boom: true }, { internal: 'user' })
      .catch(() => undefined);
    await w.advance(20_000);
    const failures = async (): Promise<number> => (await w.records('b.plain1')).filter((r) => r.kind === 'failed').length;
    expect(await failures()).toBe(1);
    await w.advance(70_000);
    expect(await failures()).toBe(3);
    expect(await w.dead('b.plain1')).toEqual(['poison:bad']);
    await w.send('b.plain1', { type: 'm', n: 'next' });
    expect(await w.taken('b.plain1')).toEqual(['next']);
    await w.up('n3', ['a']);
    await w.advance(400_000);
    const reports = (await w.records(SUP)).filter((r) => r.kind === 'event' && r.event.type === 'reprise.failed');
    expect(reports.length).toBe(3);
    expect((await stateOf(w, 'n3')).children[0]).toMatchObject({ status: 'running' });
  });
});

describe('keyed actors in a group restart', () => {
  const CASE = `${SUP}/case/plain1`;
  const desk = (backoff = 0): SupervisorConfig => ({
    children: [
      { id: 'x', address: `${SUP}/x`, logic: 'frail' },
      { id: 'case', address: `${SUP}/case`, kind: 'keyed', logic: 'plain', shutdownMs: 3_000 },
    ],
    flags: { strategy: 'one_for_all', intensity: 5, backoff: { minMs: backoff, jitter: 0 } },
  });
  const withFrail = (): World => {
    const w = world();
    w.logics['frail'] = w.logic('frail', (state, event, { ts }) => {
      if (ts < Number(event['until'])) throw new RangeError('too early');
      return { state };
    });
    return w;
  };
  /** `x` fails at the same message for so long. */
  const restartGroup = (w: World, forMs = 1): void => {
    const until = (w.clocks.get('n1')?.now() ?? 0) + forMs;
    void w
      .node('n1')
      .send(`${SUP}/x`, { type: 'm', until }, { internal: 'user' })
      .catch(() => undefined);
  };

  test('let go of what runs when the group is stopped, and go on with it when the group starts', async () => {
    const w = withFrail();
    w.answer = () => undefined;
    const node = await w.up('n1', ['a']);
    await start(w, desk(2_000));
    await w.send(CASE, { type: 'm', n: 1, do: [spawn('call', 'tool', 1)] });
    expect(node.leaves.finite).toBe(1);
    restartGroup(w);
    await w.advance(1_000);
    expect(node.leaves.finite).toBe(0);
    expect(node.cells.has(CASE)).toBe(false);
    expect((await stateOf(w, 'n1')).waits).toMatchObject({ x: ['x', 'case'] });
    await w.advance(2_000);
    expect(w.calls.map((c) => c.key)).toEqual([`${CASE}!2.0`, `${CASE}!2.0`]);
    expect(node.leaves.finite).toBe(1);
  });

  test('are stopped again when the group fails while they are being taken up', async () => {
    const w = withFrail();
    w.answer = () => undefined;
    const node = await w.up('n1', ['a']);
    await start(w, desk(1_000));
    await w.send(CASE, { type: 'm', n: 1, do: [spawn('call', 'tool', 1)] });
    restartGroup(w, 1_500);
    await w.advance(1_500);
    // Second try, second wait.
    expect((await stateOf(w, 'n1')).waits).toMatchObject({ x: ['x', 'case'] });
    expect(node.leaves.finite).toBe(0);
    await w.advance(3_000);
    expect(node.leaves.finite).toBe(1);
  });

  test('one that was at work goes on by itself when its supervisor never says so', async () => {
    const w = withFrail();
    w.answer = () => undefined;
    const node = await w.up('n1', ['a']);
    await start(w, desk());
    await w.send(CASE, { type: 'm', n: 1, do: [spawn('call', 'tool', 1)] });
    await order(w, 'n1', SUP, { type: 'reprise.child.stop', child: 'case' });
    await w.advance(20_000);
    expect(node.leaves.finite).toBe(0);
    await w.advance(20_000);
    expect(node.leaves.finite).toBe(1);
  });

  test('the stop is answered when they are put away, and at its deadline they are dropped: what was not durable comes again', async () => {
    const w = withFrail();
    await w.up('n1', ['a']);
    await start(w, desk());
    await w.send(CASE, { type: 'm', n: 1 });
    w.fault({ on: 'append', actor: CASE, how: 'hold' });
    await w.send('a.plain', { type: 'm', do: [sendTo(CASE, { type: 'm', n: 2 })] });
    restartGroup(w);
    await w.advance(2_000);
    expect((await stateOf(w, 'n1')).operation).toMatchObject({ stop: ['case', 'x'] });
    await w.advance(2_000);
    expect((await stateOf(w, 'n1')).operation).toBeNull();
    expect(w.events.filter((e) => e.type === 'actor.passivated' && e.actor === CASE).length).toBe(1);
    for (const fault of w.faults) for (const release of fault.held ?? []) release();
    await w.advance(60_000);
    expect(await w.taken(CASE)).toEqual([1, 2]);
  });

  test('so do those that their charts have spawned: nothing is lost, and what is done is not done again', async () => {
    const w = withFrail();
    const { plain } = w.logics as { plain: Logic };
    w.logics['parent'] = {
      ...plain,
      source: (src) => (src === 'plain' ? { kind: 'actor', logic: plain } : plain.source(src)),
    };
    // Calls of 'slow' are answered by the second life only.
    w.answer = (call, done) => {
      if (call.input !== 'slow' || w.calls.filter((c) => c.key === call.key).length > 1) done(call.input);
    };
    const node = await w.up('n1', ['a']);
    await start(w, desk(1_000));
    const PARENT = `${SUP}/case/parent1`;
    const KID = `${PARENT}/kid@2.0`;
    await w.send(PARENT, { type: 'm', n: 1, do: [spawn('kid', 'plain', null), spawn('call', 'tool', 'slow')] });
    const work = [spawn('quick', 'tool', 'quick'), spawn('call', 'tool', 'slow')];
    await w.send(PARENT, { type: 'm', n: 2, do: [sendTo(KID, { type: 'm', n: 'work', do: work })] });
    await w.advance(100);
    expect(node.leaves.finite).toBe(2);
    // An append that does not come back keeps the child from coming to rest.
    w.fault({ on: 'append', actor: KID, how: 'hold' });
    await w.send(PARENT, { type: 'm', n: 3, do: [sendTo(KID, { type: 'm', n: 'more' })] });
    restartGroup(w);
    await w.advance(10);
    expect(node.leaves.finite).toBe(1);
    await w.advance(3_500);
    // Its parent first, which has a message to send again and is taken up by that; the child at the deadline.
    const away = w.events.filter((e) => e.type === 'actor.passivated' && e.actor?.startsWith(PARENT)).map((e) => e.actor);
    expect(away.slice(0, 2)).toEqual([PARENT, KID]);
    for (const fault of w.faults) for (const release of fault.held ?? []) release();
    await w.advance(60_000);
    expect((await stateOf(w, 'n1')).children.map((c) => c.status)).toEqual(['running', 'running']);
    expect(await w.taken(PARENT)).toEqual([1, 2, 3, 'xstate.done.actor.call']);
    expect(await w.taken(KID)).toEqual(['work', 'xstate.done.actor.quick', 'xstate.done.actor.call', 'more']);
    expect(w.repeated()).toEqual([]);
    expect(['quick', 'slow'].map((input) => w.calls.filter((c) => c.input === input).length)).toEqual([1, 4]);
  });
});

describe.each(['one_for_all', 'rest_for_one'] as const)('failures in a group that begins anew each time, %s', (strategy) => {
  const FRAIL = `${SUP}/frail`;
  const child = (id: string, more = {}) => ({ id, address: `${SUP}/${id}`, logic: id === 'frail' ? 'plain' : id, ...more });
  const group = (w: World, more = {}, intensity = 1): Promise<void> =>
    start(w, {
      children: [child('frail', more), child('sibling')],
      flags: { strategy, intensity, periodMs: 600_000, backoff: { minMs: 1_000, jitter: 0 } },
    });
  const bad = (n: unknown) => sendTo(FRAIL, { type: 'm', n, boom: true });
  const attempts = async (w: World): Promise<unknown[]> =>
    (await w.records(FRAIL)).flatMap((r) => (r.kind === 'failed' && r.attempt > 0 ? [[r.meta.id ?? r.meta.via, r.attempt]] : []));

  test('a message that always fails is dead after three, over a death of the process too, and spends one restart', async () => {
    const w = world();
    await w.up('n1', ['a']);
    await group(w);
    await w.send('a.plain1', { type: 'go', do: [bad('bad'), sendTo(FRAIL, { type: 'm', n: 'good' })] });
    await w.advance(1_500);
    expect((await attempts(w)).length).toBe(2);
    expect(await lives(w, `${SUP}/sibling`)).toBe(2);
    w.crash('n1');
    await w.up('n2', ['a']);
    await w.advance(120_000);
    expect(await attempts(w)).toEqual([1, 2, 3].map((n) => ['a.plain1!2.0', n]));
    expect(await w.dead(FRAIL)).toEqual(['poison:bad']);
    expect(await w.taken(FRAIL)).toEqual(['good']);
    const { restarts, children } = await stateOf(w, 'n2');
    expect(restarts.length).toBe(1);
    expect(children.map((c) => [c.key, c.status])).toEqual([
      ['frail', 'running'],
      ['sibling', 'running'],
    ]);
    expect(await lives(w, FRAIL)).toBeGreaterThan(2);
  });

  test('two that fail by turns are counted each for itself', async () => {
    const w = world();
    await w.up('n1', ['a']);
    await w.up('n2', ['b']);
    await group(w, {}, 9);
    await w.send('b.plain1', { type: 'go', do: [bad('one')] });
    await w.advance(1_500);
    // Both processes die; the other message is there first.
    w.crash('n2');
    w.crash('n1');
    await w.up('n3', ['a']);
    await w.advance(5_000);
    await w.send('a.plain2', { type: 'go', do: [bad('two')] });
    await w.advance(300_000);
    await w.up('n4', ['b']);
    await w.advance(300_000);
    expect(await attempts(w)).toEqual([
      ...[1, 2].map((n) => ['b.plain1!2.0', n]),
      ...[1, 2, 3].map((n) => ['a.plain2!2.0', n]),
      ['b.plain1!2.0', 3],
    ]);
    expect(await w.dead(FRAIL)).toEqual(['poison:two', 'poison:one']);
  });

  test('a result that always fails parks a child that keeps its history; the others go on', async () => {
    const w = world();
    await w.up('n1', ['a']);
    await group(w, { history: 'with' });
    w.answer = (_call, done) => done({ boom: true });
    await w.send(FRAIL, { type: 'go', n: 'go', do: [spawn('call', 'tool', 1)] });
    await w.advance(120_000);
    expect(await attempts(w)).toEqual([1, 2, 3].map((n) => [`${FRAIL}!2.0`, n]));
    expect((await stateOf(w, 'n1')).children.map((c) => [c.key, c.status])).toEqual([
      ['frail', 'parked'],
      ['sibling', 'running'],
    ]);
    expect([await lives(w, FRAIL), w.calls.length]).toEqual([1, 1]);
  });
});
