import { expect, test } from 'vitest';
import type { Cell } from '../../core/cell.ts';
import { TrialQueue } from '../../core/node/trial-queue.ts';

test('one at a time is on trial, and those with the most strikes come last', () => {
  const turns: string[] = [];
  const cells = new Map(['first', 'guilty', 'late', 'gone'].map((name) => [name, { name } as unknown as Cell]));
  const cell = (name: string): Cell => cells.get(name) as Cell;
  const queue = new TrialQueue((next) => {
    turns.push([...cells].find(([, c]) => c === next)?.[0] ?? '');
    expect(queue.enter(next, 1)).toBe(true);
  });
  expect(queue.enter(cell('first'), 1)).toBe(true);
  expect(queue.enter(cell('guilty'), 2)).toBe(false);
  expect(queue.enter(cell('gone'), 1)).toBe(false);
  expect(queue.enter(cell('late'), 1)).toBe(false);
  expect(queue.enter(cell('late'), 1)).toBe(false);
  queue.leave(cell('gone'));
  for (const name of ['first', 'late', 'guilty']) queue.leave(cell(name));
  expect(turns).toEqual(['late', 'guilty']);
});
