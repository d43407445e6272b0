/** Where an actor with a log differs from a live one on purpose (STATECHARTS §2.2, *ours*). */
import { describe, expect, test } from 'vitest';
import { compare } from '../compare.ts';
import { runCells } from '../cells.ts';
import { runLive } from '../live.ts';
import { type Args, assign, chart, emit, sendParent, sendTo } from '../loose.ts';
import { runMesh } from '../mesh.ts';
import type { Note } from '../outcome.ts';

const kinds = (trace: readonly unknown[]): unknown[] => trace.map((t) => (t as [number, unknown])[1]);

describe('*ours*', () => {
  test('a delayed send whose id was used again dies with its actor too, where XState forgets to cancel it', async () => {
    const child = chart({
      entry: [sendParent({ type: 'ONE' }, { id: 'same', delay: 10 }), sendParent({ type: 'TWO' }, { id: 'same', delay: 10 })],
    });
    const machineOf = (note: Note) =>
      chart(
        {
          initial: 'on',
          states: { on: { invoke: { src: 'child', id: 'kid' }, on: { OFF: 'off' } }, off: {} },
          on: { '*': { actions: ({ event }: Args) => note(event.type) } },
        },
        { actors: { child } },
      );
    const script = [{ type: 'OFF' }, { advance: 20 }];
    expect([(await runLive(machineOf, script)).trace, (await runMesh(machineOf, script)).trace]).toEqual([[[2, 'ONE']], []]);
  });

  test('what an action sends by hand comes after what its step sends: it is recorded when the action has run', async () => {
    const machineOf = (note: Note) =>
      chart({
        on: {
          GO: { actions: [({ self }: Args) => self.send({ type: 'BY.HAND' }), sendTo(({ self }) => self, { type: 'SENT' })] },
          '*': { actions: ({ event }: Args) => note(event.type) },
        },
      });
    const script = [{ type: 'GO' }];
    expect(kinds((await runLive(machineOf, script)).trace)).toEqual(['BY.HAND', 'SENT']);
    expect(kinds((await runMesh(machineOf, script)).trace)).toEqual(['SENT', 'BY.HAND']);
  });

  test('children that are done from the first begin in the order of their spawns, where XState begins them last', async () => {
    const done = chart({ initial: 'z', states: { z: { type: 'final' } } });
    const busy = chart({ entry: sendParent({ type: 'BUSY' }) });
    const machineOf = (note: Note) =>
      chart(
        {
          invoke: [
            { src: 'done', id: 'done' },
            { src: 'busy', id: 'busy' },
          ],
          on: { '*': { actions: ({ event }: Args) => note(event.type) } },
        },
        { actors: { done, busy } },
      );
    expect(kinds((await runLive(machineOf, [])).trace)).toEqual(['BUSY', 'xstate.done.actor.done']);
    expect(kinds((await runMesh(machineOf, [])).trace)).toEqual(['xstate.done.actor.done', 'BUSY']);
  });

  test('a step that throws leaves nothing behind, where XState has run the earlier actions', async () => {
    const machineOf = (note: Note) =>
      chart({
        on: {
          BAD: {
            actions: [
              () => note('ran'),
              emit({ type: 'E' }),
              assign(() => {
                throw new RangeError('no');
              }),
            ],
          },
        },
      });
    const [live, ours] = [await runLive(machineOf, [{ type: 'BAD' }]), await runMesh(machineOf, [{ type: 'BAD' }])];
    expect([live.trace, ours.trace]).toEqual([[[1, 'ran']], []]);
    expect(ours.states[1]).toEqual({ status: 'error', message: 'no' });
    expect(live.states[1]).toEqual(ours.states[1]);
  });

  test('a sendTo whose target is undefined goes to self, in XState too: each is a step of its own, so the log shows the loop', async () => {
    const machineOf = (note: Note) =>
      chart({
        on: {
          GO: [
            {
              actions: sendTo(
                ({ context }) => context['nobody'] as never,
                ({ event }) => ({ type: 'GO', n: Number(event['n']) + 1 }),
              ),
              guard: ({ event }: Args) => Number(event['n']) < 5,
            },
            { actions: ({ event }: Args) => note(event) },
          ],
        },
      });
    const { ours } = await compare(machineOf, [{ type: 'GO', n: 0 }]);
    expect(ours.trace).toEqual([[1, { type: 'GO', n: 5 }]]);
    expect(ours.root.log).toHaveLength(7);
  });

  test('a custom action that throws is recorded under its effect id and tried again', async () => {
    let tries = 0;
    const { trace, records } = await runCells(
      (note) =>
        chart({
          on: {
            GO: {
              actions: () => {
                if (++tries < 3) throw new RangeError(`try ${tries}`);
                note('done');
              },
            },
          },
        }),
      [{ type: 'GO' }, { advance: 60_000 }, { type: 'AFTER' }],
      { killed: false },
    );
    expect(trace).toEqual(['done']);
    expect(records.flatMap((r) => (r.kind === 'failed' ? [[r.action, r.attempt, r.error.message]] : []))).toEqual([
      ['root!2.0', 1, 'try 1'],
      ['root!2.0', 2, 'try 2'],
    ]);
  });

  test('what an asynchronous action sends later is recorded then; one that is rejected harms nobody', async () => {
    const { trace, records, logged } = await runCells(
      (note) =>
        chart({
          on: {
            GO: {
              actions: async ({ self }: Args) => {
                await Promise.resolve();
                self.send({ type: 'LATE' });
                throw new RangeError('too late to fail');
              },
            },
            LATE: { actions: ({ event }: Args) => note(event.type) },
          },
        }),
      [{ type: 'GO' }],
      { killed: false },
    );
    expect(trace).toEqual(['LATE']);
    expect(records.flatMap((r) => (r.kind === 'mark' && r.sends !== undefined ? r.sends : []))).toEqual([
      { to: 'root', event: { type: 'LATE' } },
    ]);
    expect(logged).toEqual([["action 'actions' was rejected", { name: 'RangeError', message: 'too late to fail' }]]);
  });

  test('an action that may run once at most is marked before it runs', async () => {
    const machineOf = (note: Note) =>
      chart(
        { on: { GO: { actions: ['once', 'often'] } } },
        { actions: { once: () => note('once'), often: () => note('often') } },
      );
    const { trace, again } = await runCells(machineOf, [{ type: 'GO' }], { killed: true, atMostOnce: ['once'] });
    expect(trace.toSorted((a, b) => String(a).localeCompare(String(b)))).toEqual(['often', 'once']);
    // The other one runs again, under its id, since no mark of it had become durable.
    expect(again).toEqual([expect.stringMatching(/^root!\d+\.1$/)]);
  });

  test('one that goes on throwing fails its actor, and its parent handles that as in XState', async () => {
    const child = chart({
      on: {
        GO: {
          actions: () => {
            throw new RangeError('no');
          },
        },
      },
    });
    const machineOf = (note: Note) =>
      chart(
        {
          invoke: { src: 'child', id: 'kid', onError: { actions: ({ event }: Args) => note((event['error'] as Error).message) } },
          on: { GO: { actions: sendTo('kid', { type: 'GO' }) } },
        },
        { actors: { child } },
      );
    const script = [{ type: 'GO' }, { advance: 60_000 }];
    expect(kinds((await runLive(machineOf, script)).trace)).toEqual(['no']);
    expect((await runCells(machineOf, script, { killed: false })).trace).toEqual(['no']);
  });
});
