/** Time: timers, delayed sends, and how they are cancelled. */
import { fromCallback } from 'xstate';
import { type Args, cancel, chart, raise, sendParent, sendTo } from '../loose.ts';
import { HOUR, go, SAME, noteEvent, type Row } from './row.ts';

export const TIME: readonly Row[] = [
  {
    construct: 'after',
    live: 'Fires at its deadline; leaving the state cancels it.',
    recovered: 'Keeps its original deadline; what is overdue fires once.',
    make: () => ({
      machineOf: (note) =>
        chart({
          initial: 'a',
          states: {
            a: { after: { [2 * HOUR]: { target: 'b', actions: () => note('after 2') } }, on: { NEXT: 'a' } },
            b: {
              after: { [HOUR]: { actions: () => note('never') }, [3 * HOUR]: { actions: () => note('never too') } },
              on: { GO: 'c' },
            },
            c: {},
          },
        }),
      script: [{ advance: 1.5 * HOUR }, { advance: 0.6 * HOUR }, go, { advance: 9 * HOUR }],
    }),
    notes: ['after 2'],
  },
  {
    construct: 'raise, and delayed raise',
    live: 'Without a delay within the step; with one it is a timer that leaving the state does not cancel.',
    recovered: 'The timer keeps its original deadline.',
    make: () => ({
      machineOf: (note) =>
        chart({
          on: {
            GO: {
              actions: [
                raise({ type: 'NOW' }),
                raise({ type: 'LATER' }, { delay: ({ event }) => event['hours'] as number }),
                () => note('go'),
              ],
            },
            '*': { actions: noteEvent(note) },
          },
        }),
      script: [{ type: 'GO', hours: HOUR }, { advance: 1.5 * HOUR }],
    }),
    notes: ['go', 'NOW', 'LATER'],
  },
  {
    construct: 'named and computed delays',
    live: 'Taken from the implementations, or from context and event, when the timer is set.',
    recovered: 'The deadline of the record counts, also when the delay was edited since.',
    make: () => ({
      machineOf: (note) =>
        chart(
          {
            context: { n: 2 },
            initial: 'a',
            states: { a: { after: { soon: { target: 'b', actions: () => note('soon') } } }, b: {} },
            on: { GO: { actions: raise({ type: 'LATER' }, { delay: 'byContext' }) }, LATER: { actions: () => note('later') } },
          },
          { delays: { soon: HOUR, byContext: ({ context }: Args) => context.n * HOUR } },
        ),
      script: [go, { advance: 1.5 * HOUR }, { advance: HOUR }],
    }),
    notes: ['soon', 'later'],
  },
  {
    construct: 'delayed sendTo',
    live: 'To itself, to a child machine, to a callback, at its deadline; it dies with its actor.',
    recovered: 'It is a timer, not yet a message, and keeps its original deadline.',
    make: () => {
      const child = chart({ on: { HI: { actions: sendParent({ type: 'FROM.CHILD' }) } } });
      const echo = fromCallback(({ receive, sendBack }) => receive(() => sendBack({ type: 'FROM.CALLBACK' })));
      return {
        machineOf: (note) =>
          chart(
            {
              invoke: [
                { src: 'child', id: 'kid' },
                { src: 'echo', id: 'echo' },
              ],
              on: {
                GO: {
                  actions: [
                    sendTo(({ self }) => self, { type: 'SELF' }, { delay: HOUR }),
                    sendTo('kid', { type: 'HI' }, { delay: 2 * HOUR }),
                    sendTo('echo', { type: 'HI' }, { delay: 3 * HOUR }),
                  ],
                },
                '*': { actions: noteEvent(note) },
              },
            },
            { actors: { child, echo } },
          ),
        script: [go, { advance: 1.5 * HOUR }, { advance: HOUR }, { advance: HOUR }],
      };
    },
    notes: ['SELF', 'FROM.CHILD', 'FROM.CALLBACK'],
  },
  {
    construct: 'cancel',
    live: 'A timer or a delayed send that is cancelled by its id never fires.',
    recovered: SAME,
    make: () => ({
      machineOf: (note) =>
        chart({
          entry: [
            raise({ type: 'A' }, { id: 'a', delay: HOUR }),
            sendTo(({ self }) => self, { type: 'B' }, { id: 'b', delay: HOUR }),
            raise({ type: 'C' }, { id: 'c', delay: HOUR }),
          ],
          on: {
            GO: { actions: [cancel('a'), cancel(({ event }) => event['which'] as string), cancel('none')] },
            '*': { actions: noteEvent(note) },
          },
        }),
      script: [{ type: 'GO', which: 'b' }, { advance: 2 * HOUR }],
    }),
    notes: ['C'],
  },
];
