import { describe, expect, test } from 'vitest';
import { emptyHeld, type Held, HELD_MAX, HELD_TOTAL_MAX, hold, release } from '../../core/protocol/held.ts';

interface Waiting {
  readonly position: number;
  readonly after: number;
  readonly copy?: number;
}
const put = (held: Held<Waiting>, from: string, e: Waiting): boolean => hold(held, from, 'user', e.position, e);
const take = (held: Held<Waiting>, from: string, at: number): number[] =>
  release(held, from, 'user', at, (e) => e.after).map((e) => e.position);
/** Each waits for the one before it. */
const row = (held: Held<Waiting>, from: string, first: number, last: number): boolean[] =>
  Array.from({ length: last - first + 1 }, (_, i) => put(held, from, { position: first + i, after: first + i - 1 }));

describe('what came before its turn', () => {
  test('is let go one after the other, as the cursor moves', () => {
    const held = emptyHeld<Waiting>();
    row(held, 'a', 2, 4);
    expect([take(held, 'a', 0), take(held, 'a', 1), take(held, 'a', 2), take(held, 'a', 3)]).toEqual([[], [2], [3], [4]]);
    expect(held).toEqual(emptyHeld());
  });

  test('goes in the order of position, whatever the order of coming', () => {
    const held = emptyHeld<Waiting>();
    for (const position of [9, 3, 5]) put(held, 'a', { position, after: 1 });
    expect(take(held, 'a', 1)).toEqual([3, 5, 9]);
  });

  test('is gone without a word when the cursor has passed it', () => {
    const held = emptyHeld<Waiting>();
    row(held, 'a', 2, 4);
    expect(take(held, 'a', 4)).toEqual([]);
    expect(held.total).toBe(0);
  });

  test('is kept apart by sender and lane', () => {
    const held = emptyHeld<Waiting>();
    put(held, 'a', { position: 2, after: 1 });
    put(held, 'b', { position: 2, after: 1 });
    hold(held, 'a', 'system', 2, { position: 2, after: 1 });
    expect(take(held, 'a', 1)).toEqual([2]);
    expect(held.total).toBe(2);
    expect(take(held, 'c', 1)).toEqual([]);
  });

  test('is there once: a later copy takes its place, because it may wait for less', () => {
    const held = emptyHeld<Waiting>();
    put(held, 'a', { position: 5, after: 4, copy: 1 });
    put(held, 'a', { position: 5, after: 1, copy: 2 });
    expect(held.total).toBe(1);
    expect(release(held, 'a', 'user', 1, (e) => e.after)).toEqual([{ position: 5, after: 1, copy: 2 }]);
  });
});

describe('room', () => {
  test('is for so many of one sender and lane; a copy of what is held needs none', () => {
    const held = emptyHeld<Waiting>();
    expect(row(held, 'a', 2, HELD_MAX + 2).indexOf(false)).toBe(HELD_MAX);
    expect(put(held, 'a', { position: 2, after: 1 })).toBe(true);
    expect(put(held, 'b', { position: 2, after: 1 })).toBe(true);
    expect(held.total).toBe(HELD_MAX + 1);
  });

  test('is for so many in all, and comes back', () => {
    const held = emptyHeld<Waiting>();
    const senders = HELD_TOTAL_MAX / HELD_MAX;
    for (let i = 0; i < senders; i++) expect(row(held, `a${i}`, 2, HELD_MAX + 1)).not.toContain(false);
    expect(held.total).toBe(HELD_TOTAL_MAX);
    expect(put(held, 'late', { position: 2, after: 1 })).toBe(false);
    expect(held.lanes.has('late')).toBe(false);
    expect(take(held, 'a0', 1)).toEqual([2]);
    expect(put(held, 'late', { position: 2, after: 1 })).toBe(true);
  });
});
