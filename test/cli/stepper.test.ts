/** Stepping through a replay by hand, key by key. */
import { expect, test } from 'vitest';
import { type LivedFrame, PresentLife } from '../../cli/present-life.ts';
import { Stepper } from '../../cli/stepper.ts';
import type { View } from '../../core/logic.ts';
import { captured } from './processes.ts';

const view = (n: number): View => ({
  status: 'active',
  value: n % 2 === 0 ? 'even' : 'odd',
  context: { n },
  tags: [],
  children: [],
});

/** A log of `length` events that count, and how often it was folded from its beginning. */
function counted(length: number, keep?: number, more: Partial<LivedFrame> = {}) {
  let folds = 0;
  async function* frames(): AsyncGenerator<LivedFrame> {
    folds++;
    for (let seq = 1; seq <= length; seq++)
      yield {
        seq,
        ts: seq,
        record: {
          v: 1,
          seq,
          epoch: 1,
          kind: 'event',
          event: { type: `e${seq}` },
          meta: { ts: seq, seed: 0 },
          digest: '',
          effectsDigest: '',
        },
        before: seq === 1 ? undefined : view(seq - 1),
        after: view(seq),
        effects: [],
        tables: {} as LivedFrame['tables'],
        ...more,
      };
  }
  const { io } = captured({ NO_COLOR: '1' });
  const stepper = new Stepper({ frames, last: length, io, life: new PresentLife(1), ...(keep !== undefined && { keep }) });
  const press = async (...keys: string[]): Promise<readonly string[]> => {
    let lines: readonly string[] = [];
    for (const key of keys) ({ lines } = await stepper.key(key));
    return lines;
  };
  return { stepper, press, folds: () => folds };
}
test('of what other code wrote, neither state nor difference is known', async () => {
  const { press } = counted(3, undefined, { after: undefined, unknown: 'state' });
  await press('n', 'n');
  for (const key of ['s', 'd']) expect(await press(key)).toEqual(['other code wrote this record: its state is not known']);
});

const at = (stepper: Stepper): number | undefined => stepper.frame?.seq;

test('n goes forward, p back, and neither beyond the ends', async () => {
  const { stepper, press, folds } = counted(3);
  expect(await press('n')).toEqual([
    expect.stringContaining('#1'),
    expect.stringContaining('state    odd'),
    expect.stringContaining('+ context: {"n":1}'),
  ]);
  expect(await press('right', 'space')).toContainEqual(expect.stringContaining('#3'));
  expect(await press('n')).toEqual(['that was the last record']);
  expect(at(stepper)).toBe(3);
  await press('p', 'left');
  expect(at(stepper)).toBe(1);
  expect(await press('p')).toEqual(['that was the first record']);
  expect(at(stepper)).toBe(1);
  await press('n');
  expect(at(stepper)).toBe(2);
  expect(folds()).toBe(1);
});

test('a frame shows what changed', async () => {
  const { press } = counted(2);
  const lines = await press('n', 'n');
  expect(lines).toHaveLength(3);
  expect(lines[1]).toContain('odd -> even');
  expect(lines[2]).toContain('context.n: 1 -> 2');
});

test('g goes to the record that is typed, or to the nearest', async () => {
  const { stepper, press } = counted(30);
  await press('g', '2', '5', 'return');
  expect(at(stepper)).toBe(25);
  await press('g', '9', 'backspace', '7', 'return');
  expect(at(stepper)).toBe(7);
  await press('g', '9', '9', 'return');
  expect(at(stepper)).toBe(30);
  await press('g', '0', 'return');
  expect(at(stepper)).toBe(1);
  expect(await press('g', 'return')).toEqual([]);
  await press('g', '5', 'q');
  expect(at(stepper)).toBe(1);
  await press('end');
  expect(at(stepper)).toBe(30);
  await press('home');
  expect(at(stepper)).toBe(1);
});

test('back beyond what is kept folds again from the beginning', async () => {
  const { stepper, press, folds } = counted(50, 5);
  await press('g', '5', '0', 'return');
  for (let seq = 49; seq >= 40; seq--) {
    await press('p');
    expect(at(stepper)).toBe(seq);
  }
  expect(folds()).toBe(3);
  expect(await press('n')).toContainEqual(expect.stringContaining('#41'));
});

test('s shows the whole state, d all that the record changed', async () => {
  const { press } = counted(2);
  expect(await press('s')).toEqual(['nothing lives here yet']);
  expect(await press('n', 'n', 's')).toEqual(['state even', '{', '  "context": {', '    "n": 2', '  }', '}']);
  expect(await press('d')).toEqual(['  value: "odd" -> "even"', '  context.n: 1 -> 2']);
});

const KEYS = 'n next   p previous   g go to   s state   d difference   q quit';

test('q and Esc end it; after other keys, the keys are shown', async () => {
  const { stepper, press } = counted(2);
  await press('n');
  expect(stepper.prompt).toBe(`[1/2]  ${KEYS}`);
  for (const other of ['x', 'tab', 'ctrl-n', '5', '']) expect(await press(other)).toEqual(['that is none of the keys:']);
  expect(stepper.prompt).toBe(`[1/2]  ${KEYS}`);
  expect(await stepper.key('q')).toEqual({ lines: [], done: true });
  expect(await stepper.key('escape')).toEqual({ lines: [], done: true });
});

test('the prompt of g says how to leave it: so it is', async () => {
  const { stepper, press } = counted(2);
  await press('n');
  for (const way of ['escape', 'q', 'return']) {
    await press('g');
    expect(stepper.prompt).toBe('go to record 1 to 2, then Enter (Esc, q or Enter alone: back): ');
    expect(await stepper.key(way)).toEqual({ lines: [] });
    expect(stepper.prompt).toBe(`[1/2]  ${KEYS}`);
  }
  await press('g', '2', 'x', 'ctrl-n');
  expect(stepper.prompt).toBe('go to record 1 to 2, then Enter (Esc, q or Enter alone: back): 2');
  await press('escape');
  expect(at(stepper)).toBe(1);
});

test('on a long way others have their turn', async () => {
  const { stepper } = counted(10_000);
  let isThere = false;
  let turns = 0;
  const way = stepper.goTo(10_000).then(() => (isThere = true));
  for (; !isThere; turns++) await new Promise((resolve) => setImmediate(resolve));
  await way;
  expect(turns).toBeGreaterThan(10);
});

test('an empty log has no record', async () => {
  const { press } = counted(0);
  expect(await press('g', '1', 'return')).toEqual(['there is no record']);
  expect(await press('p')).toEqual([]);
});
