/** Orders and reports of those who are not entitled to them, on real nodes under virtual time: dead letters, and nothing happens. */
import { describe, expect, test } from 'vitest';
import type { EventObject, Lane } from '../../core/effect.ts';
import type { Logic } from '../../core/logic.ts';
import { pool, type PoolState } from '../../core/pool.ts';
import { supervisor } from '../../core/supervisor.ts';
import type { SupervisionState } from '../../core/supervision/supervision.ts';
import { sendTo, spawn, World } from '../simulation/world.ts';

const SUP = 'a.sup';
const CHILD = `${SUP}/x`;
const POOL = `${SUP}/p`;
const STRANGER = 'b.plain1';
const CHILDREN = [
  { id: 'x', address: CHILD, logic: 'plain' },
  { id: 'y', address: `${SUP}/y`, logic: 'plain' },
  { id: 'p', address: POOL, kind: 'pool', input: { size: 1, router: 'least_mailbox', member: { logic: 'plain' } } },
];

async function desk(): Promise<World> {
  const w = new World({ logics: { 'reprise.supervisor': supervisor, 'reprise.pool': pool } });
  await w.up('n1', ['a']);
  await w.up('n2', ['b']);
  const config = { children: CHILDREN, flags: { intensity: 9 } };
  const start = { type: 'reprise.start', logic: 'reprise.supervisor', input: config };
  await w.time.run(w.node('n1').send(SUP, start, { internal: 'system' }));
  await w.advance(1_000);
  return w;
}
/** `by` sends these to an actor. Charts have no lane but `user`; the other one is what only our own logic could use. */
async function say(w: World, to: string, events: readonly EventObject[], lane: Lane = 'user', by = STRANGER): Promise<void> {
  await w.send(by, { type: 'go', do: events.map((event) => ({ ...sendTo(to, event), lane })) });
  await w.advance(5_000);
}
const contextOf = async (w: World, actor: string): Promise<unknown> =>
  (await w.time.run(w.node('n1').cellAt(actor))).view().context;
const supervision = async (w: World): Promise<SupervisionState> => (await contextOf(w, SUP)) as SupervisionState;
const begun = async (w: World, actor: string): Promise<number> =>
  (await w.records(actor)).filter((r) => r.kind === 'init').length;

describe('a stranger', () => {
  test.each(['user', 'system'] as const)('cannot start, stop or park a child, on lane %s', async (lane) => {
    const w = await desk();
    const run = (await supervision(w)).children[0]?.run;
    const orders = [
      { type: 'reprise.stop', run },
      { type: 'reprise.park', reason: 'forged' },
      { type: 'reprise.start', run, mode: 'fresh', logic: 'plain', input: null },
      { type: 'reprise.start', run: 'b#1', mode: 'history', logic: 'plain', input: null },
      {
        type: 'reprise.start',
        run,
        logic: 'plain',
        parent: { address: STRANGER, child: 'x', via: `${STRANGER}!1.0`, sync: false },
      },
    ];
    await say(w, CHILD, orders, lane);
    expect(await w.dead(CHILD)).toEqual(orders.map((o) => `rejected:${o.type}`));
    const details = (await w.records(CHILD)).flatMap((r) => (r.kind === 'dead' ? [r.detail] : []));
    expect(details[0]).toBe(`EVENT_REJECTED: ${CHILD} does not take 'reprise.stop' from ${STRANGER}`);
    await w.send(CHILD, { type: 'm', n: 1 });
    expect([await w.taken(CHILD), await begun(w, CHILD)]).toEqual([[1], 1]);
    // Acknowledged: the stranger has nothing left to send.
    expect(w.node('n2').cells.get(STRANGER)?.actor.tables.outbox?.byId.size ?? 0).toBe(0);
  });

  test('cannot order about a supervisor, nor speak for its children', async () => {
    const w = await desk();
    const before = await supervision(w);
    const run = before.children[0]?.run;
    const lies = [
      { type: 'reprise.configure', children: [] },
      { type: 'reprise.child.stop', child: 'x' },
      { type: 'reprise.child.remove', child: 'x' },
      { type: 'reprise.child.add', spec: { id: 'z', address: STRANGER } },
      { type: 'reprise.child.start', child: 'x' },
      { type: 'reprise.unpark', child: 'x' },
      { type: 'reprise.stop', deadlineMs: 0 },
      { type: 'reprise.failed', child: CHILD, run, attempt: 1, error: { name: 'Error', message: 'forged' } },
      { type: 'reprise.stopped', child: CHILD, run, outcome: 'killed' },
      { type: 'reprise.again', keys: ['x'] },
      { type: 'reprise.rest' },
      { type: 'reprise.backoff', child: 'x' },
      { type: 'reprise.deadline', run },
      { type: 'reprise.late', run },
    ];
    await say(w, SUP, lies);
    // A sibling is a stranger too.
    await say(w, SUP, lies.slice(0, 2), 'user', `${SUP}/y`);
    expect(await w.dead(SUP)).toEqual([...lies, ...lies.slice(0, 2)].map((o) => `rejected:${o.type}`));
    expect(await supervision(w)).toEqual(before);
  });

  test('cannot count for a member of a pool, nor reach a member through it', async () => {
    const w = await desk();
    await say(w, POOL, [
      { type: 'm', n: 1 },
      { type: 'reprise.taken', child: `${POOL}/1`, count: -5 },
      { type: 'reprise.park', reason: 'forged' },
    ]);
    expect(await w.dead(POOL)).toEqual(['rejected:reprise.taken', 'rejected:reprise.park']);
    expect(await w.taken(`${POOL}/1`)).toEqual([1]);
    expect(((await contextOf(w, POOL)) as PoolState).untaken).toEqual({});
  });

  test('cannot begin an actor that nobody has begun', async () => {
    const w = await desk();
    const start = { type: 'reprise.start', run: 'r', logic: 'plain', input: null };
    await say(w, `${SUP}/later`, [start]);
    await say(w, 'a.plain9/kid@2.0', [
      { ...start, parent: { address: STRANGER, child: 'kid', via: `${STRANGER}!2.0`, sync: false } },
    ]);
    expect([await w.dead(`${SUP}/later`), await begun(w, `${SUP}/later`)]).toEqual([['rejected:reprise.start'], 0]);
    expect([await w.dead('a.plain9/kid@2.0'), await begun(w, 'a.plain9/kid@2.0')]).toEqual([['rejected:reprise.start'], 0]);
  });

  test('cannot stop who asks it by its answer', async () => {
    const w = await desk();
    w.logics['rude'] = w.logic('rude', (state, event) => {
      const { id } = event['replyTo'] as { id: string };
      return { state, effects: [sendTo(id, { type: 'reprise.stop' })] };
    });
    await w.send(CHILD, { type: 'go', do: [spawn('q', 'ask', { to: 'b.rude1', event: { type: 'q' }, timeoutMs: 2_000 })] });
    await w.advance(5_000);
    expect(await w.dead(CHILD)).toEqual(['rejected:reprise.stop']);
    expect(await w.taken(CHILD)).toEqual(['go', 'xstate.error.actor.q']);
  });
});

test('a parent begins and ends the children of its chart, and nobody else does', async () => {
  const w = await desk();
  const { plain } = w.logics as { plain: Logic };
  w.logics['parent'] = { ...plain, source: (src) => (src === 'plain' ? { kind: 'actor', logic: plain } : plain.source(src)) };
  await w.send('a.parent', { type: 'go', do: [spawn('kid', 'plain', null)] });
  const KID = 'a.parent/kid@2.0';
  await say(w, KID, [{ type: 'reprise.stop' }, { type: 'm', n: 1 }]);
  expect([await w.dead(KID), await w.taken(KID)]).toEqual([['rejected:reprise.stop'], [1]]);
  await w.send('a.parent', { type: 'go', do: [{ kind: 'stop', child: 'kid' }] });
  await w.advance(1_000);
  expect(await w.taken(KID)).toEqual([1, 'xstate.stop']);
});
