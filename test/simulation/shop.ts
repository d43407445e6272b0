/**
 * A small mesh in plain XState that uses most of what a chart can ask for: calls of tools, asks, timers, delayed sends, children that
 * are machines, parallel states. Runs on a `World`; what it comes to does not depend on when, or whether, nodes die.
 */
import { type AnyActorRef, assign, forwardTo, fromPromise, type PromiseActorLogic, sendParent, sendTo, setup } from 'xstate';
import { ask } from '../../actors/ask.ts';
import type { Address } from '../../core/address.ts';
import { machineLogic } from '../../core/kernel.ts';
import type { Leaf, Logic } from '../../core/logic.ts';
import { World, type WorldOptions } from './world.ts';

/** A tool of the world as a source of a machine. */
const source = (leaf: Leaf): PromiseActorLogic<string, unknown> =>
  Object.assign(
    fromPromise<string, unknown>(() => Promise.reject(new RangeError('runs in the world'))),
    {
      [Symbol.for('reprise.source')]: { kind: 'leaf', leaf },
    },
  );

/** Counts to three with a timer between, reports each to its parent, and ends. */
const counter = setup({
  types: { context: {} as { n: number }, output: {} as { counted: number } },
  delays: { beat: 200 },
  guards: { isDone: ({ context }) => context.n >= 3 },
}).createMachine({
  id: 'counter',
  version: '1',
  context: { n: 0 },
  initial: 'counting',
  states: {
    counting: {
      always: { guard: 'isDone', target: 'counted' },
      after: {
        beat: {
          target: 'counting',
          reenter: true,
          actions: [assign({ n: ({ context }) => context.n + 1 }), sendParent({ type: 'beat' })],
        },
      },
    },
    counted: { type: 'final' },
  },
  output: ({ context }) => ({ counted: context.n }),
});

/** Answers what an order costs; remembers all that it was asked. */
const prices = setup({
  types: { context: {} as { asked: string[] }, events: {} as { type: 'price'; of: string; replyTo: AnyActorRef } },
}).createMachine({
  id: 'prices',
  version: '1',
  context: { asked: [] },
  on: {
    price: {
      actions: [
        assign({ asked: ({ context, event }) => [...context.asked, event.of] }),
        sendTo(
          ({ event }) => event.replyTo,
          ({ event }) => ({ type: 'priced', cents: event.of.length * 100 }),
        ),
      ],
    },
  },
});

/** Keeps what it is told, in order. */
const book = setup({
  types: { context: {} as { lines: string[] }, events: {} as { type: 'line'; text: string } },
}).createMachine({
  id: 'book',
  version: '1',
  context: { lines: [] },
  on: { line: { actions: assign({ lines: ({ context, event }) => [...context.lines, event.text] }) } },
});

interface OrderContext {
  readonly name: string;
  readonly found: string;
  readonly cents: number;
  readonly beats: number;
  readonly counted: number;
  readonly nudged: boolean;
}

const order = (tool: Leaf) =>
  setup({
    types: {
      context: {} as OrderContext,
      events: {} as { type: 'order'; name: string } | { type: 'beat' } | { type: 'nudge' } | { type: 'line'; text: string },
    },
    actors: {
      look: source(tool),
      pay: source(tool),
      price: ask<{ cents: number }>({ to: 'prices1', timeoutMs: 60_000 }),
      counter,
    },
    delays: { pause: 300 },
    actions: {
      tell: sendTo(
        ({ system }) => system.get('book1') as AnyActorRef,
        (_, params: { text: string }) => ({ type: 'line', text: params.text }),
      ),
    },
  }).createMachine({
    id: 'order',
    version: '1',
    context: { name: '', found: '', cents: 0, beats: 0, counted: 0, nudged: false },
    initial: 'new',
    states: {
      new: {
        on: {
          order: {
            target: 'looking',
            actions: [
              assign({ name: ({ event }) => event.name }),
              { type: 'tell', params: ({ event }) => ({ text: `${event.name} came` }) },
            ],
          },
        },
      },
      looking: {
        invoke: {
          id: 'look',
          src: 'look',
          input: ({ context }: { context: OrderContext }) => ({ look: context.name }),
          onDone: { target: 'pricing', actions: assign({ found: ({ event }) => event.output }) },
        },
      },
      pricing: {
        invoke: {
          id: 'price',
          src: 'price',
          input: ({ context }: { context: OrderContext }) => ({ event: { type: 'price', of: context.name } }),
          onDone: { target: 'resting', actions: assign({ cents: ({ event }) => event.output.cents }) },
        },
      },
      resting: {
        entry: sendTo(({ self }) => self, { type: 'nudge' }, { delay: 100 }),
        on: { nudge: { actions: assign({ nudged: true }) } },
        after: { pause: { target: 'working' } },
      },
      working: {
        type: 'parallel',
        states: {
          counting: {
            initial: 'going',
            states: {
              going: {
                invoke: {
                  id: 'counter',
                  src: 'counter',
                  onDone: { target: 'gone', actions: assign({ counted: ({ event }) => event.output.counted }) },
                },
                on: { beat: { actions: assign({ beats: ({ context }) => context.beats + 1 }) } },
              },
              gone: { type: 'final' },
            },
          },
          paying: {
            initial: 'going',
            states: {
              going: {
                invoke: {
                  id: 'pay',
                  src: 'pay',
                  input: ({ context }: { context: OrderContext }) => ({ pay: context.cents }),
                  onDone: 'paid',
                },
              },
              paid: {
                type: 'final',
                entry: {
                  type: 'tell',
                  params: ({ context }: { context: OrderContext }) => ({ text: `${context.name} paid ${context.cents}` }),
                },
              },
            },
          },
        },
        onDone: 'done',
      },
      done: {
        entry: { type: 'tell', params: ({ context }: { context: OrderContext }) => ({ text: `${context.name} done` }) },
        on: { line: { actions: forwardTo(({ system }) => system.get('book1') as AnyActorRef) } },
      },
    },
  });

export const ACTORS: readonly Address[] = ['order1', 'order2', 'prices1', 'book1'];

export function shop(options: WorldOptions): World {
  const logics: Record<string, Logic> = {};
  const world = new World({ ...options, logics });
  // The world was made without them: the tool is its own.
  Object.assign(world.logics, {
    order: machineLogic(order(world.tool)),
    prices: machineLogic(prices),
    book: machineLogic(book),
  });
  // A tool takes its time.
  world.answer = (call, done) => world.later(50, () => done(`did ${JSON.stringify(call.input)}`));
  return world;
}
