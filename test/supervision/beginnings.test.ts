/** Actors whose first step fails: they have failed, and are shown so, whoever looks; whoever wrote to them hears of it. */
import { describe, expect, test } from 'vitest';
import type { Address } from '../../core/address.ts';
import { resend } from '../../core/cell/decisions.ts';
import type { Logic } from '../../core/logic.ts';
import { Inspection } from '../../core/operator/inspection.ts';
import { reducer } from '../../core/reducer.ts';
import { supervisor } from '../../core/supervisor.ts';
import { frames } from '../../core/replay.ts';
import { all } from '../conformance/records.ts';
import { sendTo, spawn, World } from '../simulation/world.ts';

const SUP = 'a.sup';
const CHILD = `${SUP}/x`;
const WHY = 'no key in the drawer';

/** Begins only when `drawer.key` is there, and never from 'nothing'. */
const shy = (drawer: { key?: string }): Logic =>
  reducer<{ readonly got: readonly unknown[] }, unknown>({
    id: 'shy',
    version: '1',
    init: (input) => {
      if (drawer.key === undefined || input === 'nothing') throw new RangeError(WHY);
      return { state: { got: [] }, effects: [] };
    },
    step: (state, event) => ({ state: { got: [...state.got, event['n']] }, effects: [] }),
  });

async function up(drawer: { key?: string } = {}): Promise<World> {
  const w = new World({ logics: { 'reprise.supervisor': supervisor, shy: shy(drawer) }, passivateAfterMs: 2_000 });
  await w.up('n1', ['a']);
  return w;
}
const inspect = (w: World): Inspection => new Inspection({ store: w.store, plan: w.plan() });
const shown = async (w: World, address: Address) => (await inspect(w).list()).find((a) => a.address === address);
/** What `from` has sent to `to`, and is not heard to be taken. */
const unacknowledged = (w: World, from: Address, to: Address): number =>
  [...(w.node('n1').cells.get(from)?.actor.tables.outbox?.byId.values() ?? [])].filter((send) => send.to === to).length;

describe('a child that cannot begin', () => {
  const start = async (w: World): Promise<void> => {
    const children = [{ id: 'x', address: CHILD, logic: 'shy' }];
    const flags = { intensity: 0, backoff: { minMs: 0 } };
    const config = { children: [], flags };
    const sent = w
      .node('n1')
      .send(SUP, { type: 'reprise.start', logic: 'reprise.supervisor', input: config }, { internal: 'system' });
    await w.advance(100);
    await sent;
    void w.node('n1').send(SUP, { type: 'reprise.configure', children, flags }, { internal: 'system' });
    await w.advance(1_000);
  };

  test('has taken its order: its supervisor owes nothing, and its cell comes to rest', async () => {
    const w = await up();
    await start(w);
    expect((await w.records(CHILD)).map((r) => r.kind)).toEqual(['failed']);
    expect(unacknowledged(w, SUP, CHILD)).toBe(0);
    await w.advance(10_000);
    expect(w.node('n1').cells.has(CHILD)).toBe(false);
  });

  test('is shown as failed, with its error, alive and stored, and after its process has died', async () => {
    const w = await up();
    await start(w);
    const looks = async (node: string): Promise<void> => {
      expect(
        w
          .node(node)
          .live()
          .find((a) => a.address === CHILD),
      ).toMatchObject({ phase: 'failed', reason: WHY });
      expect(await inspect(w).state(CHILD)).toMatchObject({ status: 'error', error: { name: 'RangeError', message: WHY } });
      expect((await all(frames(inspect(w).source, { shard: 'a/0', actor: CHILD }))).at(-1)?.after).toMatchObject({
        status: 'error',
      });
    };
    await looks('n1');
    w.crash('n1');
    await w.up('n2', ['a']);
    await w.advance(5_000);
    await w.time.run(w.node('n2').cellAt(CHILD));
    await looks('n2');
    // From its checkpoint too.
    await w.advance(10_000);
    expect(await shown(w, CHILD)).toMatchObject({ phase: 'failed', reason: WHY });
    await w.time.run(w.node('n2').cellAt(CHILD));
    await looks('n2');
  });

  test('refuses mail as one that has ended, and begins when it can', async () => {
    const drawer: { key?: string } = {};
    const w = await up(drawer);
    await start(w);
    await expect(w.send(CHILD, { type: 'm', n: 1 })).rejects.toMatchObject({ code: 'ACTOR_STOPPED' });
    drawer.key = 'here';
    await w.advance(10_000);
    const again = w.node('n1').send(SUP, { type: 'reprise.unpark', child: 'x' }, { internal: 'system' });
    await w.advance(1_000);
    await again;
    await w.send(CHILD, { type: 'm', n: 2 });
    expect(await w.taken(CHILD)).toEqual([2]);
    expect(await shown(w, CHILD)).toMatchObject({ phase: 'unfinished' });
  });

  test('after a life of its own: nothing of that life is shown', async () => {
    const w = await up({ key: 'here' });
    await start(w);
    await w.send(CHILD, { type: 'm', n: 1 });
    const fresh = { type: 'reprise.start', run: 'r9', logic: 'shy', input: 'nothing', mode: 'fresh' };
    void w.node('n1').send(CHILD, fresh, { internal: 'system' });
    await w.advance(1_000);
    const failed = { status: 'error', context: undefined, error: { message: WHY } };
    expect(await inspect(w).state(CHILD)).toMatchObject(failed);
    expect(w.node('n1').cells.get(CHILD)?.view()).toMatchObject(failed);
    w.crash('n1');
    await w.up('n2', ['a']);
    await w.advance(5_000);
    expect((await w.time.run(w.node('n2').cellAt(CHILD))).view()).toMatchObject(failed);
  });
});

test('a child of a chart that cannot begin: its parent hears of it, and owes nothing', async () => {
  const w = await up();
  const { plain } = w.logics as { plain: Logic };
  w.logics['parent'] = {
    ...plain,
    source: (src) => (src === 'shy' ? { kind: 'actor', logic: w.logics['shy'] as Logic } : plain.source(src)),
  };
  await w.send('a.parent', { type: 'go', do: [spawn('kid', 'shy', null)] });
  await w.advance(5_000);
  expect(await w.taken('a.parent')).toEqual(['go', 'xstate.error.actor.kid']);
  expect(unacknowledged(w, 'a.parent', 'a.parent/kid@2.0')).toBe(0);
});

test('a message that ends a child of a chart is taken, and no dead letter', async () => {
  const w = await up();
  const { plain } = w.logics as { plain: Logic };
  w.logics['parent'] = {
    ...plain,
    source: (src) => (src === 'plain' ? { kind: 'actor', logic: plain } : plain.source(src)),
  };
  await w.send('a.parent', { type: 'go', do: [spawn('kid', 'plain', null)] });
  await w.advance(100);
  const KID = 'a.parent/kid@2.0';
  await w.send('a.parent', { type: 'go', do: [sendTo(KID, { type: 'm', n: 'bad', boom: true })] });
  await w.advance(10_000);
  expect(await w.dead(KID)).toEqual([]);
  expect(unacknowledged(w, 'a.parent', KID)).toBe(0);
  expect(w.node('n1').cells.has(KID)).toBe(false);
});

describe('a keyed actor that cannot begin', () => {
  const CASE = 'a.case/shy1';
  const asks = (timeoutMs: number) => spawn('q', 'ask', { to: CASE, event: { type: 'q', n: 'question' }, timeoutMs });

  test('each message for it is a dead letter that says why, once, and nothing is tried for ever', async () => {
    const w = await up();
    await w.send('a.plain1', { type: 'go', do: [sendTo(CASE, { type: 'm', n: 1 }), sendTo(CASE, { type: 'm', n: 2 })] });
    await w.advance(1_000);
    expect(await w.dead(CASE)).toEqual(['rejected:1', 'rejected:2']);
    const letters = (await w.records(CASE)).flatMap((r) => (r.kind === 'dead' ? [r.detail] : []));
    expect(letters).toEqual(Array.from({ length: 2 }, () => expect.stringContaining(WHY) as string));
    expect(unacknowledged(w, 'a.plain1', CASE)).toBe(0);
    const { length } = await w.records(CASE);
    await w.advance(600_000);
    w.crash('n1');
    await w.up('n2', ['a']);
    await w.advance(600_000);
    expect((await w.records(CASE)).filter((r) => r.kind !== 'activated' && r.kind !== 'ready').length).toBe(length);
    expect(w.node('n2').cells.has(CASE)).toBe(false);
  });

  test('who sends or asks from outside is told why at once, and nothing is kept', async () => {
    const w = await up();
    const failure = { code: 'EVENT_REJECTED', message: expect.stringContaining(WHY) as string };
    await expect(w.send(CASE, { type: 'm', n: 1 })).rejects.toMatchObject(failure);
    const before = w.clocks.get('n1')?.now();
    await expect(w.time.run(w.node('n1').ask(CASE, { type: 'q' }))).rejects.toMatchObject(failure);
    expect((w.clocks.get('n1')?.now() ?? 0) - (before ?? 0)).toBeLessThan(1_000);
    expect(await w.records(CASE)).toEqual([]);
  });

  test('an actor that asks it hears of it at its deadline, and the question is a dead letter', async () => {
    const w = await up();
    await w.send('a.plain1', { type: 'go', do: [asks(5_000)] });
    await w.advance(20_000);
    const errors = (await w.records('a.plain1')).flatMap((r) =>
      r.kind === 'event' && r.event.type === 'xstate.error.actor.q' ? [(r.event['error'] as { code?: string }).code] : [],
    );
    expect(errors).toEqual(['ASK_TIMEOUT']);
    expect(await w.dead(CASE)).toEqual(['rejected:question']);
  });

  test('begins with the first message after the cause is gone; dead letters can be sent again then', async () => {
    const drawer: { key?: string } = {};
    const w = await up(drawer);
    await w.send('a.plain1', { type: 'go', do: [sendTo(CASE, { type: 'm', n: 1 })] });
    await w.advance(1_000);
    drawer.key = 'here';
    await w.send(CASE, { type: 'm', n: 2 });
    const cell = await w.time.run(w.node('n1').cellAt(CASE));
    const letter = (await w.records(CASE)).find((r) => r.kind === 'dead');
    expect(letter?.kind === 'dead' && resend(cell, letter.seq, letter.event, letter.cause)).toBeTruthy();
    await w.advance(1_000);
    expect(await w.taken(CASE)).toEqual([2, 1]);
  });
});
