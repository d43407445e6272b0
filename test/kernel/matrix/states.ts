/** States: what is active, and what follows from it. */
import { type Args, assign, chart, forwardTo, gate, type InputArgs } from '../loose.ts';
import type { Note } from '../outcome.ts';
import { go, next, back, SAME, marked, noteEvent, type Row } from './row.ts';

export const STATES: readonly Row[] = [
  {
    construct: 'nested states',
    live: 'Exits run from the inside out, entries from the outside in.',
    recovered: SAME,
    make: () => ({
      machineOf: (note) =>
        chart({
          initial: 'a',
          states: {
            a: marked(note, 'a', { initial: 'b', states: { b: marked(note, 'b', { on: { GO: '#d' } }) } }),
            c: marked(note, 'c', { initial: 'd', states: { d: marked(note, 'd', { id: 'd' }) } }),
          },
        }),
      script: [go],
    }),
    notes: ['+a', '+b', '-b', '-a', '+c', '+d'],
  },
  {
    construct: 'parallel states',
    live: 'Each region takes the event; what is reached by `always` is taken in the order in which regions were entered.',
    recovered: 'As live, in the same order: it is saved where it is not that of the document.',
    make: () => {
      const region = (note: Note, name: string): object => ({
        initial: 'x',
        states: {
          x: {
            always: { guard: ({ context }: Args) => context['open'] === true, target: 'y', actions: () => note(name) },
            on: { [`OUT.${name}`]: 'w' },
          },
          y: {},
          w: { on: { [`IN.${name}`]: 'x' } },
        },
      });
      return {
        machineOf: (note) =>
          chart({
            type: 'parallel',
            context: { open: false },
            states: { p: region(note, 'p'), q: region(note, 'q') },
            on: { GO: { actions: assign({ open: true }) } },
          }),
        script: [{ type: 'OUT.p' }, { type: 'IN.p' }, go],
      };
    },
    notes: ['q', 'p'],
  },
  ...(['shallow', 'deep'] as const).map((history): Row => ({
    construct: `history, ${history}`,
    live: 'The states that were left are entered again.',
    recovered: 'As live: what was left is in the checkpoint, by id.',
    make: () => ({
      machineOf: (note) =>
        chart({
          initial: 'on',
          states: {
            on: {
              initial: 'a',
              states: {
                a: { on: { NEXT: 'b' } },
                b: marked(note, 'b', { initial: 'x', states: { x: { on: { NEXT: 'y' } }, y: marked(note, 'y') } }),
                h: { type: 'history', history },
              },
              on: { GO: 'off' },
            },
            off: { on: { BACK: 'on.h' } },
          },
        }),
      script: [next, next, go, back],
    }),
    notes: history === 'deep' ? ['+b', '+y', '-y', '-b', '+b', '+y'] : ['+b', '+y', '-y', '-b', '+b'],
  })),
  {
    construct: 'final states, onDone and output of a state',
    live: 'A state that is done gives its output to `onDone` within the step.',
    recovered: SAME,
    make: () => ({
      machineOf: (note) =>
        chart({
          initial: 'a',
          states: {
            a: {
              initial: 'x',
              states: { x: { on: { GO: 'z' } }, z: { type: 'final', output: ({ event }: Args) => ({ by: event.type }) } },
              onDone: { target: 'b', actions: noteEvent(note, 'output') },
            },
            b: marked(note, 'b'),
          },
        }),
      script: [go],
    }),
    notes: [{ by: 'GO' }, '+b'],
  },
  {
    construct: 'output of a machine',
    live: 'The actor ends; its parent gets the output.',
    recovered: 'An actor that has ended takes nothing more.',
    make: () => {
      const child = chart({
        context: { n: 3 },
        initial: 'a',
        states: { a: { on: { GO: 'z' } }, z: { type: 'final' } },
        output: ({ context }: Args) => ({ n: context.n }),
      });
      return {
        machineOf: (note) =>
          chart(
            {
              invoke: { src: 'child', id: 'kid', onDone: { actions: noteEvent(note, 'output') } },
              on: { GO: { actions: forwardTo('kid') } },
            },
            { actors: { child } },
          ),
        script: [go, go],
      };
    },
    notes: [{ n: 3 }],
  },
  {
    construct: 'reenter',
    live: 'The state is left and entered again, and what it invokes and waits for begins anew.',
    recovered: 'The result of the call that was left is stale.',
    make: () => {
      const call = gate();
      return {
        machineOf: (note) =>
          chart(
            {
              initial: 'a',
              states: {
                a: marked(note, 'a', {
                  invoke: { src: 'call', id: 'call', onDone: { actions: noteEvent(note, 'output') } },
                  on: { GO: { target: 'a', reenter: true }, STAY: { target: 'a' } },
                }),
              },
            },
            { actors: { call: call.logic() } },
          ),
        script: [go, { type: 'STAY' }, () => call.answer('second')],
      };
    },
    notes: ['+a', '-a', '+a', 'second'],
  },
  {
    construct: 'tags and meta',
    live: 'They follow from the states that are active.',
    recovered: 'They are not saved: they follow from the states again.',
    make: () => ({
      machineOf: (note) =>
        chart({
          initial: 'a',
          states: { a: { tags: ['idle'], on: { GO: 'b' } }, b: { tags: ['busy'], meta: { text: 'at work' } } },
          on: {
            NEXT: {
              actions: ({ self }: Args) => {
                const s = self.getSnapshot() as { hasTag(tag: string): boolean; getMeta(): unknown };
                note([s.hasTag('busy'), s.getMeta()]);
              },
            },
          },
        }),
      script: [go, next],
    }),
    notes: [[true, { '(machine).b': { text: 'at work' } }]],
  },
  {
    construct: 'input',
    live: 'It makes the first context.',
    recovered: 'It is in the `init` record.',
    make: () => ({
      machineOf: (note) =>
        chart({
          context: ({ input }: InputArgs) => ({ n: input['n'] as number }),
          on: { GO: { actions: ({ context }: Args) => note(context.n) } },
        }),
      script: [go],
      input: { n: 7 },
    }),
    notes: [7],
  },
  {
    construct: 'no input',
    live: 'A child that is given none has none, so defaults count.',
    recovered: SAME,
    make: () => ({
      machineOf: (note) =>
        chart(
          {
            invoke: { src: 'child', id: 'kid', onDone: { actions: noteEvent(note, 'output') } },
            on: { GO: { actions: forwardTo('kid') } },
          },
          {
            actors: {
              child: chart({
                context: ({ input = { n: 5 } }: Partial<InputArgs>) => ({ n: input['n'] }),
                initial: 'a',
                states: { a: { on: { GO: 'z' } }, z: { type: 'final' } },
                output: ({ context }: Args) => context.n,
              }),
            },
          },
        ),
      script: [go],
    }),
    notes: [5],
  },
  {
    construct: 'always',
    live: 'Within the step, until no guard holds.',
    recovered: SAME,
    make: () => ({
      machineOf: (note) =>
        chart({
          context: { n: 0 },
          initial: 'a',
          states: {
            a: { on: { GO: 'b' } },
            b: {
              always: [
                {
                  guard: ({ context }: Args) => context.n < 3,
                  actions: [assign(({ context }) => ({ n: context.n + 1 })), () => note('up')],
                },
                { target: 'c', reenter: true },
              ],
            },
            c: marked(note, 'c'),
          },
        }),
      script: [go],
    }),
    notes: ['up', 'up', 'up', '+c'],
  },
];
