/** Schedules D19 and D20 of DELIVERY §8: supervisors and their children on real nodes under virtual time. */
import { describe, expect, test } from 'vitest';
import type { Address } from '../../core/address.ts';
import type { SupervisorConfig } from '../../core/supervision/child-spec.ts';
import type { EventObject } from '../../core/effect.ts';
import { supervisor } from '../../core/supervisor.ts';
import type { SupervisionState } from '../../core/supervision/supervision.ts';
import { World } from './world.ts';

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
    await w.up('n1', ['a']);
    const child = (id: string) => ({ id, address: `${SUP}/${id}`, logic: 'plain' });
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
