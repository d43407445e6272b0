/** Actors that are parked, on real nodes under virtual time: what waits meanwhile is taken up when their supervisor lets them go on. */
import { describe, expect, test } from 'vitest';
import type { Effect, EventObject } from '../../core/effect.ts';
import { supervisor } from '../../core/supervisor.ts';
import { sendTo, spawn, timer, World, type WorldOptions } from '../simulation/world.ts';

const SUP = 'a.sup';
const CHILD = `${SUP}/x`;

/** One child `x`, of `logic`, that has called a tool. */
async function working(logic = 'plain', options: WorldOptions = {}): Promise<World> {
  const w = new World({ logics: { 'reprise.supervisor': supervisor }, ...options });
  w.answer = () => undefined;
  await w.up('n1', ['a']);
  const config = { children: [{ id: 'x', address: CHILD, logic }] };
  await order(w, SUP, { type: 'reprise.start', logic: 'reprise.supervisor', input: config });
  return w;
}
async function order(w: World, to: string, event: EventObject): Promise<void> {
  const node = [...w.nodes.values()].at(-1);
  const sent = node?.send(to, event, { internal: 'system' });
  await w.advance(100);
  await sent;
}
const phase = (w: World): string | undefined => [...w.nodes.values()].at(-1)?.status(CHILD)?.phase;
const park = async (w: World): Promise<void> => {
  await order(w, CHILD, { type: 'reprise.park', reason: 'spent' });
  expect(phase(w)).toBe('parked');
};
const unpark = (w: World): Promise<void> => order(w, SUP, { type: 'reprise.unpark', child: 'x' });
const reasons = async (w: World): Promise<string[]> =>
  (await w.records(CHILD)).flatMap((r) => (r.kind === 'activated' ? [r.reason] : []));

describe('a parked child that its supervisor starts', () => {
  test('takes up a call, a timer and a message that its process has died over', async () => {
    const w = await working();
    await w.send(CHILD, { type: 'm', n: 1, do: [spawn('call', 'tool', 'pay'), timer('t', 5_000, { type: 'm', n: 'tick' })] });
    await park(w);
    await w.send('a.plain1', { type: 'm', do: [sendTo(CHILD, { type: 'm', n: 'mail' })] });
    w.crash('n1');
    await w.up('n2', ['a']);
    await w.advance(20_000);
    expect(await w.taken(CHILD)).toEqual([1]);
    expect(w.calls.length).toBe(1);
    w.answer = (call, done) => done(call.input);
    await unpark(w);
    await w.advance(100);
    expect(await reasons(w)).toContain('restart');
    expect(w.calls.map((c) => c.key)).toEqual([`${CHILD}!2.0`, `${CHILD}!2.0`]);
    expect(new Set(await w.taken(CHILD))).toEqual(new Set([1, 'mail', 'tick', 'xstate.done.actor.call']));
    expect((await w.taken(CHILD)).length).toBe(4);
    expect(w.repeated()).toEqual([]);
  });

  test('runs an action again that has failed three times', async () => {
    let isBroken = true;
    let runs = 0;
    const w = await working('doer');
    w.logics['doer'] = w.logic('doer', (state, event) => {
      const run = (): void => {
        runs++;
        if (isBroken) throw new RangeError('broken');
      };
      const action: Effect = { kind: 'action', type: 'act', params: undefined, run };
      return { state, effects: event.type === 'go' ? [action] : [] };
    });
    await order(w, SUP, { type: 'reprise.child.stop', child: 'x' });
    await order(w, SUP, { type: 'reprise.child.start', child: 'x' });
    await w.send(CHILD, { type: 'go' });
    await w.advance(10_000);
    expect([phase(w), runs]).toEqual(['parked', 3]);
    isBroken = false;
    await unpark(w);
    expect([phase(w), runs]).toEqual(['running', 4]);
  });

  test('leaves a call alone that still runs, and takes its result', async () => {
    const w = await working();
    let done: ((output: unknown) => void) | undefined;
    w.answer = (_call, end) => {
      done = end;
    };
    await w.send(CHILD, { type: 'm', n: 1, do: [spawn('call', 'tool', 'pay')] });
    await park(w);
    await unpark(w);
    await w.advance(1_000);
    done?.('paid');
    await w.advance(100);
    expect(w.calls.length).toBe(1);
    expect(await w.taken(CHILD)).toEqual([1, 'xstate.done.actor.call']);
  });

  test('does not make a call again whose result waits behind many others', async () => {
    const w = await working('host');
    let starts = 0;
    let deliver: (event: EventObject) => void = () => undefined;
    w.logics['host'] = {
      ...w.logic('host', (state, event) => ({ state, effects: (event['do'] as Effect[] | undefined) ?? [] })),
      source: () => ({
        kind: 'leaf',
        leaf: {
          inDoubt: () => 'retry',
          start: (_job, to) => {
            starts++;
            deliver = to;
            return { send: () => undefined, stop: () => undefined };
          },
        },
      }),
    };
    await order(w, SUP, { type: 'reprise.child.stop', child: 'x' });
    await order(w, SUP, { type: 'reprise.child.start', child: 'x' });
    await w.send(CHILD, { type: 'go', do: [spawn('feed', 'feed', null)] });
    await park(w);
    // More than a cell records ahead of its store.
    for (let i = 0; i < 2_000; i++) deliver({ type: 'tick' });
    deliver({ type: 'xstate.done.actor.feed', output: 1, actorId: 'feed' });
    await unpark(w);
    await w.advance(10_000);
    expect((await w.taken(CHILD)).at(-1)).toBe('xstate.done.actor.feed');
    expect(starts).toBe(1);
  });
});
