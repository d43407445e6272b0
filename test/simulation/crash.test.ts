/**
 * A crash at every point: before and after each append, checkpoint, ack, send, call and result of a run, one at a time. Whatever the
 * point, the shop comes to what an uninterrupted run comes to; no message is taken twice, no call that had ended is made again.
 */
import { describe, expect, test } from 'vitest';
import { MeshError } from '../../core/errors.ts';
import type { View } from '../../core/logic.ts';
import type { Node } from '../../core/node.ts';
import { seededRandom } from '../../core/testing/virtual.ts';
import { ACTORS, shop } from './shop.ts';
import type { World, WorldOptions } from './world.ts';

interface Outcome {
  readonly states: Readonly<Record<string, unknown>>;
  /** What each actor took that is not a timer's or a child's doing, per sender. */
  readonly lines: readonly string[];
  /** Inputs of the calls that were made, each once. */
  readonly calls: readonly string[];
}

const START = [
  ['order1', 'tea', 'o1'],
  ['order2', 'coffee', 'o2'],
] as const;
const DONE_MS = 4_000;

/** Sends each order until some node has it. A client that repeats itself under the same id. */
async function request(world: World, to: string, name: string, id: string): Promise<void> {
  for (let tries = 0; tries < 20; tries++) {
    const seq = await world.send(to, { type: 'order', name }, id).catch(() => -1);
    if (seq > 0) return;
    await revive(world);
    await world.advance(500);
  }
  throw new RangeError(`${to} never took its order`);
}

let lives = 0;
async function revive(world: World): Promise<void> {
  for (let i = 0; i < 5 && world.nodes.size === 0; i++) await world.up(`again${++lives}`).catch(() => undefined);
}

/** Asked twice: the call that fails may be one of these. */
async function viewOf(world: World, node: Node, actor: string): Promise<View> {
  const open = async (): Promise<View> => (await world.time.run(node.cellAt(actor))).view();
  return open().catch(open);
}

async function outcomeOf(world: World): Promise<Outcome> {
  const node = [...world.nodes.values()].at(-1);
  if (node === undefined) throw new RangeError('no node lives');
  const states: Record<string, unknown> = {};
  for (const actor of ACTORS) {
    const { value, context, status } = await viewOf(world, node, actor);
    // Between the two orders nothing is promised about who comes first.
    const asked = (context as { asked?: string[] }).asked?.toSorted();
    states[actor] = { value, status, context: actor === 'book1' ? undefined : (asked ?? context) };
  }
  const book = (await viewOf(world, node, 'book1')).context as { lines: string[] };
  // Orders are told of by different actors: only the order within each counts.
  const lines = START.flatMap(([, name]) => book.lines.filter((line) => line.startsWith(name)));
  return { states, lines, calls: [...new Set(world.calls.map((c) => JSON.stringify(c.input)))] };
}

async function run(options: WorldOptions): Promise<{ readonly outcome: Outcome; readonly world: World }> {
  const world = shop(options);
  await world.up('first').catch(() => undefined);
  await revive(world);
  for (const [to, name, id] of START) await request(world, to, name, id);
  for (let t = 0; t < DONE_MS; t += 100) {
    await world.advance(100);
    await revive(world);
  }
  // Sessions that died are waited out, sends that were lost are sent again.
  for (let t = 0; t < 60_000; t += 1_000) {
    await world.advance(1_000);
    await revive(world);
  }
  return { outcome: await outcomeOf(world), world };
}

async function assertLikeAnUninterruptedRun(world: World, outcome: Outcome, plain: Outcome, what: string): Promise<void> {
  expect(outcome.states, what).toEqual(plain.states);
  expect(outcome.lines, what).toEqual(plain.lines);
  expect(outcome.calls.toSorted(), what).toEqual(plain.calls.toSorted());
  expect(world.repeated(), what).toEqual([]);
  for (const actor of ACTORS) {
    const records = await world.records(actor);
    const ids = records.flatMap((r) => (r.kind === 'event' && r.meta.id !== undefined ? [r.meta.id] : []));
    expect(new Set(ids).size, what).toBe(ids.length);
    expect(
      records.filter((r) => r.kind === 'dead' || r.kind === 'failed'),
      what,
    ).toEqual([]);
    expect(
      records.map((r) => r.seq),
      what,
    ).toEqual(records.map((_, i) => i + 1));
  }
}

const OFTEN = { passivateAfterMs: 500 };

describe('a crash at every point', async () => {
  const points: string[] = [];
  const plain = await run({ ...OFTEN, at: (_world, point, _node, what) => points.push(`${point} ${what}`) });

  test('the uninterrupted run does all that it should', () => {
    expect(plain.outcome.lines).toEqual([
      'tea came',
      'tea paid 300',
      'tea done',
      'coffee came',
      'coffee paid 600',
      'coffee done',
    ]);
    expect(plain.outcome.states['order1']).toMatchObject({
      value: 'done',
      context: { beats: 3, counted: 3, nudged: true, cents: 300 },
    });
    expect(plain.outcome.calls.length).toBe(4);
    expect(points.length).toBeGreaterThan(150);
    const kinds = new Set(points.map((p) => p.split(' ')[0]));
    for (const kind of ['append', 'ack', 'send', 'call', 'result']) expect([...kinds]).toContain(`${kind}.before`);
  });

  test('dies there, is started again, and comes to the same', async () => {
    for (let n = 0; n < points.length; n++) {
      let count = 0;
      const { outcome, world } = await run({
        ...OFTEN,
        at(dying, _point, node) {
          if (count++ === n) dying.crash(node);
        },
      });
      await assertLikeAnUninterruptedRun(world, outcome, plain.outcome, `crash at point ${n}: ${points[n]}`);
    }
  });

  // Not more often: an actor that is seen at three deaths of its process is parked, as it should be.
  test('dies there, and again before or after it came up', async () => {
    for (let seed = 1; seed <= 150; seed++) {
      const random = seededRandom(seed);
      let next = random() % 60;
      let count = 0;
      let deaths = 0;
      const { outcome, world } = await run({
        ...OFTEN,
        at(dying, _point, node) {
          if (count++ < next || deaths >= 2) return;
          deaths++;
          next = count + (random() % 60);
          dying.crash(node);
        },
      });
      expect(deaths).toBe(2);
      await assertLikeAnUninterruptedRun(world, outcome, plain.outcome, `crashes of seed ${seed}`);
    }
  });
});

describe('the n-th call of the store', async () => {
  const calls: string[] = [];
  const count = (call: string): undefined => void calls.push(call);
  const plain = await run({ ...OFTEN, onStore: count });

  test.each(['fails', 'is made, but its answer is lost'])('%s: the run comes to the same', async (how) => {
    expect(new Set(calls)).toEqual(new Set(['append', 'saveCheckpoint', 'loadCheckpoint', 'head', 'read', 'streams']));
    for (let n = 0; n < calls.length; n++) {
      let made = 0;
      const { outcome, world } = await run({
        ...OFTEN,
        onStore(call) {
          if (made++ !== n) return undefined;
          if (how === 'fails') throw new MeshError('STORE_UNAVAILABLE', `${call} fails`);
          return 'lost';
        },
      });
      await assertLikeAnUninterruptedRun(world, outcome, plain.outcome, `call ${n} (${calls[n]}) ${how}`);
    }
  });
});
