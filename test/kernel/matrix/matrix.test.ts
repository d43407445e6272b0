/** What each construct of XState does live, in recovery and in replay; the rows are beside. */
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { runCells } from '../cells.ts';
import { compare } from '../compare.ts';
import { ACTIONS } from './actions.ts';
import { ACTORS } from './actors.ts';
import { LEAVES } from './leaves.ts';
import { STATES } from './states.ts';
import { TIME } from './time.ts';

/** Of `[act, note]`s, without what was emitted and logged. */
const notesOf = (trace: readonly unknown[]): unknown[] =>
  trace
    .map((t) => (t as [number, unknown])[1])
    .filter((n) => typeof n !== 'object' || n === null || !('emit' in n || 'log' in n));
const plain = (notes: readonly unknown[]): unknown => JSON.parse(JSON.stringify(notes));

beforeEach(() => {
  vi.spyOn(console, 'warn').mockReturnValue();
});
afterEach(() => {
  vi.restoreAllMocks();
});

const ROWS = [...STATES, ...TIME, ...LEAVES, ...ACTORS, ...ACTIONS];

test('docs/xstate.md says the same', () => {
  const page = readFileSync(new URL('../../../docs/xstate.md', import.meta.url), 'utf8');
  const table = page.split('\n').filter((line) => line.startsWith('| '));
  for (const { construct, live, recovered } of ROWS) expect(table).toContain(`| ${construct} | ${live} | ${recovered} |`);
});

describe.each(ROWS)('$construct', ({ make, notes, notesAfterKills }) => {
  test('by a fold of its log and of its checkpoint before each event it does what a live actor does; its replay performs nothing', async () => {
    const { machineOf, script, input } = make();
    const { live } = await compare(machineOf, script, { input });
    expect(plain(notesOf(live.trace))).toEqual(plain(notes));
  });

  test('in cells it does the same', async () => {
    const { machineOf, script, input } = make();
    const { trace, again, view } = await runCells(machineOf, script, { input, killed: false });
    expect(plain(trace)).toEqual(plain(notes));
    expect(again).toEqual([]);
    expect(view.status).toBe('active');
  });

  test('killed after each act it goes on where it was: nothing that has a result is performed again', async () => {
    const { machineOf, script, input } = make();
    const { trace, again } = await runCells(machineOf, script, { input, killed: true });
    expect(plain(trace)).toEqual(plain(notesAfterKills ?? notes));
    // A custom action whose mark was not yet in the log runs once more, under the same id.
    expect(again).toEqual([...new Set(again)]);
  });
});
