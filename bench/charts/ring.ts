/** An agent of W1: takes a hop, counts it, keeps its payload and sends it on. Halted, it keeps what it is given. */
import { assign, sendTo, setup } from 'xstate';

export interface Hop {
  readonly type: 'hop';
  readonly token: number;
  /** Hops of this token before. */
  readonly n: number;
  readonly payload: string;
}
export interface Agent {
  readonly key: number;
  readonly count: number;
  readonly last: string;
}

/** 250 characters: about 300 B as an envelope. */
export const PAYLOAD = 'abcdefghij'.repeat(25);
export const agentAddress = (key: number): string => `ring/${key}`;

/** `agents`: how many stand in the ring. */
export const ringMachine = (agents: number) =>
  setup({
    types: { context: {} as Agent, input: {} as { readonly key: string }, events: {} as Hop | { readonly type: 'halt' } },
    actions: {
      keep: assign(({ context, event }) =>
        event.type === 'hop' ? { key: context.key, count: context.count + 1, last: event.payload } : context,
      ),
      passOn: sendTo(
        ({ context, system }) => system.get(agentAddress((context.key + 1) % agents)),
        ({ event }) => (event.type === 'hop' ? { ...event, n: event.n + 1 } : event),
      ),
    },
  }).createMachine({
    id: 'ring',
    version: '1',
    context: ({ input }) => ({ key: Number(input.key), count: 0, last: '' }),
    initial: 'running',
    states: {
      running: { on: { hop: { actions: ['keep', 'passOn'] }, halt: 'halted' } },
      halted: { on: { hop: { actions: 'keep' } } },
    },
  });
