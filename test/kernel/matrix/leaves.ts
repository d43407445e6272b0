/** Leaves: logic that runs in this process for the actor that invoked it. */
import { type AnyActorLogic, fromCallback, fromEventObservable, fromObservable } from 'xstate';
import type { EventObject } from '../../../core/effect.ts';
import { type Args, chart, gate, sendTo } from '../loose.ts';
import { go, SAME, marked, noteEvent, type Row } from './row.ts';

/** An observable whose values tests give. Each run has its own subscriber. */
interface Feed {
  readonly subscribe: (observer: Observer) => { unsubscribe(): void };
  readonly starts: () => number;
  readonly next: (value: unknown) => void;
  readonly complete: () => void;
}
interface Observer {
  next?(value: unknown): void;
  complete?(): void;
}
function feed(): Feed {
  let starts = 0;
  let observer: Observer | undefined;
  return {
    subscribe: (given) => {
      starts++;
      observer = given;
      return { unsubscribe: () => (observer = undefined) };
    },
    starts: () => starts,
    next: (value) => observer?.next?.(value),
    complete: () => observer?.complete?.(),
  };
}

export const LEAVES: readonly Row[] = [
  {
    construct: 'invoke of a promise, onDone',
    live: 'It runs in this process; its output is an event.',
    recovered: 'Unfinished, it is begun again under the same effect id; once its result is in the log, never again.',
    make: () => {
      const call = gate();
      return {
        machineOf: (note) =>
          chart(
            {
              initial: 'a',
              states: {
                a: {
                  invoke: {
                    src: 'call',
                    id: 'call',
                    input: ({ self }: Args) => ({ of: self.id }),
                    onDone: { target: 'b', actions: noteEvent(note, 'output') },
                  },
                },
                b: marked(note, 'b'),
              },
            },
            { actors: { call: call.logic() } },
          ),
        script: [() => call.answer({ text: 'yes' }), go],
      };
    },
    notes: [{ text: 'yes' }, '+b'],
  },
  {
    construct: 'invoke of a promise, onError',
    live: 'Its error is an event, as data.',
    recovered: 'As for onDone.',
    make: () => {
      const call = gate();
      return {
        machineOf: (note) =>
          chart(
            {
              invoke: {
                src: 'call',
                id: 'call',
                onError: { actions: ({ event }: Args) => note((event['error'] as Error).message) },
              },
            },
            { actors: { call: call.logic() } },
          ),
        script: [() => call.reject(new RangeError('down')), go],
      };
    },
    notes: ['down'],
  },
  {
    construct: 'invoke of a callback',
    live: 'It gets what it is sent, and sends back.',
    recovered: 'It is begun again from its input: what it had sent is in the log, what it was sent before is not.',
    make: () => {
      const echo = fromCallback(
        ({
          receive,
          sendBack,
          input,
        }: {
          receive: (fn: (e: EventObject) => void) => void;
          sendBack: (e: EventObject) => void;
          input: unknown;
        }) => {
          sendBack({ type: 'UP', n: (input as { n: number }).n });
          receive((event) => sendBack({ type: 'ECHO', n: event['n'] }));
        },
      );
      return {
        machineOf: (note) =>
          chart(
            {
              invoke: { src: 'echo', id: 'echo', input: { n: 0 } },
              on: {
                GO: { actions: sendTo('echo', ({ event }) => ({ type: 'HI', n: event['n'] })) },
                '*': { actions: ({ event }: Args) => note([event.type, event['n']]) },
              },
            },
            { actors: { echo } },
          ),
        script: [
          { type: 'GO', n: 1 },
          { type: 'GO', n: 2 },
        ],
      };
    },
    notes: [
      ['UP', 0],
      ['ECHO', 1],
      ['ECHO', 2],
    ],
    notesAfterKills: [
      ['UP', 0],
      ['UP', 0],
      ['ECHO', 1],
      ['UP', 0],
      ['ECHO', 2],
      ['UP', 0],
    ],
  },
  {
    construct: 'invoke of an observable, onSnapshot and onDone',
    live: 'Each value is a snapshot event.',
    recovered: 'It is subscribed again; values that were taken are in the log.',
    make: () => {
      const values = feed();
      return {
        machineOf: (note) =>
          chart(
            {
              invoke: {
                src: 'values',
                id: 'values',
                onSnapshot: { actions: ({ event }: Args) => note((event['snapshot'] as { context: unknown }).context) },
                onDone: { actions: () => note('done') },
              },
            },
            { actors: { values: fromObservable(() => values as never) } },
          ),
        script: [() => values.next(1), () => values.next(2), () => values.complete()],
      };
    },
    notes: [undefined, 1, 2, 'done'],
    notesAfterKills: [undefined, undefined, 1, undefined, 2, undefined, 'done'],
  },
  {
    construct: 'invoke of an event observable',
    live: 'Each value is an event.',
    recovered: 'It is subscribed again; events that were taken are in the log.',
    make: () => {
      const events = feed();
      return {
        machineOf: (note) =>
          chart(
            {
              invoke: { src: 'events', id: 'events', onDone: { actions: () => note('done') } },
              on: { TICK: { actions: noteEvent(note, 'n') } },
            },
            { actors: { events: fromEventObservable(() => events as never) } },
          ),
        script: [() => events.next({ type: 'TICK', n: 1 }), () => events.next({ type: 'TICK', n: 2 }), () => events.complete()],
      };
    },
    notes: [1, 2, 'done'],
  },
  {
    construct: 'escalated error of a leaf',
    live: 'An error that nobody handles ends the child that invoked, and its parent may handle that.',
    recovered: SAME,
    make: () => {
      const call = gate();
      const child = (): AnyActorLogic => chart({ invoke: { src: 'call', id: 'call' } }, { actors: { call: call.logic() } });
      return {
        machineOf: (note) =>
          chart(
            {
              invoke: {
                src: 'child',
                id: 'kid',
                onError: { actions: ({ event }: Args) => note((event['error'] as Error).message) },
              },
            },
            { actors: { child: child() } },
          ),
        script: [() => call.reject(new Error('deep down')), go],
      };
    },
    notes: ['deep down'],
  },
];
