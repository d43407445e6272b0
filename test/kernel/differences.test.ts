/** Where a prototype of the kernel differed from a live actor (STATECHARTS §2.2). There is no difference left, but where it says *ours*. */
import { describe, expect, test } from 'vitest';
import { compare } from './compare.ts';
import { assign, cancel, chart, emit, gate, keep, raise, sendParent, sendTo, spawnChild, stopChild } from './loose.ts';

const kinds = (trace: readonly unknown[]): unknown[] => trace.map((t) => (t as [number, unknown])[1]);

describe('delayed sends', () => {
  const ping = { type: 'PING' };

  test('die with their actor when it is done', async () => {
    const child = chart({
      id: 'child',
      initial: 'a',
      states: {
        a: {
          entry: [sendParent(ping, { delay: 10 }), sendParent(ping, { delay: 30 }), raise({ type: 'END' }, { delay: 20 })],
          on: { END: 'z' },
        },
        z: { type: 'final' },
      },
    });
    const { live } = await compare(
      (note) =>
        chart(
          {
            invoke: { src: 'child', id: 'kid', onDone: { actions: () => note('done') } },
            on: { PING: { actions: () => note('ping') } },
          },
          { actors: { child } },
        ),
      [{ advance: 15 }, { advance: 100 }],
    );
    expect(live.trace).toEqual([
      [1, 'ping'],
      [2, 'done'],
    ]);
  });

  test('die with their actor when it is stopped', async () => {
    const child = chart({ id: 'child', entry: sendParent(ping, { delay: 10 }), exit: sendParent({ type: 'LEFT' }) });
    const { live } = await compare(
      (note) =>
        chart(
          {
            initial: 'on',
            states: { on: { invoke: { src: 'child', id: 'kid' }, on: { OFF: 'off' } }, off: {} },
            on: { '*': { actions: ({ event }: never) => note(event) } },
          },
          { actors: { child } },
        ),
      [{ type: 'OFF' }, { advance: 100 }],
    );
    expect(live.trace).toEqual([]);
  });

  test('equal deadlines fire in the order of scheduling, over raise, after and sendTo, and over actors', async () => {
    const child = chart({ id: 'child', entry: sendParent({ type: 'C' }, { delay: 50 }) });
    const { live } = await compare(
      (note) =>
        chart(
          {
            initial: 'a',
            entry: [
              raise({ type: 'R1' }, { delay: 50 }),
              sendTo(({ self }) => self, { type: 'S1' }, { delay: 50 }),
              spawnChild('child', { id: 'kid' }),
            ],
            states: {
              a: {
                entry: [sendTo(({ self }) => self, { type: 'S2' }, { delay: 50 }), raise({ type: 'R2' }, { delay: 50 })],
                after: { 50: { actions: () => note('after') } },
              },
            },
            on: { '*': { actions: ({ event }: { event: { type: string } }) => note(event.type) } },
          },
          { actors: { child } },
        ),
      [{ advance: 20 }, { type: 'X' }, { advance: 30 }],
    );
    expect(kinds(live.trace).toSorted()).toEqual(['C', 'R1', 'R2', 'S1', 'S2', 'X', 'after']);
  });

  test.each([
    ['the later one is the one that can be cancelled', ['ONE', 'TWO', 'CANCEL']],
    ['both fire', ['ONE', 'TWO']],
    ['a name that has fired names nothing any more', ['ONE', 'TWO', 'WAIT', 'CANCEL']],
    ['cancelled and set again', ['ONE', 'CANCEL', 'TWO', 'CANCEL', 'CANCEL', 'ONE']],
  ])('the same id twice: %s', async (_, events) => {
    await compare(
      (note) =>
        chart({
          on: {
            ONE: { actions: raise({ type: 'A' }, { id: 'same', delay: 10 }) },
            TWO: { actions: sendTo(({ self }) => self, { type: 'B' }, { id: 'same', delay: 20 }) },
            CANCEL: { actions: cancel('same') },
            '*': { actions: ({ event }: { event: unknown }) => note(event) },
          },
        }),
      [...events.map((type) => (type === 'WAIT' ? { advance: 12 } : { type })), { advance: 100 }],
    );
  });

  test('a name is one of its actor only', async () => {
    const child = chart({
      entry: raise({ type: 'X' }, { id: 'same', delay: 10 }),
      on: { X: { actions: sendParent({ type: 'FROM.CHILD' }) } },
    });
    const { live } = await compare(
      (note) =>
        chart(
          {
            entry: spawnChild('child', { id: 'kid' }),
            on: {
              SET: { actions: raise({ type: 'MINE' }, { id: 'same', delay: 10 }) },
              CANCEL: { actions: cancel('same') },
              '*': { actions: ({ event }: { event: unknown }) => note(event) },
            },
          },
          { actors: { child } },
        ),
      [{ type: 'SET' }, { type: 'CANCEL' }, { advance: 20 }],
    );
    expect(kinds(live.trace)).toEqual([{ type: 'FROM.CHILD' }]);
  });
});
