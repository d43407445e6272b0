/** What fails: it is counted by what it is, whoever else fails meanwhile, and nobody outside waits for ever. */
import { describe, expect, test } from 'vitest';
import { resend, unpark } from '../../core/cell/decisions.ts';
import type { Effect } from '../../core/effect.ts';
import { isMeshError, MeshError } from '../../core/errors.ts';
import type { Logic } from '../../core/logic.ts';
import type { Node } from '../../core/node.ts';
import type { DeadRecord } from '../../core/record.ts';
import { sendTo, spawn, timer, World } from './world.ts';

const A = 'a.act1';

/** An actor whose actions count their runs in `runs`, and fail while `fails` names them. */
async function acting(): Promise<{ world: World; runs: Record<string, number>; fails: Set<string> }> {
  const world = new World();
  const runs: Record<string, number> = {};
  const fails = new Set<string>();
  const act = (name: string): Effect => ({
    kind: 'action',
    type: name,
    params: null,
    run: () => {
      runs[name] = (runs[name] ?? 0) + 1;
      if (fails.has(name)) throw new RangeError(`${name} fails`);
    },
  });
  world.logics['act'] = world.logic('act', (state, event) => ({
    state,
    effects: [...((event['acts'] as string[] | undefined) ?? []).map(act), ...((event['do'] as Effect[] | undefined) ?? [])],
  }));
  await world.up('n1', ['a']);
  return { world, runs, fails };
}
const attempts = async (world: World, actor: string): Promise<number[]> =>
  (await world.records(actor)).flatMap((r) => (r.kind === 'failed' && r.attempt > 0 ? [r.attempt] : []));

describe('three failures are three', () => {
  test('of each of two actions that fail by turns', async () => {
    const { world, runs, fails } = await acting();
    fails.add('one').add('two');
    await world.send(A, { type: 'go', acts: ['one', 'two'] });
    await world.advance(60_000);
    expect(world.node('n1').status(A)).toMatchObject({ phase: 'parked', reason: expect.stringContaining('action: ') as string });
    expect(runs['one']).toBeLessThanOrEqual(3);
    expect(runs['two']).toBeLessThanOrEqual(3);
  });

  test('of an action, however many events come meanwhile', async () => {
    const { world, runs, fails } = await acting();
    fails.add('one');
    await world.send(A, { type: 'go', acts: ['one'] });
    for (let i = 0; i < 100 && world.node('n1').status(A)?.phase === 'running'; i++) {
      await world.send(A, { type: 'other' }).catch(() => undefined);
      await world.advance(50);
    }
    expect(world.node('n1').status(A)?.phase).toBe('parked');
    expect(runs['one']).toBe(3);
    expect(await attempts(world, A)).toEqual([1, 2, 3]);
  });

  test('counted anew when a person lets it go on', async () => {
    const { world, runs, fails } = await acting();
    fails.add('one');
    await world.send(A, { type: 'go', acts: ['one'] });
    await world.advance(60_000);
    expect(runs['one']).toBe(3);
    const cell = await world.time.run(world.node('n1').cellAt(A));
    unpark(cell);
    await world.advance(10);
    expect(await attempts(world, A)).toEqual([1, 2, 3, 1]);
    fails.clear();
    await world.advance(60_000);
    expect(world.node('n1').status(A)?.phase).toBe('running');
    // The next record says that it is done.
    await world.send(A, { type: 'other' });
    expect(cell.actor.tables.failures?.size ?? 0).toBe(0);
  });

  test('of a message, although its actor begins anew each time', async () => {
    const world = new World();
    await world.up('n1', ['a']);
    await world.up('n2', ['b']);
    await world.advance(1_000);
    await world.send('b.plain1', { type: 'go', do: [sendTo('a.plain1', { type: 'm', n: 'bad', boom: true })] });
    for (let life = 1; life <= 4; life++) {
      await world.advance(20);
      // What a group strategy does with a child that failed.
      const fresh = { type: 'reprise.start', logic: 'plain', input: null, mode: 'fresh', run: `sup!${life}.0` };
      await world.time.run(world.node('n1').send('a.plain1', fresh, { internal: 'system' }));
      await world.advance(2_000);
    }
    expect(await attempts(world, 'a.plain1')).toEqual([1, 2, 3]);
    expect(await world.dead('a.plain1')).toEqual(['poison:bad']);
  });
});

describe('who waits outside hears of it', () => {
  const outcome = (sent: Promise<unknown>): { code?: string } => {
    const heard: { code?: string } = {};
    sent.then(
      () => (heard.code = 'taken'),
      (error: unknown) => (heard.code = isMeshError(error) ? error.code : String(error)),
    );
    return heard;
  };
  const sending = (world: World, actor: string, event: object): { code?: string } =>
    outcome(world.node('n1').send(actor, { type: 'm', ...event }, { internal: 'user' }));

  const poison = { type: 'm', n: 'bad', boom: true };
  const refused = (id: string, seq: number, message = 'boom bad'): object => ({
    code: 'STEP_FAILED',
    message: expect.stringContaining(message) as string,
    data: { id, seq },
  });
  const rejection = (world: World, sent: Promise<unknown>): Promise<unknown> => world.time.run(sent.catch((e: unknown) => e));

  test('when its actor failed on it three times: now, and at each repetition', async () => {
    const world = new World();
    const node = await world.up('n1', ['a']);
    await world.send('a.plain1', { type: 'm', n: 1 });
    expect(await rejection(world, node.send('a.plain1', poison, { id: 'mine' }))).toMatchObject(refused('mine', 6));
    expect((await world.records('a.plain1')).at(5)).toMatchObject({ kind: 'dead', cause: 'poison' });
    expect(await rejection(world, node.send('a.plain1', poison, { id: 'mine' }))).toMatchObject(refused('mine', 6));
    world.crash('n1');
    const crashed = await world.up('n1', ['a']);
    await world.advance(10_000);
    expect(await rejection(world, crashed.send('a.plain1', poison, { id: 'mine' }))).toMatchObject(refused('mine', 6));
    await world.stop('n1');
    const stopped = await world.up('n1', ['a']);
    expect(await rejection(world, stopped.send('a.plain1', poison, { id: 'mine' }))).toMatchObject(refused('mine', 6));
    expect(await world.dead('a.plain1')).toEqual(['poison:bad']);
  });

  test('when it asked, long before its time is over', async () => {
    const world = new World();
    const node = await world.up('n1', ['a']);
    const before = world.clocks.get('n1')?.monotonic() ?? 0;
    const error = await rejection(world, node.ask('a.plain1', poison, { id: 'mine', timeoutMs: 3_600_000 }));
    expect(error).toMatchObject(refused('mine', 5));
    expect((world.clocks.get('n1')?.monotonic() ?? 0) - before).toBeLessThan(2_000);
  });

  test('and when a person sends the dead letter again, the same id gets its reply', async () => {
    const world = new World();
    let isBroken = true;
    world.logics['echo'] = world.logic('echo', (state, event) => {
      if (isBroken) throw new RangeError('boom bad');
      return { state, effects: [sendTo((event['replyTo'] as { id: string }).id, { type: 'reply' })] };
    });
    const node = await world.up('n1', ['a']);
    const ask = (): Promise<unknown> => rejection(world, node.ask('a.echo1', { type: 'q' }, { id: 'mine' }));
    expect(await ask()).toMatchObject(refused('mine', 5));
    isBroken = false;
    const letter = (await world.records('a.echo1')).at(-1) as DeadRecord;
    resend(await world.time.run(node.cellAt('a.echo1')), letter.seq, letter.event, letter.cause);
    await world.advance(1_000);
    expect(await ask()).toEqual({ type: 'reply' });
  });

  test('not before what became of it is durable', async () => {
    const world = new World();
    await world.up('n1', ['a']);
    const held = world.fault({ on: 'append', actor: 'a.plain1', how: 'hold', match: (rs) => rs.some((r) => r.kind === 'dead') });
    const failing = sending(world, 'a.plain1', poison);
    await world.advance(3_000);
    expect(held.held?.length).toBe(1);
    expect(failing.code).toBeUndefined();
    held.held?.[0]?.();
    await world.advance(100);
    expect(failing.code).toBe('STEP_FAILED');
  });

  test('when the child of a chart ends of it', async () => {
    const world = new World();
    const child = world.logics['plain'] as Logic;
    world.logics['host'] = {
      ...world.logic('host', (state, event) => ({ state, effects: (event['do'] as Effect[] | undefined) ?? [] })),
      source: () => ({ kind: 'actor', logic: child }),
    };
    const node = await world.up('n1', ['a']);
    await world.send('a.host1', { type: 'go', do: [spawn('kid', 'kid', null)] });
    await world.advance(100);
    const kid = [...node.cells.keys()].find((address) => address.startsWith('a.host1/kid@')) as string;
    const error = await rejection(world, node.send(kid, poison, { id: 'mine' }));
    expect(error).toMatchObject({ ...refused('mine', 2), message: expect.stringContaining('has ended: boom bad') as string });
    expect(await rejection(world, node.send(kid, poison, { id: 'mine' }))).toMatchObject(refused('mine', 2));
    expect(await rejection(world, node.send(kid, { type: 'm' }, {}))).toMatchObject({ code: 'ACTOR_STOPPED' });
  });

  test.each([
    ['an address where nothing is created', 'nobody', {}, 'ACTOR_NOT_FOUND'],
    ['one that cannot begin', 'a.broken1', {}, 'EVENT_REJECTED'],
    ['one that has ended', 'a.ended1', {}, 'ACTOR_STOPPED'],
    ['an event of a child, from none', 'a.plain1', { type: 'xstate.done.actor.kid' }, 'EVENT_REJECTED'],
  ])('when it is for %s', async (_what, to, event, code) => {
    const world = new World({ supervised: ['nobody'] });
    world.logics['broken'] = {
      ...(world.logics['plain'] as Logic),
      init: () => ({ snapshot: undefined, effects: [], failed: { name: 'RangeError', message: 'no' } }),
    };
    const node = await world.up('n1', ['a', 'default']);
    await world.send('a.ended1', { type: 'm' });
    await world.time.run(node.send('a.ended1', { type: 'reprise.stop', run: 'sup!1.0' }, { internal: 'system' }));
    for (let i = 0; i < 2; i++) {
      const sent = node.send(to, { type: 'm', ...event }, { id: 'mine', internal: 'user' });
      expect(await rejection(world, sent)).toMatchObject({ code });
    }
  });

  test('when the actor is parked before its turn: it is not taken later', async () => {
    const { world, fails } = await acting();
    fails.add('one');
    await world.send(A, { type: 'go', acts: ['one'] });
    const cell = await world.time.run(world.node('n1').cellAt(A));
    await world.advance(10);
    const waiting = sending(world, A, { n: 'late' });
    cell.park('by a person');
    await world.advance(1_000);
    expect(waiting.code).toBe('ACTOR_PARKED');
    fails.clear();
    unpark(cell);
    await world.advance(10_000);
    expect(await world.taken(A)).toEqual(['go']);
  });

  test('when its message fails, and the actor begins anew', async () => {
    const world = new World();
    await world.up('n1', ['a']);
    await world.send('a.plain1', { type: 'm', n: 1 });
    const failing = sending(world, 'a.plain1', { n: 'bad', boom: true });
    await world.advance(20);
    const fresh = { type: 'reprise.start', logic: 'plain', input: null, mode: 'fresh', run: 'sup!1.0' };
    await world.time.run(world.node('n1').send('a.plain1', fresh, { internal: 'system' }));
    await world.advance(60_000);
    expect(failing.code).toBe('STEP_FAILED');
    expect(await world.dead('a.plain1')).toEqual(['poison:bad']);
  });

  test('when the actor ends meanwhile, and then nothing keeps it in memory', async () => {
    const world = new World({ passivateAfterMs: 1_000 });
    await world.up('n1', ['a']);
    await world.send('a.plain1', { type: 'm', n: 1 });
    const failing = sending(world, 'a.plain1', { n: 'bad', boom: true });
    await world.advance(5);
    const stop = { type: 'reprise.stop', run: 'sup!1.0' };
    await world.time.run(world.node('n1').send('a.plain1', stop, { internal: 'system' }));
    await world.advance(60_000);
    expect(failing.code).toBe('ACTOR_STOPPED');
    expect(world.node('n1').cells.has('a.plain1')).toBe(false);
  });

  test('when the node stops', async () => {
    const world = new World();
    await world.up('n1', ['a']);
    await world.send('a.plain1', { type: 'm', n: 1 });
    world.fault({ on: 'append', actor: 'a.plain1', how: 'fail', times: 1_000 });
    const waiting = sending(world, 'a.plain1', { n: 2 });
    await world.advance(100);
    await world.stop('n1');
    await world.advance(10_000);
    expect(waiting.code).toBeDefined();
  });
});

describe('a store that takes nothing', () => {
  const full = new MeshError('STORE_FULL', 'the disk is full; it is tried again');
  const refusal = (code: string, id: string): object => ({
    code,
    message: expect.stringContaining(`a.plain1 may take it yet: send it again under the id '${id}'`) as string,
    data: { id },
  });
  /** `plain1` has one event; from then on its appends meet `how`, while `on` says so. */
  async function stalling(
    how: () => Promise<void>,
    meets = (actor: string): boolean => actor === 'a.plain1',
  ): Promise<{ world: World; node: Node; go: { on: boolean } }> {
    const go = { on: false };
    const world = new World({
      made: (options) => ({
        ...options,
        store: {
          ...options.store,
          append: async (stream, ...rest) => {
            if (go.on && meets(stream.actor)) await how();
            return options.store.append(stream, ...rest);
          },
        },
      }),
    });
    const node = await world.up('n1', ['a']);
    await world.send('a.plain1', { type: 'm', n: 1 });
    go.on = true;
    return { world, node, go };
  }
  const isFull = (): Promise<void> => Promise.reject(full);
  const sending = (node: Node, id: string): { of?: unknown } => {
    const heard: { of?: unknown } = {};
    node.send('a.plain1', { type: 'm', n: id }, { id, internal: 'user' }).then(
      (sent) => (heard.of = sent),
      (error: unknown) => (heard.of = error),
    );
    return heard;
  };

  test('is told to who waits, after some seconds, and at once to who comes later', async () => {
    const { world, node, go } = await stalling(isFull);
    // One is on its way to the store, others wait for that one or in the mailbox.
    const waiting = Array.from({ length: 700 }, (_, i) => sending(node, `id${i}`));
    await world.advance(2_000);
    expect(waiting.every(({ of }) => of === undefined)).toBe(true);
    await world.advance(5_000);
    for (const [i, { of }] of waiting.entries()) expect(of).toMatchObject(refusal('STORE_FULL', `id${i}`));
    const late = sending(node, 'late');
    await world.advance(1);
    expect(late.of).toMatchObject(refusal('STORE_FULL', 'late'));
    go.on = false;
    await world.advance(3_000);
    // Each is taken once: by now, or when it is sent again.
    const again = [...waiting.keys()].map((i) => sending(node, `id${i}`));
    await world.advance(1_000);
    expect(again.every(({ of }) => (of as { seq?: number }).seq !== undefined)).toBe(true);
    const taken = await world.taken('a.plain1');
    expect(taken.length).toBe(701);
    expect(new Set(taken)).toEqual(new Set([1, ...waiting.keys().map((i) => `id${i}`)]));
  });

  test('is what the status says, until it is over', async () => {
    const { world, node, go } = await stalling(isFull);
    sending(node, 'mine');
    await world.advance(100);
    expect(node.status('a.plain1')).toMatchObject({
      code: 'STORE_FULL',
      reason: 'STORE_FULL: the disk is full; it is tried again',
    });
    go.on = false;
    await world.advance(3_000);
    expect(node.status('a.plain1')?.code).toBeUndefined();
    expect(node.status('a.plain1')?.reason).toBeUndefined();
    const sent = sending(node, 'next');
    await world.advance(100);
    expect(sent.of).toMatchObject({ id: 'next' });
  });

  test('is told once, however many actors it keeps waiting, and when it is over', async () => {
    const { world, node, go } = await stalling(isFull, () => true);
    const told = (): unknown[] => world.events.filter((e) => e.type.startsWith('store.'));
    sending(node, 'mine');
    world.later(500, () => void node.send('a.plain2', { type: 'm', n: 1 }, { internal: 'user' }).catch(() => undefined));
    await world.advance(10_000);
    const stalled = { type: 'store.stalled', node: 'n1', actor: 'a.plain1', code: 'STORE_FULL' };
    expect(told()).toMatchObject([stalled]);
    go.on = false;
    await world.advance(3_000);
    expect(told()).toMatchObject([stalled, { type: 'store.answers', node: 'n1' }]);
    go.on = true;
    sending(node, 'again');
    await world.advance(1_000);
    expect(told().slice(2)).toMatchObject([stalled]);
    // Those that waited go with their node: that is no answer of the store.
    await world.stop('n1');
    expect(told()).toHaveLength(3);
  });

  test('is told to who asks', async () => {
    const { world, node } = await stalling(isFull);
    const asked = node.ask('a.plain1', { type: 'm' }, { id: 'mine', timeoutMs: 3_600_000 }).catch((error: unknown) => error);
    expect(await world.time.run(asked, 10_000)).toMatchObject(refusal('STORE_FULL', 'mine'));
  });

  test('by not answering at all is one, too', async () => {
    const letGo: (() => void)[] = [];
    const { world, node, go } = await stalling(() => new Promise((resolve) => letGo.push(resolve)));
    const waiting = sending(node, 'mine');
    await world.advance(7_000);
    expect(waiting.of).toMatchObject(refusal('STORE_UNAVAILABLE', 'mine'));
    expect(node.status('a.plain1')).toMatchObject({ code: 'STORE_UNAVAILABLE' });
    go.on = false;
    letGo[0]?.();
    await world.advance(100);
    // It was durable after all, and the id gets its answer.
    const again = sending(node, 'mine');
    await world.advance(100);
    expect(again.of).toMatchObject({ id: 'mine' });
    expect(await world.taken('a.plain1')).toEqual([1, 'mine']);
  });

  test('is none while each append is answered, however slow it is', async () => {
    const { world, node } = await stalling(() => world.node('n1').sleep(3_000));
    const sent = Array.from({ length: 4 }, (_, i) => {
      const heard = { at: i };
      world.later(i * 2_000, () => Object.assign(heard, { sent: sending(node, `id${i}`) }));
      return heard as { sent?: { of?: unknown } };
    });
    await world.advance(30_000);
    for (const { sent: heard } of sent) expect(heard?.of).toMatchObject({ seq: expect.any(Number) as number });
    expect(world.events.some((e) => e.type === 'store.stalled')).toBe(false);
  });
});

describe('a result that has failed', () => {
  test('is still there when a person lets the actor go on, over a clean stop', async () => {
    const world = new World();
    let isBroken = true;
    world.logics['once'] = world.logic('once', (state, event) => {
      if (isBroken && event.type === 'xstate.done.actor.pay') throw new RangeError('broken');
      return { state, effects: (event['do'] as Effect[] | undefined) ?? [] };
    });
    await world.up('n1', ['a']);
    await world.send('a.once1', { type: 'go', do: [spawn('pay', 'tool', 'x')] });
    await world.advance(10);
    const park = { type: 'reprise.park', reason: 'spent' };
    await world.time.run(world.node('n1').send('a.once1', park, { internal: 'system' }));
    await world.advance(10);
    await world.stop('n1');
    isBroken = false;
    await world.up('n1', ['a']);
    const cell = await world.time.run(world.node('n1').cellAt('a.once1'));
    expect(cell.phase).toBe('parked');
    unpark(cell);
    await world.advance(1_000);
    expect(await world.taken('a.once1')).toEqual(['go', 'xstate.done.actor.pay']);
    expect(world.calls.length).toBe(1);
  });
});

test('a leaf that sends without end to an actor that takes nothing is stopped, and its actor is told', async () => {
  const world = new World({ limits: { mailbox: 1_000 } });
  let emit: ((event: { type: string }) => void) | undefined;
  let stopped = 0;
  world.logics['host'] = {
    ...world.logic('host', (state, event) => ({
      state: { ...state, last: event.type },
      effects: (event['do'] as Effect[]) ?? [],
    })),
    source: () => ({
      kind: 'leaf',
      leaf: {
        endless: true,
        inDoubt: () => 'retry',
        start: (_job, deliver) => {
          emit = deliver;
          return { send: () => {}, stop: () => void stopped++ };
        },
      },
    }),
  };
  await world.up('n1', ['a']);
  await world.send('a.host1', { type: 'go', do: [spawn('feed', 'feed', null), timer('t', 3_600_000, { type: 'later' })] });
  await world.advance(10);
  const cell = await world.time.run(world.node('n1').cellAt('a.host1'));
  cell.park('by a person');
  await world.advance(10);
  for (let i = 0; i < 20_000; i++) emit?.({ type: 'tick' });
  await world.advance(10);
  expect(stopped).toBe(1);
  expect(cell.waiting).toBeLessThanOrEqual(1_001);
  unpark(cell);
  await world.advance(1_000);
  expect(cell.view().context).toMatchObject({ last: 'xstate.error.actor.feed' });
});
