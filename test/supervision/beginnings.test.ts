/** Actors whose first step fails: they have failed, and are shown so, whoever looks; whoever wrote to them hears of it. */
import { describe, expect, test } from 'vitest';
import type { Address } from '../../core/address.ts';
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
