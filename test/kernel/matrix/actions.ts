/** Actions and guards. */
import { fromPromise } from 'xstate';
import { and, type Args, assign, chart, emit, type EnqueueArgs, enqueueActions, keep, log, not, or, stateIn } from '../loose.ts';
import { go, next, SAME, noteEvent, type Row } from './row.ts';

export const ACTIONS: readonly Row[] = [
  {
    construct: 'enqueueActions',
    live: 'What it enqueues is done in its order, by the context of that moment.',
    recovered: SAME,
    make: () => ({
      machineOf: (note) =>
        chart(
          {
            context: { n: 0 },
            on: {
              GO: {
                actions: enqueueActions(({ enqueue, check }: EnqueueArgs) => {
                  enqueue(assign({ n: 5 }));
                  enqueue({ type: 'say', params: ({ context }: Args) => ({ n: context.n }) });
                  if (check(({ context }: Args) => context.n === 0)) enqueue['raise']?.({ type: 'NEXT' });
                  enqueue['sendTo']?.(({ self }: Args) => self, { type: 'BACK' });
                }),
              },
              '*': { actions: noteEvent(note) },
            },
          },
          { actions: { say: (_: unknown, { n }: { n: number }) => note(n) } },
        ),
      script: [go],
    }),
    notes: [5, 'NEXT', 'BACK'],
  },
  {
    construct: 'custom actions and params',
    live: 'They run after the append, with params of the moment in which they were met.',
    recovered: 'At least once: one that had run and was not marked as done runs again, under the same effect id.',
    make: () => ({
      machineOf: (note) =>
        chart(
          {
            context: { n: 1 },
            on: {
              GO: {
                actions: [
                  { type: 'say', params: { text: 'fixed' } },
                  { type: 'say', params: ({ context, event }: Args) => ({ text: `${context.n} ${event.type}` }) },
                  assign({ n: 2 }),
                  { type: 'say', params: ({ context }: Args) => ({ text: String(context.n) }) },
                ],
              },
            },
          },
          { actions: { say: (_: unknown, { text }: { text: string }) => note(text) } },
        ),
      script: [go],
    }),
    notes: ['fixed', '1 GO', '2'],
  },
  {
    construct: 'emit and log',
    live: 'To listeners and logs of this process, once, after the append.',
    recovered: 'Not repeated: nobody of the process before is left to hear them.',
    make: () => ({
      machineOf: (note) =>
        chart({ on: { GO: { actions: [emit({ type: 'E', n: 1 }), log('text', 'label'), () => note('go')] } } }),
      script: [go],
    }),
    notes: ['go'],
  },
  {
    construct: 'wildcard and partial descriptors',
    live: 'The longest descriptor that fits is taken.',
    recovered: SAME,
    make: () => ({
      machineOf: (note) =>
        chart({
          on: {
            'mail.in.*': { actions: () => note('mail.in') },
            'mail.*': { actions: () => note('mail') },
            '*': { actions: () => note('any') },
          },
        }),
      script: ['mail.in.spam', 'mail.out', 'phone'].map((type) => ({ type })),
    }),
    notes: ['mail.in', 'mail', 'any'],
  },
  {
    construct: 'guards: and, or, not, stateIn, params',
    live: 'Within the step.',
    recovered: SAME,
    make: () => ({
      machineOf: (note) =>
        chart(
          {
            context: { n: 1 },
            type: 'parallel',
            states: {
              p: { initial: 'a', states: { a: { on: { NEXT: 'b' } }, b: { id: 'b' } } },
              q: {
                on: {
                  GO: [
                    { guard: and([stateIn('#b'), { type: 'above', params: { n: 0 } }]), actions: () => note('in b and above 0') },
                    {
                      guard: or([{ type: 'above', params: ({ context }: Args) => ({ n: context.n }) }, not(stateIn({ p: 'b' }))]),
                      actions: () => note('not in b'),
                    },
                  ],
                },
              },
            },
          },
          { guards: { above: ({ context }: Args, { n }: { n: number }) => context.n > n } },
        ),
      script: [go, next, go],
    }),
    notes: ['not in b', 'in b and above 0'],
  },
  {
    construct: 'assign',
    live: 'The context is replaced, never changed; it is plain data.',
    recovered: SAME,
    make: () => ({
      machineOf: (note) =>
        chart({
          context: { n: 0, got: [] },
          on: {
            GO: {
              actions: [
                keep,
                assign({ n: ({ context }: Args) => context.n + 1 }),
                ({ context }: Args) => note([context.n, context.got.length]),
              ],
            },
          },
        }),
      script: [go, go],
    }),
    notes: [
      [1, 1],
      [2, 2],
    ],
  },
  {
    construct: 'inline invokes',
    live: 'Logic that stands in the invoke itself is named by its place.',
    recovered: 'Found again by its place (the linter asks for an id and a name).',
    make: () => ({
      machineOf: (note) =>
        chart({ invoke: { src: fromPromise(async () => 'inline'), onDone: { actions: noteEvent(note, 'output') } } }),
      script: [go],
    }),
    notes: ['inline'],
  },
];
