/** The log that is frozen in test/vectors/format.json: a chart that does a little of everything, and what happens to it. */
import { fromPromise } from 'xstate';
import { seedOf } from '../../core/kernel/determinism.ts';
import type { Effect, EventObject } from '../../core/effect.ts';
import { applyRecord, envOf, unborn, UNSTEPPED } from '../../core/fold.ts';
import { seal } from '../../core/fold/seal.ts';
import { machineLogic } from '../../core/kernel.ts';
import type { Step } from '../../core/logic.ts';
import type { InitData, LogRecord, RecordMeta } from '../../core/record.ts';
import { dataOf, throughJson } from './drive.ts';
import type { Json } from './format-spec.ts';
import { type Args, assign, chart, emit, type InputArgs, log, raise, sendTo, spawnChild } from './loose.ts';

export interface FrozenLog {
  readonly actor: string;
  readonly records: readonly LogRecord[];
  /** Of each record that steps, in order. */
  readonly effects: readonly (readonly Effect[])[];
  readonly checkpoint: { readonly seq: number; readonly digest: string; readonly snapshot: Readonly<Record<string, Json>> };
}

const ACTOR = 'desk/case/A-17';
const START = 1_764_000_000_000;

const machine = chart(
  {
    id: 'case',
    version: '3',
    type: 'parallel',
    context: ({ input }: InputArgs) => ({
      n: input['n'] as number,
      made: Date.now(),
      dice: Math.random(),
      id: crypto.randomUUID(),
      list: [],
    }),
    entry: spawnChild('clerk', { id: 'clerk/1', systemId: 'clerk' }),
    states: {
      work: {
        initial: 'idle',
        states: {
          idle: {
            on: {
              ASK: {
                target: 'waiting',
                actions: [emit({ type: 'ASKED' }), { type: 'note', params: { text: 'a', of: [1.5, null] } }],
              },
            },
          },
          waiting: {
            invoke: { src: 'call', id: 'call', input: ({ context }: Args) => ({ n: context.n }) },
            after: { 60_000: 'idle' },
            on: {
              'xstate.done.actor.call': {
                target: 'idle',
                actions: assign(({ context, event }) => ({ list: [...(context['list'] as unknown[]), event['output']] })),
              },
            },
          },
          back: { type: 'history' },
        },
        on: { OFF: 'paused' },
      },
      paused: {},
    },
    on: {
      TELL: {
        actions: [
          sendTo('clerk/1', { type: 'HI', at: 'once' }),
          sendTo(
            ({ system }) => system.get('desk/other'),
            ({ self }) => ({ type: 'HI', replyTo: self }),
          ),
          raise({ type: 'LATER' }, { id: 'later', delay: 5 }),
          log('told', 'case'),
        ],
      },
    },
  },
  { actors: { call: fromPromise(async () => 1), clerk: chart({ id: 'clerk' }) }, actions: { note: () => {} } },
);

/** What it takes, from whom. */
const INPUTS: readonly (readonly [
  event: EventObject | 'ready',
  meta: Omit<RecordMeta, 'ts' | 'seed'>,
  done?: readonly string[],
])[] = [
  [
    { type: 'ASK' },
    {
      id: 'desk/intake!7.2',
      from: 'desk/intake',
      sent: START - 3,
      trace: { traceparent: `00-${'1'.repeat(32)}-${'2'.repeat(16)}-01` },
    },
  ],
  [{ type: 'TELL' }, { id: 'client-1', from: '@outside' }, [`${ACTOR}!2.0`]],
  ['ready', {}],
  [{ type: 'xstate.done.actor.call', output: { text: 'grüß dich 👋', sum: 0.1 }, actorId: 'call' }, { via: `${ACTOR}!2.3` }],
  [{ type: 'ASK' }, { id: 'desk/intake!9.0', from: 'desk/intake', lane: 'system' }, [`${ACTOR}!3.0`, `${ACTOR}!3.1`]],
];

/** By the code as it is. */
export function frozenLog(): FrozenLog {
  const logic = machineLogic(machine);
  const init: InitData = { logic: 'case', input: { n: 17 }, supervisor: { address: 'desk', run: 'desk!4.0' } };
  const actor = unborn(ACTOR, logic, { init });
  const env = envOf(ACTOR, init);
  const records: LogRecord[] = [];
  const effects: Effect[][] = [];
  const add = (kind: object, meta: RecordMeta, step: Step = UNSTEPPED, done?: readonly string[]): void => {
    const seq = actor.tables.head + 1;
    const sealed = step === UNSTEPPED ? {} : seal(actor, step);
    const record = { v: 1, seq, epoch: 2, ...kind, meta, ...sealed, ...(done !== undefined && { done }) } as unknown as LogRecord;
    applyRecord(actor, record, step, undefined);
    records.push(throughJson(record));
    if (step !== UNSTEPPED) effects.push(throughJson([...dataOf(step.effects)]));
  };
  const metaAt = (seq: number, more: object = {}): RecordMeta => ({ ts: START + seq * 10, seed: seedOf(ACTOR, seq), ...more });
  const first = metaAt(1, { id: 'desk!4.0', from: 'desk', lane: 'system' });
  // The hash of a definition goes by the text of its functions, which a bundler may write anew.
  const stamp = { id: logic.id, version: '3', hash: '00000000000000' };
  add({ kind: 'init', init, logic: stamp }, first, logic.init(env, init.input, first, '1'));
  for (const [event, more, done] of INPUTS) {
    const seq = actor.tables.head + 1;
    const meta = metaAt(seq, more);
    if (event === 'ready') add({ kind: 'ready' }, meta);
    else add({ kind: 'event', event }, meta, logic.step(env, actor.snapshot, event, meta, String(seq)), done);
  }
  return {
    actor: ACTOR,
    records,
    effects,
    checkpoint: {
      seq: actor.tables.head,
      digest: logic.digest(actor.snapshot),
      snapshot: throughJson(logic.persist(actor.snapshot)) as Record<string, Json>,
    },
  };
}
