/** Editing an agent between two runs: what fits goes on, what does not is parked alone, and every choice that a person has. */
import { afterEach, describe, expect, test } from 'vitest';
import { type AnyActorLogic, type AnyActorRef, assign, sendTo, setup } from 'xstate';
import { composeMesh } from '../../cli/compose-mesh.ts';
import { IN_CODE } from '../../core/config/check-mesh.ts';
import type { EventObject } from '../../core/effect.ts';
import { isMeshError } from '../../core/errors.ts';
import type { Mesh } from '../../core/mesh.ts';
import { machineLogic } from '../../core/kernel.ts';
import type { NodeEvent } from '../../core/node/news.ts';
import { memory, type MemoryStore } from '../../persistence/memory.ts';
import { order } from './edited.ts';
import { greeter } from './machines.ts';

const CONFIG = { mesh: 'shop', actors: { order: {}, greeter: {} } };
const open: Mesh[] = [];
afterEach(async () => {
  for (const mesh of open.splice(0)) await stop(mesh);
});

/** Packing never ends: nobody waits for it. */
const stop = (mesh: Mesh): Promise<void> => mesh.stop(20);

/** Runs the shop with this order over the store. */
async function shop(store: MemoryStore, machine: AnyActorLogic, events: NodeEvent[] = []): Promise<Mesh> {
  const { mesh } = await composeMesh(
    { ...IN_CODE, config: CONFIG, folder: '.' },
    { order: machine, greeter },
    { store, onEvent: (event) => events.push(event) },
  );
  open.push(mesh);
  await mesh.start();
  await mesh.openChanged();
  return mesh;
}

async function send(mesh: Mesh, ...events: EventObject[]): Promise<void> {
  for (const event of events) await mesh.send('order', event);
}
const paid = (sum: number): EventObject => ({ type: 'paid', sum });

/** A store in which the old order took these events and was then stopped. `killed`: without a checkpoint. */
async function written(machine: AnyActorLogic, events: readonly EventObject[], killed = false): Promise<MemoryStore> {
  const store = memory();
  const mesh = await shop(store, machine);
  await send(mesh, ...events);
  await (killed ? kill(mesh, store) : stop(mesh));
  return store;
}

async function kill(mesh: Mesh, store: MemoryStore): Promise<void> {
  mesh.node.crash();
  open.splice(open.indexOf(mesh), 1);
  // What a process that is gone does not renew is ended by who opens its store.
  for (const { session, counter } of await store.sessions()) await store.end(session, counter);
}

const parkedOf = (events: readonly NodeEvent[]): NodeEvent | undefined => events.find((e) => e.type === 'actor.parked');

describe.each([
  ['after a clean stop', false],
  ['after kill -9', true],
])('%s', (_when, killed) => {
  describe('what fits goes on', () => {
    test.each([
      ['nothing but the version', order({ returned: false, price: 10 })],
      ['a state that the log has never been in', order({ returned: true })],
      ['a guard that decides all that has happened as before', order({ price: 9 })],
      ['the delay of an `after` that is not waited for', order({ patience: 1 })],
    ])('%s', async (_what, edited) => {
      const store = await written(order(), [paid(4), paid(6)], killed);
      const events: NodeEvent[] = [];
      const mesh = await shop(store, edited, events);
      expect(parkedOf(events)).toBeUndefined();
      expect(await mesh.inspect.state('order')).toMatchObject({ value: 'packing', context: { paid: 10 } });
      await send(mesh, { type: 'packed' });
      expect(await mesh.inspect.state('order')).toMatchObject({ value: 'sent' });
    });

    test('and takes the edit from then on', async () => {
      const store = await written(order(), [paid(4)], killed);
      const mesh = await shop(store, order({ price: 5 }));
      await send(mesh, paid(1));
      expect(await mesh.inspect.state('order')).toMatchObject({ value: 'packing', context: { paid: 5 } });
    });
  });

  test('an edited delay goes on: what is set keeps its deadline, what is set from then on has the new one', async () => {
    const waits = async (mesh: Mesh): Promise<number[]> => {
      const { tables } = (await mesh.node.cellAt('order')).actor;
      return Array.from(tables.timers?.values() ?? [], ({ due }) => due - tables.lastTs);
    };
    const store = await written(order({ impatient: true, patience: 5_000_000 }), [paid(1)], killed);
    const events: NodeEvent[] = [];
    const mesh = await shop(store, order({ impatient: true, patience: 1_000_000 }), events);
    expect(parkedOf(events)).toBeUndefined();
    expect((await waits(mesh))[0]).toBeGreaterThan(4_000_000);
    const shown: unknown[] = [];
    for await (const { effects } of mesh.inspect.frames('order'))
      shown.push(...effects.map((e) => e.kind === 'timer' && e.delay));
    expect(shown).toContain(5_000_000);
    expect(shown).not.toContain(1_000_000);
    await send(mesh, paid(1));
    const [anew = 0] = await waits(mesh);
    expect(anew).toBeGreaterThan(900_000);
    expect(anew).toBeLessThanOrEqual(1_000_000);
  });

  describe('what does not fit is parked alone', () => {
    test.each([
      ['a renamed state', [paid(10)], order({ packing: 'wrapping' })],
      ['a guard that decides otherwise', [paid(4), paid(6)], order({ price: 4 })],
      ['an invoke of another id', [paid(10)], order({ invoke: { id: 'wrap', src: 'pack' } })],
      ['an invoke of another source', [paid(10)], order({ invoke: { id: 'pack', src: 'wrap' } })],
      ['an `after` where there was none', [paid(1)], order({ impatient: true })],
    ])('%s', async (_what, events, edited) => {
      const store = await written(order(), events, killed);
      const seen: NodeEvent[] = [];
      const mesh = await shop(store, edited, seen);
      expect(parkedOf(seen)).toMatchObject({ actor: 'order' });
      expect(['REPLAY_DIVERGED', 'CHECKPOINT_INCOMPATIBLE']).toContain(parkedOf(seen)?.['code']);
      await expect(send(mesh, { type: 'packed' })).rejects.toSatisfy(
        (error) => isMeshError(error, 'REPLAY_DIVERGED') || isMeshError(error, 'CHECKPOINT_INCOMPATIBLE'),
      );
      // Its neighbours run.
      expect(await mesh.ask('greeter', { type: 'greet', name: 'Ada' })).toMatchObject({ type: 'hello' });
      const row = (await mesh.list()).find((actor) => actor.address === 'order');
      expect(row?.phase).toBe('parked');
    });

    test('an `after` that is gone while its timer is set', async () => {
      const store = await written(order({ impatient: true }), [paid(1)], killed);
      const events: NodeEvent[] = [];
      await shop(store, order(), events);
      expect(parkedOf(events)).toMatchObject({ actor: 'order' });
    });

    test('however often it is started so, it has no strike: its process did not die of it', async () => {
      const store = await written(order(), [paid(10)], killed);
      for (let i = 0; i < 4; i++) await stop(await shop(store, order({ packing: 'wrapping' })));
      const mesh = await shop(store, order());
      await send(mesh, { type: 'packed' });
      expect(await mesh.inspect.state('order')).toMatchObject({ value: 'sent' });
    });

    test('and goes on when the edit is undone', async () => {
      const store = await written(order(), [paid(10)], killed);
      await stop(await shop(store, order({ packing: 'wrapping' })));
      const mesh = await shop(store, order());
      await send(mesh, { type: 'packed' });
      expect(await mesh.inspect.state('order')).toMatchObject({ value: 'sent' });
    });
  });
});

test('where many of a kind do not fit, the rest is left until it is spoken to', async () => {
  const config = { mesh: 'shop', actors: { order: { kind: 'keyed' as const } } };
  const store = memory();
  const start = async (machine: AnyActorLogic): Promise<Mesh> => {
    const { mesh } = await composeMesh({ ...IN_CODE, config, folder: '.' }, { order: machine }, { store });
    open.push(mesh);
    await mesh.start();
    await mesh.openChanged();
    return mesh;
  };
  const first = await start(order());
  await Promise.all(Array.from({ length: 130 }, (_, i) => first.send(`order/${i}`, paid(1))));
  await stop(first);
  const mesh = await start(order({ impatient: true }));
  const parked = mesh.node.live().filter((status) => status.phase === 'parked');
  expect(parked).toHaveLength(100);
  const other = (await mesh.list()).find((a) => a.phase === 'passive')?.address ?? '';
  await expect(mesh.send(other, paid(1))).rejects.toMatchObject({ code: 'CHECKPOINT_INCOMPATIBLE' });
});

describe('the choices', () => {
  const edited = order({ packing: 'wrapping' });
  const rename = (old: unknown): unknown => ({ ...(old as object), value: 'wrapping' });

  test('migrate goes on from what a function makes of the old snapshot', async () => {
    const mesh = await shop(await written(order(), [paid(10)]), edited);
    let from: unknown;
    await mesh.upkeep.migrate('order', (old, was) => {
      from = { old, was };
      return rename(old);
    });
    expect(from).toMatchObject({ old: { value: 'packing', context: { paid: 10 } }, was: { version: '{}' } });
    expect(await mesh.inspect.state('order')).toMatchObject({ value: 'wrapping', context: { paid: 10 } });
    await send(mesh, { type: 'packed' });
    expect(await mesh.inspect.state('order')).toMatchObject({ value: 'sent' });
  });

  describe('timers in a migration', () => {
    const HOUR = 3_600_000;
    const before = order({ impatient: true });
    const after = order({ impatient: true, unpaid: 'waiting' });
    const set = async (mesh: Mesh) => Array.from((await mesh.node.cellAt('order')).actor.tables.timers?.values() ?? []);

    test('that of a state that was renamed goes by the new name, at its deadline', async () => {
      const store = await written(before, [paid(4)]);
      const mesh = await shop(store, after);
      let due = 0;
      await mesh.upkeep.migrate('order', (old) => {
        expect(old.timers).toEqual([
          { id: 'order!2.1', name: 'xstate.after.patience.order.unpaid', due: expect.any(Number) as number },
        ]);
        due = old.timers[0]?.due ?? 0;
        return { ...old, value: 'waiting' };
      });
      expect(due).toBeGreaterThan(Date.now() + HOUR / 2);
      const name = 'xstate.after.patience.order.waiting';
      expect(await set(mesh)).toMatchObject([{ id: 'order!2.1', timer: name, due, event: { type: name } }]);
      expect(await mesh.inspect.state('order')).toMatchObject({ value: 'waiting', context: { paid: 4 } });
    });

    test('what the function gives back is what is set', async () => {
      const store = await written(order(), [paid(4)]);
      const mesh = await shop(store, order({ impatient: true }));
      await expect(mesh.upkeep.migrate('order', (old) => old)).rejects.toThrow(/has an `after` now .* nothing would wake it/);
      const name = 'xstate.after.patience.order.unpaid';
      await mesh.upkeep.migrate('order', (old) => ({ ...old, timers: [{ name, due: Date.now() - 1 }] }));
      await expect.poll(async () => (await mesh.inspect.state('order')).value).toBe('canceled');
    });

    test('one that nothing waits for any more is left out by the function', async () => {
      const store = await written(before, [paid(4)]);
      const mesh = await shop(store, order());
      await expect(mesh.upkeep.migrate('order', (old) => old)).rejects.toThrow(/no state has such an 'after' any more/);
      await mesh.upkeep.migrate('order', (old) => ({ ...old, timers: [] }));
      expect(await set(mesh)).toEqual([]);
    });

    test.each([
      ['`timers` is no list', {}],
      ['entry 0 needs a `name`', [{ due: 1 }]],
      ['entry 0 needs a `name`', [{ name: 'x', due: Number.NaN }]],
      ['entry 0 has the id order!9.9', [{ id: 'order!9.9', name: 'x', due: 1 }]],
    ])('refused: %s', async (why, timers) => {
      const mesh = await shop(await written(before, [paid(4)]), after);
      const refused = mesh.upkeep.migrate('order', (old) => ({ ...old, timers }));
      await expect(refused).rejects.toMatchObject({
        code: 'CHECKPOINT_INCOMPATIBLE',
        message: expect.stringContaining(why) as string,
      });
    });
  });

  test('a migration that is refused writes nothing', async () => {
    const mesh = await shop(await written(order(), [paid(10)], true), edited);
    const head = async () => (await mesh.store.head(mesh.inspect.stream('order'))).head;
    const before = await head();
    for (let i = 0; i < 3; i++)
      await expect(mesh.upkeep.migrate('order', (old) => old)).rejects.toMatchObject({ code: 'CHECKPOINT_INCOMPATIBLE' });
    expect(await head()).toBe(before);
    expect((await mesh.list()).find((a) => a.address === 'order')?.phase).toBe('parked');
  });

  test('what a migration makes must fit the new chart', async () => {
    const mesh = await shop(await written(order(), [paid(10)]), edited);
    await expect(mesh.upkeep.migrate('order', (old) => old)).rejects.toMatchObject({ code: 'CHECKPOINT_INCOMPATIBLE' });
    await mesh.upkeep.migrate('order', rename);
  });

  test('far from a checkpoint it needs the old code, or says what is lost', async () => {
    const store = await written(order(), [paid(4), paid(6)], true);
    const mesh = await shop(store, edited);
    await expect(mesh.upkeep.migrate('order', rename)).rejects.toMatchObject({ code: 'CHECKPOINT_INCOMPATIBLE' });
    await mesh.upkeep.migrate('order', rename, { old: machineLogic(order()) });
    expect(await mesh.inspect.state('order')).toMatchObject({ value: 'wrapping', context: { paid: 10 } });
    expect(await mesh.inspect.deadLetters('order')).toEqual([]);
  });

  test('reset begins anew above the old log, and tells what could not be derived', async () => {
    const store = await written(order(), [paid(4), paid(6)], true);
    const mesh = await shop(store, edited);
    const before = (await store.head(mesh.inspect.stream('order'))).head;
    await expect(mesh.upkeep.reset('order')).rejects.toMatchObject({ code: 'CHECKPOINT_INCOMPATIBLE' });
    await mesh.upkeep.reset('order', { acceptLoss: true });
    expect(await mesh.inspect.state('order')).toMatchObject({ value: 'unpaid', context: { paid: 0 } });
    expect((await store.head(mesh.inspect.stream('order'))).head).toBeGreaterThan(before);
    expect((await mesh.inspect.deadLetters('order')).map((l) => l.cause)).toEqual(['underivable', 'underivable', 'underivable']);
    await send(mesh, paid(10));
    expect(await mesh.inspect.state('order')).toMatchObject({ value: 'wrapping' });
  });

  test('nor of what a timer that nobody knows any more has sent', async () => {
    const later = (version: string) =>
      setup({ delays: { soon: 1 } }).createMachine({
        id: 'order',
        version,
        initial: 'a',
        states: { a: { entry: version === '2' ? assign({ edited: true }) : [] } },
        on: {
          go: {
            actions: sendTo(
              ({ system }) => system.get('greeter') as AnyActorRef,
              { type: 'greet', name: 'Ada' },
              { delay: 'soon' },
            ),
          },
        },
      });
    const hasFired = async (mesh: Mesh): Promise<boolean> => {
      for await (const { kind } of mesh.inspect.records('order')) if (kind === 'fired') return true;
      return false;
    };
    const store = memory();
    const old = await shop(store, later('1'));
    await send(old, { type: 'go' });
    while (!(await hasFired(old))) await new Promise((done) => setTimeout(done, 5));
    await kill(old, store);
    const mesh = await shop(store, later('2'));
    await expect(mesh.upkeep.reset('order')).rejects.toMatchObject({ code: 'CHECKPOINT_INCOMPATIBLE' });
    await mesh.upkeep.reset('order', { acceptLoss: true });
    expect((await mesh.inspect.deadLetters('order')).map((l) => l.event.type)).toEqual(['reprise.init', 'go', 'reprise.fired']);
  });

  test('fork goes on beside it from the last record that the new code repeats', async () => {
    const store = await written(order(), [paid(4), paid(6)]);
    const mesh = await shop(store, order({ price: 4 }));
    const fork = await mesh.upkeep.fork('order');
    expect(fork).toMatchObject({ address: 'order~1' });
    expect(await mesh.inspect.state('order~1')).toMatchObject({ value: 'unpaid', context: { paid: 0 } });
    await mesh.send('order~1', paid(4));
    expect(await mesh.inspect.state('order~1')).toMatchObject({ value: 'packing', context: { paid: 4 } });
    expect((await mesh.list()).find((a) => a.address === 'order')?.phase).toBe('parked');
    expect((await mesh.upkeep.fork('order')).address).toBe('order~2');
    await expect(mesh.upkeep.fork('order', { as: '1' })).rejects.toMatchObject({ code: 'USAGE' });
  });

  test('fork at any record, telling what does not come along', async () => {
    const mesh = await shop(await written(order(), [paid(4), paid(6)]), order());
    const { head } = await mesh.store.head(mesh.inspect.stream('order'));
    expect(await mesh.upkeep.fork('order', { as: 'whole' })).toEqual({
      address: 'order~whole',
      from: head,
      of: head,
      state: 'packing',
      pending: ['pack'],
    });
    const early = await mesh.upkeep.fork('order', { at: 2, as: 'early' });
    expect(early).toMatchObject({ from: 2, of: head, state: 'unpaid', pending: [] });
    expect(await mesh.inspect.state('order~early')).toMatchObject({ value: 'unpaid', context: { paid: 4 } });
  });

  test.each([
    ['migrated', (mesh: Mesh) => mesh.upkeep.migrate('order', rename)],
    ['reset', (mesh: Mesh) => mesh.upkeep.reset('order')],
  ])('one that was %s takes the next edit as any other does', async (_how, choose) => {
    const store = await written(order(), [paid(10)]);
    const first = await shop(store, edited);
    await choose(first);
    await send(first, { type: 'packed' }, paid(10), { type: 'packed' });
    await stop(first);
    // The code that wrote what lies below no longer counts.
    const events: NodeEvent[] = [];
    const mesh = await shop(store, order({ packing: 'wrapping', returned: true }), events);
    expect(parkedOf(events)).toBeUndefined();
    await send(mesh, { type: 'cancel' });
    expect((await mesh.inspect.state('order')).status).toBe('done');
  });

  test('a life that was begun by hand is all that counts', async () => {
    const store = await written(order(), [paid(4), paid(6)]);
    const first = await shop(store, order());
    await first.operations.stop('order');
    expect(await first.operations.restart('order')).toBe('started');
    await stop(first);
    const events: NodeEvent[] = [];
    const mesh = await shop(store, order({ price: 4 }), events);
    expect(parkedOf(events)).toBeUndefined();
    await send(mesh, paid(4));
    expect(await mesh.inspect.state('order')).toMatchObject({ value: 'packing', context: { paid: 4 } });
  });

  test('and once more after kill -9', async () => {
    const store = await written(order(), [paid(10)]);
    const first = await shop(store, edited);
    await first.upkeep.migrate('order', rename);
    await send(first, { type: 'packed' });
    first.node.crash();
    open.splice(open.indexOf(first), 1);
    for (const { session, counter } of await store.sessions()) await store.end(session, counter);
    const events: NodeEvent[] = [];
    const mesh = await shop(store, order({ packing: 'wrapping', returned: true }), events);
    expect(parkedOf(events)).toBeUndefined();
    expect(await mesh.inspect.state('order')).toMatchObject({ value: 'sent' });
  });
});

test('what was parked and fits again is told as taken up, also where nothing lies above its checkpoint', async () => {
  const store = await written(order(), [paid(10)]);
  const events: NodeEvent[] = [];
  const { mesh, registry } = await composeMesh(
    { ...IN_CODE, config: CONFIG, folder: '.' },
    { order: order({ packing: 'wrapping' }), greeter },
    { store, onEvent: (event) => events.push(event) },
  );
  open.push(mesh);
  await mesh.start();
  await mesh.openChanged();
  expect(parkedOf(events)).toMatchObject({ actor: 'order' });
  registry.set('order', { logic: machineLogic(order()) });
  events.length = 0;
  mesh.node.forget('order');
  await mesh.node.reopen('order');
  expect(events).toContainEqual(expect.objectContaining({ type: 'actor.recovered', actor: 'order' }));
});
