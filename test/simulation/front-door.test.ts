/** What comes in from outside, and what goes out to it: neither side holds a part of the other's data. */
import { describe, expect, test } from 'vitest';
import { checkAddress } from '../../core/address.ts';
import type { EventObject } from '../../core/effect.ts';
import { sendTo, spawn, timer, World } from './world.ts';

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

/** What a call comes to; undefined: nothing yet. */
function outcome(call: Promise<unknown>): { of?: unknown } {
  const heard: { of?: unknown } = {};
  call.then(
    (value: unknown) => (heard.of = value),
    (error: unknown) => (heard.of = error),
  );
  return heard;
}

describe('who waits for a reply when the node ends', () => {
  const asking = async (): Promise<{ w: World; asked: { of?: unknown } }> => {
    const w = await one();
    w.answer = () => undefined;
    const asked = outcome(w.node('n1').ask('echo1', { type: 'q', later: true }, { id: 'mine', timeoutMs: 3_600_000 }));
    await w.advance(100);
    return { w, asked };
  };
  const refused = { code: 'NODE_STOPPING', message: expect.stringContaining("the id 'mine'") as string, data: { id: 'mine' } };

  test.each([
    ['stops', (w: World) => w.stop('n1')],
    ['crashes', async (w: World) => w.crash('n1')],
  ])('is told when it %s', async (_how, end) => {
    const { w, asked } = await asking();
    expect(asked.of).toBeUndefined();
    await end(w);
    await w.advance(0);
    expect(asked.of).toMatchObject(refused);
  });

  test('has left no timer behind', async () => {
    const { w } = await asking();
    const before = w.time.pending();
    outcome(w.node('n1').ask('echo1', { type: 'q', later: true }, { timeoutMs: 3_600_000 }));
    outcome(w.node('n1').ask('echo1', { type: 'q', later: true }, { timeoutMs: 3_600_000 }));
    expect(w.time.pending()).toBeGreaterThanOrEqual(before + 2);
    await w.stop('n1');
    expect(w.time.pending()).toBe(0);
  });

  test('still gets the reply that comes while it stops', async () => {
    const w = await one();
    let answer: ((output: unknown) => void) | undefined;
    w.answer = (_call, done) => (answer = done);
    const asked = outcome(w.node('n1').ask('echo1', { type: 'q', later: true }, { timeoutMs: 3_600_000 }));
    await w.advance(100);
    w.later(1_000, () => answer?.('done'));
    await w.stop('n1');
    expect(asked.of).toEqual({ type: 'reply', n: 1 });
  });

  test('and asks no more', async () => {
    const w = await one();
    const node = w.node('n1');
    await w.stop('n1');
    await expect(node.ask('echo1', { type: 'q' })).rejects.toMatchObject({ code: 'NODE_STOPPING' });
    expect(w.time.pending()).toBe(0);
  });
});

describe('how long a reply is waited for', () => {
  test.each([Number.NaN, Number.POSITIVE_INFINITY, 0, -1, '5s', null])('is not %s', async (timeoutMs) => {
    const w = await one();
    const asked = w.node('n1').ask('plain1', { type: 'm' }, { timeoutMs: timeoutMs as number });
    await expect(asked).rejects.toMatchObject({ code: 'USAGE', message: expect.stringContaining(String(timeoutMs)) as string });
    expect(await w.records('plain1')).toEqual([]);
  });

  test('may be weeks', async () => {
    const w = await one();
    const timeoutMs = 3e9;
    const asked = outcome(w.node('n1').ask('plain1', { type: 'm' }, { timeoutMs }));
    await w.advance(60_000);
    expect(asked.of).toBeUndefined();
    await w.stop('n1');
    expect(asked.of).toMatchObject({ code: 'NODE_STOPPING' });
  });
});

describe('what is no address', () => {
  const WRONG = ['w/é', 'w/a b', 'w/', 'w/\0', 'w/a!1', 'w/a!1.0', '', '@outside', `w/${'x'.repeat(600)}`, undefined, 5];

  test.each(WRONG)('is not sent to from outside: %j', async (to) => {
    const w = await one();
    const address = to as string;
    const wrong = { code: 'ADDRESS_INVALID' };
    await expect(w.node('n1').send(address, { type: 'm' })).rejects.toMatchObject(wrong);
    await expect(w.node('n1').ask(address, { type: 'm' })).rejects.toMatchObject(wrong);
    expect([...w.node('n1').cells.keys()]).toEqual([]);
  });

  // Where replies go to is no address, but may be sent to.
  const NOWHERE = WRONG.filter((to) => to !== '@outside' && to !== 'w/a!1.0');
  test.each(NOWHERE)('comes in with no event: %j', async (to) => {
    const w = await one();
    const event = { type: 'm', replyTo: { xstate$$type: 1, id: to } };
    await expect(w.node('n1').send('w', event)).rejects.toMatchObject({ code: 'ADDRESS_INVALID' });
    expect([...w.node('n1').cells.keys()]).toEqual([]);
  });

  test('is said on one line that can be read', () => {
    expect(() => checkAddress(`a\n${'x'.repeat(5_000)}`)).toThrow(/^'a\\nx{97}…' is no actor address/);
  });

  test.each(NOWHERE as string[])('is not sent to by an actor: it fails on what made it do so (%j)', async (to) => {
    const w = await one();
    const sent = w.node('n1').send('plain1', { type: 'm', do: [sendTo(to, { type: 'x' })] }, { internal: 'user' });
    await expect(w.time.run(sent)).rejects.toMatchObject({
      code: 'STEP_FAILED',
      message: expect.stringContaining('plain1 sends to nobody: ') as string,
    });
    expect([...w.node('n1').cells.keys()]).toEqual(['plain1']);
  });

  test('is not sent to later either', async () => {
    const w = await one();
    const later = { ...sendTo('w/é', { type: 'x' }), delay: 1_000 };
    const sent = w.node('n1').send('plain1', { type: 'm', do: [later] }, { internal: 'user' });
    await expect(w.time.run(sent)).rejects.toMatchObject({ code: 'STEP_FAILED' });
  });

  test('is not asked by an actor: its invoke fails', async () => {
    const w = await one();
    const asks = spawn('q', 'ask', { to: 'w/é', event: { type: 'q' }, timeoutMs: 60_000 });
    await w.send('plain1', { type: 'm', do: [asks, timer('t', 1_000, { type: 'later' })] });
    await w.advance(100);
    expect((await w.records('plain1')).at(-1)).toMatchObject({
      event: { type: 'xstate.error.actor.q', error: { code: 'ADDRESS_INVALID' } },
    });
  });
});
