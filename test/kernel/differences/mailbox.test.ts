/** Timers and the order of the mailbox, where a prototype of the kernel differed from a live actor (STATECHARTS §2.2). */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { compare } from '../compare.ts';
import { type Args, assign, cancel, chart, gate, raise, sendParent, sendTo, spawnChild, stopChild } from '../loose.ts';
import { runMesh } from '../mesh.ts';
import type { Note } from '../outcome.ts';

const kinds = (trace: readonly unknown[]): unknown[] => trace.map((t) => (t as [number, unknown])[1]);

afterEach(() => {
  vi.restoreAllMocks();
});

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
    expect(new Set(kinds(live.trace))).toEqual(new Set(['C', 'R1', 'R2', 'S1', 'S2', 'X', 'after']));
  });

  test.each([
    ['the later one is the one that can be cancelled', 'ONE TWO CANCEL', 'A'],
    ['both fire', 'ONE TWO', 'AB'],
    ['a name that has fired names nothing any more', 'ONE TWO WAIT CANCEL', 'AB'],
    ['cancelled and set again', 'ONE CANCEL TWO CANCEL CANCEL ONE', 'A'],
  ])('the same id twice: %s', async (_, events, fire) => {
    const { live } = await compare(
      (note) =>
        chart({
          on: {
            ONE: { actions: raise({ type: 'A' }, { id: 'same', delay: 10 }) },
            TWO: { actions: sendTo(({ self }) => self, { type: 'B' }, { id: 'same', delay: 20 }) },
            CANCEL: { actions: cancel('same') },
            '*': { actions: ({ event }: Args) => note(event.type) },
          },
        }),
      [...events.split(' ').map((type) => (type === 'WAIT' ? { advance: 12 } : { type })), { advance: 100 }],
    );
    expect(kinds(live.trace).join('')).toBe(fire);
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

describe('incarnations go by the order of the mailbox', () => {
  const child = chart({
    id: 'child',
    initial: 'a',
    states: { a: { on: { END: 'z' } }, z: { type: 'final' } },
    output: { from: 'kid' },
  });
  const done = 'xstate.done.actor.kid';

  test('a done that came before its parent left the state is taken where the parent is then', async () => {
    const { live, ours } = await compare(
      (note) =>
        chart(
          {
            initial: 'a',
            states: {
              a: {
                invoke: { src: 'child', id: 'kid' },
                on: {
                  GO: { actions: [sendTo(({ self }) => self, { type: 'LEAVE' }), sendTo('kid', { type: 'END' })] },
                  LEAVE: 'b',
                },
              },
              b: { on: { [done]: { actions: ({ event }: Args) => note(event) } } },
            },
          },
          { actors: { child } },
        ),
      [{ type: 'GO' }],
    );
    expect(kinds(live.trace)).toEqual([{ type: done, output: { from: 'kid' }, actorId: 'kid' }]);
    // The stop came to a child that had ended.
    expect(ours.mesh.dead.map((d) => d.event.type)).toEqual(['xstate.stop']);
  });

  test('what answers an earlier invocation of the same id is stale', async () => {
    const work = gate();
    const run = await runMesh(
      (note) =>
        chart(
          {
            initial: 'a',
            states: {
              a: {
                invoke: { src: 'work', id: 'w', onDone: { actions: ({ event }: Args) => note(event['output']) } },
                on: { AGAIN: { target: 'a', reenter: true } },
              },
            },
          },
          { actors: { work: work.logic() } },
        ),
      [{ type: 'AGAIN' }, () => work.answer('old', 0), () => work.answer('new', 1)],
    );
    expect(run.trace).toEqual([[3, 'new']]);
  });

  test('so is the end of a child machine that was invoked again meanwhile', async () => {
    const run = await runMesh(
      (note) =>
        chart(
          {
            initial: 'a',
            states: {
              a: {
                invoke: { src: 'child', id: 'kid', onDone: { actions: () => note('done') } },
                on: {
                  GO: { actions: [sendTo(({ self }) => self, { type: 'AGAIN' }), sendTo('kid', { type: 'END' })] },
                  AGAIN: { target: 'a', reenter: true },
                },
              },
            },
          },
          { actors: { child } },
        ),
      [{ type: 'GO' }],
    );
    // XState takes it for the end of the new one. *Ours*: an effect is answered once, by its own result.
    expect([run.trace, run.mesh.dead.map((d) => [d.event.type, d.via])]).toEqual([
      [],
      [
        ['xstate.stop', undefined],
        [done, 'root!1.0'],
      ],
    ]);
  });
});

test('spawned and stopped in one step: never started, no effect', async () => {
  vi.spyOn(console, 'warn').mockReturnValue();
  const child = (note: Note) => chart({ id: 'child', entry: () => note('started'), exit: () => note('left') });
  const { live, ours } = await compare(
    (note) =>
      chart(
        {
          initial: 'a',
          states: {
            a: {
              on: {
                GO: 'b',
                SPAWN: { actions: [spawnChild('child', { id: 'x' }), sendTo('x', { type: 'HI' }), stopChild('x')] },
              },
            },
            b: { invoke: { src: 'child', id: 'kid' }, always: 'c' },
            c: {
              entry: assign(({ spawn }) => ({ kid: spawn('child', { id: 'y' }) })),
              always: { target: 'd', actions: stopChild('y') },
            },
            d: {},
          },
        },
        { actors: { child: child(note) } },
      ),
    [{ type: 'SPAWN' }, { type: 'GO' }],
  );
  expect(live.trace).toEqual([]);
  expect([...ours.mesh.actors.keys()]).toEqual(['root']);
});
