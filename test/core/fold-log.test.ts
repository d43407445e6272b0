/** A log that was kept, against the code at hand: as users' tests have it, by the package's names. */
import { assign, setup } from 'xstate';
import { describe, expect, test } from 'vitest';
import { isMeshError, startMesh } from 'reprise';
import { foldLog, type LogRecord, machineLogic, memory } from 'reprise/testing';

/** `by`: what an order of one is worth. */
const till = (by: number) =>
  setup({ types: { context: {} as { readonly sum: number }, events: {} as { readonly type: 'sold' | 'closed' } } }).createMachine(
    {
      id: 'till',
      version: '1',
      context: { sum: 0 },
      initial: 'open',
      states: {
        open: { on: { sold: { actions: assign({ sum: ({ context }) => context.sum + by }) }, closed: 'shut' } },
        shut: {},
      },
    },
  );

/** Runs a till and gives its log as a store would, with the state that it came to. */
async function sold(reset: boolean) {
  const records: LogRecord[] = [];
  await using mesh = await startMesh(
    { mesh: 'shop', store: 'memory:', actors: { till: { logic: 'till' } } },
    { till: till(5) },
    { store: memory(), onRecords: (actor, more) => actor === 'till' && records.push(...more) },
  );
  for (const type of ['sold', 'sold', 'closed']) await mesh.send('till', { type });
  if (reset) {
    await mesh.upkeep.reset('till');
    await mesh.send('till', { type: 'sold' });
  }
  const { value, context } = await mesh.ref('till').state();
  const log: LogRecord[] = [];
  for await (const record of mesh.inspect.records('till')) log.push(record);
  return { records, log: JSON.parse(JSON.stringify(log)) as LogRecord[], state: { value, context } };
}

describe('foldLog', () => {
  test.each([
    ['of one life', false, { value: 'shut', context: { sum: 10 } }],
    ['over a reset', true, { value: 'open', context: { sum: 5 } }],
  ])('gives the state that the actor was in: %s', async (_, reset, state) => {
    const till5 = await sold(reset);
    expect(till5.state).toEqual(state);
    expect(foldLog(machineLogic(till(5)), 'till', till5.log)).toMatchObject(state);
  });

  test('gives it for records as they become durable', async () => {
    const { records, state } = await sold(false);
    expect(foldLog(machineLogic(till(5)), 'till', records)).toMatchObject(state);
  });

  test('stops at the first record that other code does not repeat', async () => {
    const { log } = await sold(false);
    const fold = (): unknown => foldLog(machineLogic(till(6)), 'till', log);
    expect(fold).toThrow(expect.toSatisfy((error: unknown) => isMeshError(error, 'REPLAY_DIVERGED')));
    const first = log.find((record) => record.kind === 'event');
    expect(fold).toThrow(`till does not fit the edited code from seq ${first?.seq} on`);
  });
});
