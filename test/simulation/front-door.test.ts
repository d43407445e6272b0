/** What comes in from outside, and what goes out to it: neither side holds a part of the other's data. */
import { expect, test } from 'vitest';
import type { EventObject } from '../../core/effect.ts';
import { World } from './world.ts';

async function one(): Promise<World> {
  const w = new World();
  await w.up('n1');
  return w;
}

test('an event is what it was when it was sent, whatever its sender does with it afterwards', async () => {
  const w = await one();
  const event = { type: 'm', n: 'first', deep: { list: [1] } };
  const sent = w.node('n1').send('plain1', event, {});
  event.n = 'changed';
  event.deep.list.push(2);
  await w.time.run(sent);
  event.deep.list.push(3);
  expect((await w.records('plain1')).at(-1)).toMatchObject({ event: { type: 'm', n: 'first', deep: { list: [1] } } });
});

test('it is stepped on as its log will have it', async () => {
  const w = await one();
  const event = { type: 'm', at: new Date(0), gone: undefined, error: new TypeError('no'), n: Number.NaN };
  await w.time.run(w.node('n1').send('plain1', event as EventObject, {}));
  expect((await w.records('plain1')).at(-1)).toMatchObject({
    event: { type: 'm', at: '1970-01-01T00:00:00.000Z', error: { name: 'TypeError', message: 'no' }, n: null },
  });
});

const circular: Record<string, unknown> = {};
circular['self'] = circular;
test.each([
  ['circular.self', { circular }],
  ['n', { n: 1n }],
  ['f', { f: () => 1 }],
  ['m', { m: new Map([[1, 2]]) }],
])('what JSON cannot carry is refused with its path (%s), and no log sees it', async (_path, fields) => {
  const w = await one();
  const event = { type: 'm', ...fields } as EventObject;
  const path = Object.keys(fields)[0] as string;
  await expect(w.time.run(w.node('n1').send('plain1', event, {}))).rejects.toMatchObject({
    code: 'EVENT_REJECTED',
    message: expect.stringContaining(path) as string,
  });
  await expect(async () => w.time.run(w.node('n1').ask('plain1', event, {}))).rejects.toMatchObject({ code: 'EVENT_REJECTED' });
  expect(await w.records('plain1')).toEqual([]);
});

test('each who asks has a reply of their own, and may change it', async () => {
  const w = await one();
  const node = w.node('n1');
  const ask = () => node.ask('echo1', { type: 'q' }, { id: 'same' });
  const [first, second] = await w.time.run(Promise.all([ask(), ask()]));
  expect(first).toEqual({ type: 'reply', n: 0 });
  expect(second).not.toBe(first);
  Object.assign(first as object, { n: 'mine' });
  expect(second).toEqual({ type: 'reply', n: 0 });
  expect(await w.time.run(ask())).toEqual({ type: 'reply', n: 0 });
});
