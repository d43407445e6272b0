/** Children that are actors of their own. */
import { fromTransition } from 'xstate';
import type { EventObject } from '../../../core/effect.ts';
import { type Args, assign, chart, forwardTo, type InputArgs, sendParent, sendTo, spawnChild, stopChild } from '../loose.ts';
import { HOUR, go, next, back, SAME, noteEvent, type Row } from './row.ts';

export const ACTORS: readonly Row[] = [
  {
    construct: 'invoke of a machine',
    live: 'It is an actor with a log of its own. Leaving the state stops it.',
    recovered: 'Both come back from their logs; a stop that was under way is sent again.',
    make: () => ({
      machineOf: (note) =>
        chart(
          {
            initial: 'a',
            states: {
              a: {
                invoke: { src: 'child', id: 'kid', input: { n: 5 } },
                on: { GO: 'b', NEXT: { actions: sendTo('kid', { type: 'HI' }) } },
              },
              b: {},
            },
            on: { UP: { actions: noteEvent(note, 'n') } },
          },
          {
            actors: {
              child: chart({
                context: ({ input }: InputArgs) => ({ n: input['n'] as number }),
                entry: sendParent(({ context }) => ({ type: 'UP', n: context.n })),
                on: {
                  HI: {
                    actions: [
                      assign(({ context }) => ({ n: context.n + 1 })),
                      sendParent(({ context }) => ({ type: 'UP', n: context.n })),
                    ],
                  },
                },
              }),
            },
          },
        ),
      script: [next, next, go, next],
    }),
    notes: [5, 6, 7],
  },
  {
    construct: 'invoke of transition logic',
    live: 'An actor of its own as a machine is.',
    recovered: SAME,
    make: () => ({
      machineOf: (note) =>
        chart(
          {
            invoke: {
              src: 'sum',
              id: 'sum',
              input: 1,
              onSnapshot: { actions: ({ event }: Args) => note((event['snapshot'] as { context: unknown }).context) },
            },
            on: { GO: { actions: forwardTo('sum') } },
          },
          {
            actors: {
              sum: fromTransition(
                (sum: number, event: EventObject) => sum + (event['by'] as number),
                ({ input }) => input as number,
              ),
            },
          },
        ),
      script: [{ type: 'GO', by: 4 }],
    }),
    notes: [1, 5],
  },
  {
    construct: 'spawn in assign',
    live: 'The reference is kept in context and can be sent to.',
    recovered: 'The reference comes back as that of the same child.',
    make: () => ({
      machineOf: (note) =>
        chart(
          {
            context: { n: 0 },
            on: {
              GO: {
                actions: assign(({ spawn, event }) => ({
                  kid: spawn('child', { id: `k${String(event['n'])}`, input: { n: event['n'] } }),
                })),
              },
              NEXT: { actions: sendTo(({ context }) => context.kid, { type: 'HI' }) },
              UP: { actions: noteEvent(note, 'n') },
            },
          },
          {
            actors: {
              child: chart({
                context: ({ input }: InputArgs) => ({ n: input['n'] as number }),
                on: { HI: { actions: sendParent(({ context }) => ({ type: 'UP', n: context.n })) } },
              }),
            },
          },
        ),
      script: [{ type: 'GO', n: 1 }, next, { type: 'GO', n: 2 }, next],
    }),
    notes: [1, 2],
  },
  {
    construct: 'spawnChild and stopChild',
    live: 'A child that is stopped gets no more mail, and what it wanted to send later is not sent.',
    recovered: SAME,
    make: () => ({
      machineOf: (note) =>
        chart(
          {
            entry: spawnChild('child', { id: 'kid' }),
            on: {
              GO: { actions: sendTo('kid', { type: 'HI' }) },
              NEXT: { actions: stopChild('kid') },
              UP: { actions: () => note('up') },
            },
          },
          {
            actors: {
              child: chart({
                on: { HI: { actions: [sendParent({ type: 'UP' }), sendParent({ type: 'UP' }, { delay: HOUR })] } },
              }),
            },
          },
        ),
      script: [go, next, { advance: 2 * HOUR }],
    }),
    notes: ['up'],
  },
  {
    construct: 'sendTo, sendParent and forwardTo',
    live: 'By id, by reference, to self, to the parent, with an event made of the context.',
    recovered: 'A send is repeated until its receiver has it in its log, and taken once.',
    make: () => ({
      machineOf: (note) =>
        chart(
          {
            context: ({ spawn }: InputArgs) => ({ kid: spawn('child', { id: 'kid' }), n: 2 }),
            on: {
              GO: {
                actions: [
                  sendTo('kid', ({ context }) => ({ type: 'HI', n: context.n })),
                  sendTo(({ context }) => context.kid, { type: 'HI', n: 3 }),
                ],
              },
              NEXT: { actions: forwardTo(({ context }) => context.kid) },
              BACK: { actions: sendTo(({ self }) => self, { type: 'UP', n: 'self' }) },
              UP: { actions: noteEvent(note, 'n') },
            },
          },
          {
            actors: {
              child: chart({
                on: {
                  HI: { actions: sendParent(({ event }) => ({ type: 'UP', n: event['n'] })) },
                  NEXT: { actions: sendParent({ type: 'UP', n: 'forwarded' }) },
                },
              }),
            },
          },
        ),
      script: [go, next, back],
    }),
    notes: [2, 3, 'forwarded', 'self'],
  },
  {
    construct: 'systemId and system.get',
    live: 'Children are found by their system id; a name that was freed may be given again. Other actors are found by their address.',
    recovered: SAME,
    make: () => ({
      machineOf: (note) =>
        chart(
          {
            initial: 'a',
            states: {
              a: { invoke: { src: 'child', id: 'one', systemId: 'box', input: { n: 1 } }, on: { NEXT: 'b' } },
              b: { invoke: { src: 'child', id: 'two', systemId: 'box', input: { n: 2 } } },
            },
            on: {
              GO: { actions: sendTo(({ system }) => system.get('box'), { type: 'HI' }) },
              UP: { actions: noteEvent(note, 'n') },
            },
          },
          {
            actors: {
              child: chart({
                context: ({ input }: InputArgs) => ({ n: input['n'] as number }),
                on: { HI: { actions: sendParent(({ context }) => ({ type: 'UP', n: context.n })) } },
              }),
            },
          },
        ),
      script: [go, next, go],
    }),
    notes: [1, 2],
  },
  {
    construct: 'an error that a machine escalates',
    live: 'The child goes on, and its parent gets an error event of it. Leaving the state still stops it.',
    recovered: SAME,
    make: () => ({
      machineOf: (note) =>
        chart(
          {
            initial: 'on',
            states: {
              on: {
                invoke: { src: 'child', id: 'kid', onError: { actions: noteEvent(note, 'error') } },
                on: { GO: { actions: forwardTo('kid') }, NEXT: 'off' },
              },
              off: {},
            },
            on: { UP: { actions: () => note('still there') } },
          },
          {
            actors: {
              child: chart({
                on: {
                  GO: {
                    actions: [sendParent({ type: 'xstate.error', data: 'down' }), sendParent({ type: 'UP' }, { delay: HOUR })],
                  },
                },
              }),
            },
          },
        ),
      script: [go, go, next, { advance: 2 * HOUR }],
    }),
    notes: ['down', 'down'],
  },
  {
    construct: 'systemId across actors',
    live: 'A child finds itself, its siblings and those of its ancestors by their system ids.',
    recovered: 'As live; it knows the names that were given before it was spawned.',
    make: () => {
      const named = chart({
        context: ({ input }: InputArgs) => ({ n: input['n'] as number }),
        on: { HI: { actions: sendParent(({ context, event }) => ({ type: 'UP', n: [context.n, event['by']] })) } },
      });
      const asking = chart(
        {
          initial: 'a',
          states: { a: { invoke: { src: 'deep', id: 'deep', systemId: 'deep' } } },
          on: {
            GO: {
              actions: [sendTo(({ system }) => system.get('box'), { type: 'HI', by: 'child' }), sendTo('deep', { type: 'GO' })],
            },
          },
        },
        {
          actors: {
            deep: chart({
              on: {
                GO: {
                  actions: [
                    sendTo(({ system }) => system.get('box'), { type: 'HI', by: 'grandchild' }),
                    sendTo(({ system }) => system.get('deep'), { type: 'SELF' }),
                  ],
                },
                SELF: { actions: sendTo(({ system }) => system.get('box'), { type: 'HI', by: 'itself' }) },
              },
            }),
          },
        },
      );
      return {
        machineOf: (note) =>
          chart(
            {
              entry: [spawnChild('named', { id: 'one', systemId: 'box', input: { n: 1 } }), spawnChild('asking', { id: 'kid' })],
              on: { GO: { actions: forwardTo('kid') }, UP: { actions: noteEvent(note, 'n') } },
            },
            { actors: { named, asking } },
          ),
        script: [go],
      };
    },
    notes: [
      [1, 'child'],
      [1, 'grandchild'],
      [1, 'itself'],
    ],
  },
  {
    construct: 'onSnapshot of a machine',
    live: 'The first snapshot and each after: a message from the child after its append.',
    recovered: 'One that is still on its way gives way to the next.',
    make: () => ({
      machineOf: (note) =>
        chart(
          {
            invoke: {
              src: 'child',
              id: 'kid',
              onSnapshot: {
                actions: ({ event }: Args) =>
                  note((event['snapshot'] as { context: { n: number }; matches(v: string): boolean }).context.n),
              },
            },
            on: { GO: { actions: forwardTo('kid') } },
          },
          {
            actors: {
              child: chart({ context: { n: 0 }, on: { GO: { actions: assign(({ context }) => ({ n: context.n + 1 })) } } }),
            },
          },
        ),
      script: [go, go],
    }),
    notes: [0, 1, 2],
  },
  {
    construct: 'syncSnapshot of a spawned machine',
    live: 'As onSnapshot, under `xstate.snapshot.ID`.',
    recovered: SAME,
    make: () => ({
      machineOf: (note) =>
        chart(
          {
            entry: spawnChild('child', { id: 'kid', syncSnapshot: true }),
            on: {
              'xstate.snapshot.kid': { actions: ({ event }: Args) => note((event['snapshot'] as { value: unknown }).value) },
              GO: { actions: forwardTo('kid') },
            },
          },
          { actors: { child: chart({ initial: 'a', states: { a: { on: { GO: 'b' } }, b: {} } }) } },
        ),
      script: [go],
    }),
    notes: ['a', 'b'],
  },
  {
    construct: 'onError of a machine',
    live: 'A child whose step throws ends, and its parent gets the error.',
    recovered: SAME,
    make: () => ({
      machineOf: (note) =>
        chart(
          {
            invoke: {
              src: 'child',
              id: 'kid',
              onError: { actions: ({ event }: Args) => note((event['error'] as Error).message) },
            },
            on: { GO: { actions: forwardTo('kid') } },
          },
          {
            actors: {
              child: chart({
                on: {
                  GO: {
                    actions: assign(() => {
                      throw new RangeError('no');
                    }),
                  },
                },
              }),
            },
          },
        ),
      script: [go],
    }),
    notes: ['no'],
  },
];
