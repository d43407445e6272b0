/** That what is pending leaves: the outbox in the hands of the cell, on real nodes under virtual time. */
import { expect, test } from 'vitest';
import type { Logic } from '../../core/logic.ts';
import { sendTo, spawn, timer, World } from '../simulation/world.ts';

test('an actor that was put away with a send that nobody acknowledged sends it again when another node owns it', async () => {
  const world = new World({ passivateAfterMs: 1_000 });
  await world.up('n1', ['a']);
  await world.send('a.plain1', { type: 'go', do: [sendTo('b.plain1', { type: 'm', n: 'm1' })] });
  await world.advance(20_000);
  expect([...world.node('n1').cells.keys()]).toEqual([]);
  world.crash('n1');
  await world.up('n2', ['b']);
  await world.up('n3', ['a']);
  await world.advance(600_000);
  expect(await world.taken('b.plain1')).toEqual(['m1']);
});

test('a checkpoint waits for what is durable and has not left: its owner dies, the next one sends it', async () => {
  let armed = false;
  const world = new World({
    at: (world, point, node) => {
      if (armed && point === 'checkpoint.after' && node === 'n1') world.crash('n1');
    },
  });
  await world.up('n1', ['a']);
  await world.up('n2', ['b']);
  const append = world.fault({
    on: 'append',
    actor: 'a.plain1',
    how: 'hold',
    match: (records) => records.some((r) => r.kind === 'event'),
  });
  // Enough log for a checkpoint; 'done' is heard after the session's deadline and before it would be ended.
  const event = { type: 'go', big: 'x'.repeat(40_000), do: [sendTo('b.plain1', { type: 'm', n: 'm1' })] };
  world
    .node('n1')
    .send('a.plain1', event, { internal: 'user' })
    .catch(() => undefined);
  await world.advance(100);
  expect(append.held).toHaveLength(1);
  armed = true;
  world.freeze('n1');
  await world.advance(2_700);
  append.held?.[0]?.();
  await world.advance(1);
  world.thaw('n1');
  await world.advance(100);
  if (world.nodes.has('n1')) world.crash('n1');
  await world.up('n3', ['a']);
  await world.advance(600_000);
  expect(await world.taken('b.plain1')).toEqual(['m1']);
});

test('a cell that breaks down while two records are on their way is opened again, although they move the head under its feet', async () => {
  const world = new World();
  const plain = world.logics['plain'] as Logic;
  world.logics['frail'] = {
    ...plain,
    step: (env, snapshot, event, ...rest) => {
      if (event['n'] === 'break') throw new RangeError('a bug in this logic');
      return plain.step(env, snapshot, event, ...rest);
    },
  };
  let end: (() => void) | undefined;
  world.answer = (_call, done) => (end = () => done('result'));
  await world.up('n1');
  const node = world.node('n1');
  const tell = (n: string): void => void node.send('frail1', { type: 'm', n }, { internal: 'user' }).catch(() => undefined);
  await world.send('frail1', { type: 'm', n: 'one', do: [spawn('call', 'tool', 1)] });

  const first = world.fault({ on: 'append', how: 'hold' });
  tell('two');
  await world.advance(1);
  const both = world.fault({ on: 'append', how: 'hold' });
  tell('three');
  tell('four');
  await world.advance(1);
  first.held?.[0]?.();
  await world.advance(1);
  expect(both.held).toHaveLength(1);
  const reopening = world.fault({ on: 'append', how: 'hold' });
  tell('break');
  await world.advance(15);
  expect(reopening.held).toHaveLength(1);
  both.held?.[0]?.();
  await world.advance(1);
  reopening.held?.[0]?.();
  await world.advance(1);
  end?.();
  await world.advance(60_000);
  expect(await world.taken('frail1')).toEqual(['one', 'two', 'three', 'four', 'xstate.done.actor.call']);
});

test('an actor that is put away before its session let it go on where the last owner left off is not clean', async () => {
  const world: World = new World({
    at: (_, point, node, what) => {
      if (point === 'append.before' && node === 'n2' && what.includes('activated'))
        world.node('n2').ownership.mayAct = () => false;
    },
  });
  await world.up('n1', ['a']);
  await world.send('a.plain1', { type: 'go', do: [sendTo('b.plain1', { type: 'm', n: 'm1' })] });
  world.crash('n1');
  await world.up('n2', ['a']);
  await world.advance(5_000);
  expect(world.node('n2').cells.has('a.plain1')).toBe(true);
  await world.stop('n2');
  await world.up('n3', ['a']);
  await world.up('n4', ['b']);
  await world.advance(600_000);
  expect(await world.taken('b.plain1')).toEqual(['m1']);
});

test('what an actor sent before it was parked is sent on by the next owner too', async () => {
  const world = new World();
  await world.up('n1', ['a']);
  await world.send('a.plain1', { type: 'go', do: [sendTo('b.plain1', { type: 'm', n: 'm1' }), spawn('call', 'tool', 1)] });
  world.answer = () => undefined;
  (await world.node('n1').cellAt('a.plain1')).park('by hand');
  await world.advance(100);
  world.crash('n1');
  const calls = world.calls.length;
  await world.up('n2', ['a']);
  await world.up('n3', ['b']);
  await world.advance(600_000);
  expect(await world.taken('b.plain1')).toEqual(['m1']);
  expect(world.calls).toHaveLength(calls);
});

test("a tool's result that failed once is tried again after a clean stop", async () => {
  const world = new World();
  let end: (() => void) | undefined;
  world.answer = (_call, done) => (end = () => done({ boom: true }));
  await world.up('n1');
  await world.send('plain1', { type: 'go', do: [spawn('call', 'tool', 1)] });
  end?.();
  await world.advance(1);
  const failures = async (): Promise<number> => (await world.records('plain1')).filter((r) => r.kind === 'failed').length;
  expect(await failures()).toBe(1);
  await world.stop('n1');
  await world.up('n2');
  await world.advance(60_000);
  expect(await failures()).toBe(3);
  expect(world.node('n2').status('plain1')?.phase).toBe('parked');
});

test('a timer whose firing waits in the mailbox while a checkpoint is made fires on the next owner', async () => {
  let armed = false;
  const world = new World({
    at: (world, point, node) => {
      if (armed && point === 'checkpoint.after' && node === 'n1') world.crash('n1');
    },
  });
  await world.up('n1');
  await world.send('plain1', { type: 'go', do: [timer('t', 1_000, { type: 'ring' })] });
  const append = world.fault({ on: 'append', how: 'hold' });
  const event = { type: 'm', n: 'big', text: 'x'.repeat(40_000) };
  world
    .node('n1')
    .send('plain1', event, { internal: 'user' })
    .catch(() => undefined);
  // It is due while the append that makes a checkpoint due is on its way.
  await world.advance(1_500);
  armed = true;
  append.held?.[0]?.();
  await world.advance(1);
  expect(world.nodes.has('n1')).toBe(false);
  await world.up('n2');
  await world.advance(60_000);
  expect(await world.taken('plain1')).toEqual(['go', 'big', 'ring']);
});
