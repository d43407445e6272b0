/**
 * An agent of thirteen states and about 2 KB of context: nested, parallel, with history, guards, invokes and timers. `agentCycle` takes
 * it once around, with the results of its calls as the events that a runtime would inject.
 */
import { assign, fromPromise, setup } from 'xstate';

interface Message {
  readonly id: string;
  readonly role: 'user' | 'assistant';
  readonly content: string;
  readonly ts: number;
}
export interface AgentContext {
  readonly goal: string;
  readonly messages: readonly Message[];
  readonly plan: readonly { readonly id: number; readonly step: string; readonly done: boolean }[];
  readonly tools: Readonly<Record<string, { readonly calls: number; readonly lastMs: number }>>;
  readonly usage: { readonly in: number; readonly out: number; readonly cost: number };
  readonly tags: readonly string[];
  readonly turn: number;
  readonly found: unknown;
}

type AgentEvent =
  | { readonly type: 'told'; readonly message: Message }
  | { readonly type: 'used'; readonly tokens: number }
  | { readonly type: 'approve' | 'reject' | 'pause' | 'resume' };

const message = (i: number): Message => ({
  id: `message-${i}`,
  role: i % 2 === 0 ? 'user' : 'assistant',
  content: `${i}: ${'please look at the report and say what follows from it, then file it; '.repeat(3)}`.slice(0, 150),
  ts: 1_700_000_000_000 + i,
});

const CONTEXT = JSON.stringify({
  goal: 'summarise the quarterly report and file the tickets that follow from it',
  messages: Array.from({ length: 6 }, (_, i) => message(i)),
  plan: ['collect', 'read', 'summarise', 'file', 'verify'].map((step, id) => ({ id, step, done: id < 2 })),
  tools: { search: { calls: 3, lastMs: 210 }, files: { calls: 1, lastMs: 12 } },
  usage: { in: 1_234, out: 567, cost: 0.0123 },
  tags: ['report', 'q3', 'unattended'],
  turn: 0,
  found: null,
} satisfies AgentContext);

/** About 1.9 KB of JSON; every one has texts of its own. */
export const agentContext = (): AgentContext => JSON.parse(CONTEXT) as AgentContext;

/** A call that never ends by itself: its result comes as an event of the cycle. */
const call = fromPromise<{ readonly tool?: string }, Readonly<Record<string, unknown>>>(() => new Promise(() => {}));

export const agent = setup({
  types: {
    context: {} as AgentContext,
    events: {} as AgentEvent,
  },
  actors: { plan: call, think: call, search: call },
  guards: {
    isOverBudget: ({ context }) => context.usage.in > 1e12,
    wantsTool: ({ event }) => (event as unknown as { output?: { tool?: string } }).output?.tool !== undefined,
  },
  actions: {
    audit: () => {},
    hear: assign(({ context, event }) =>
      event.type === 'told' ? { messages: [...context.messages.slice(-5), event.message], turn: context.turn + 1 } : {},
    ),
    count: assign(({ context, event }) =>
      event.type === 'used' ? { usage: { ...context.usage, in: context.usage.in + event.tokens } } : {},
    ),
  },
  delays: { patience: 60_000, deadline: 300_000 },
}).createMachine({
  id: 'agent',
  version: '1',
  type: 'parallel',
  context: agentContext,
  states: {
    task: {
      initial: 'idle',
      states: {
        idle: { on: { told: { target: 'planning', actions: 'hear' } } },
        planning: {
          invoke: {
            id: 'plan',
            src: 'plan',
            input: ({ context }) => ({ goal: context.goal }),
            onDone: 'acting',
            onError: 'idle',
          },
        },
        acting: {
          initial: 'thinking',
          entry: 'audit',
          states: {
            thinking: {
              invoke: {
                id: 'think',
                src: 'think',
                input: ({ context }) => ({ turn: context.turn }),
                onDone: [{ guard: 'wantsTool', target: 'searching' }, { target: 'settled' }],
                onError: '#agent.task.idle',
              },
              after: { patience: '#agent.task.idle' },
            },
            searching: {
              invoke: {
                id: 'search',
                src: 'search',
                input: { query: 'quarterly report' },
                onDone: { target: 'settled', actions: assign({ found: ({ event }) => event.output }) },
                onError: 'thinking',
              },
            },
            settled: { type: 'final' },
            last: { type: 'history' },
          },
          onDone: 'reviewing',
          on: { pause: 'paused' },
        },
        reviewing: { on: { approve: 'idle', reject: 'acting' }, after: { deadline: 'idle' } },
        paused: { on: { resume: 'acting.last' } },
      },
    },
    budget: {
      initial: 'fine',
      states: {
        fine: { always: { guard: 'isOverBudget', target: 'exceeded' }, on: { used: { actions: 'count' } } },
        exceeded: {},
      },
    },
  },
});

/** The last one is an event that nothing in the chart answers to. */
export const agentCycle = [
  { type: 'told', message: message(9) },
  { type: 'xstate.done.actor.plan', output: {}, actorId: 'plan' },
  { type: 'used', tokens: 3 },
  { type: 'xstate.done.actor.think', output: { tool: 'search' }, actorId: 'think' },
  { type: 'xstate.done.actor.search', output: { hits: 3 }, actorId: 'search' },
  { type: 'used', tokens: 5 },
  { type: 'approve' },
  { type: 'unheard' },
] as const;
