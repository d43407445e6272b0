import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Lane } from '../../core/effect.ts';
import {
  advance,
  type Arrival,
  type Cursor,
  cursorKey,
  type Cursors,
  decodeCursors,
  dropStill,
  encodeCursors,
  receive,
} from '../../core/protocol/cursors.ts';

const HORIZON = 1_000;
const NOW = 10_000;
const arrival = (more: Partial<Arrival> = {}): Arrival => ({
  position: 5,
  after: -1,
  ts: NOW,
  expired: false,
  void: false,
  ...more,
});
const cursorAt = (at: number, birth = NOW): Cursor => ({ at, birth, movedAt: birth });
const fate = (cursor: Cursor | undefined, e: Arrival): string => {
  const verdict = receive(cursor, e, NOW, HORIZON);
  return verdict.kind === 'dead' ? verdict.cause : verdict.kind;
};

describe('an envelope', () => {
  test.each([
    ['above the cursor', cursorAt(4), {}, 'take'],
    ['at the cursor', cursorAt(5), {}, 'known'],
    ['below the cursor', cursorAt(6), {}, 'known'],
    ['without a cursor', undefined, {}, 'take'],
    ['at position 0 without a cursor', undefined, { position: 0 }, 'take'],
    ['after the cursor itself', cursorAt(4), { after: 4 }, 'take'],
    ['after one below the cursor', cursorAt(4), { after: 3 }, 'take'],
    ['after one above the cursor', cursorAt(3), { after: 4 }, 'hold'],
    ['after one that nobody saw, without a cursor', undefined, { after: 0 }, 'hold'],
  ])('%s', (_, cursor, more, kind) => {
    expect(fate(cursor, arrival(more))).toBe(kind);
  });

  test.each([
    ['a horizon old to the millisecond, no cursor', undefined, NOW - HORIZON, 'take'],
    ['one more, no cursor', undefined, NOW - HORIZON - 1, 'forgotten'],
    ['a horizon before the birth of the cursor', cursorAt(4, NOW - 500), NOW - 500 - HORIZON, 'take'],
    ['one more', cursorAt(4, NOW - 500), NOW - 500 - HORIZON - 1, 'forgotten'],
    ['very old, with a cursor as old', cursorAt(4, 0), 0, 'take'],
  ])('%s', (_, cursor, ts, kind) => {
    expect(fate(cursor, arrival({ ts }))).toBe(kind);
  });

  test('is known before all, then in its order, then young enough, then not given up, then in time', () => {
    const worst = arrival({ after: 4, ts: 0, void: true, expired: true });
    expect(fate(cursorAt(5), worst)).toBe('known');
    expect(fate(cursorAt(3), worst)).toBe('hold');
    expect(fate(cursorAt(4), worst)).toBe('forgotten');
    expect(fate(cursorAt(4), { ...worst, ts: NOW })).toBe('void');
    expect(fate(cursorAt(4), { ...worst, ts: NOW, void: false })).toBe('expired');
    expect(fate(cursorAt(4), { ...worst, ts: NOW, void: false, expired: false })).toBe('take');
  });
});

describe('a cursor', () => {
  test('keeps its birth, moves forward only, and says when it was moved', () => {
    const cursors: Cursors = new Map();
    advance(cursors, 'a', 'user', 5, 100);
    advance(cursors, 'a', 'user', 9, 200);
    advance(cursors, 'a', 'user', 7, 300);
    expect(cursors.get('a')).toEqual({ at: 9, birth: 100, movedAt: 300 });
  });

  test('is one for each sender and lane', () => {
    const cursors: Cursors = new Map();
    advance(cursors, 'a', 'user', 5, 0);
    advance(cursors, 'a', 'system', 9, 0);
    advance(cursors, 'b', 'user', 1, 0);
    expect([cursorKey('a', 'user'), cursorKey('a', 'system'), cursorKey('b', 'user')].map((k) => cursors.get(k)?.at)).toEqual([
      5, 9, 1,
    ]);
    expect(cursors.size).toBe(3);
  });

  test('goes when it has not moved for more than twice the horizon', () => {
    const cursors: Cursors = new Map();
    advance(cursors, 'still', 'user', 1, NOW - 2 * HORIZON - 1);
    advance(cursors, 'just', 'user', 1, NOW - 2 * HORIZON);
    advance(cursors, 'moved', 'user', 1, 0);
    advance(cursors, 'moved', 'user', 2, NOW);
    dropStill(cursors, NOW, HORIZON);
    expect([...cursors.keys()]).toEqual(['just', 'moved']);
  });
});

const moves = fc.array(
  fc.record({
    from: fc.constantFrom('a', 'b/c', 'd/e@1.0'),
    lane: fc.constantFrom<Lane>('user', 'system'),
    position: fc.nat(50),
    ts: fc.nat(10_000),
  }),
  { maxLength: 20 },
);

test('the JSON of a checkpoint gives the same cursors', () => {
  fc.assert(
    fc.property(moves, (all) => {
      const cursors: Cursors = new Map();
      for (const m of all) advance(cursors, m.from, m.lane, m.position, m.ts);
      expect(decodeCursors(JSON.parse(JSON.stringify(encodeCursors(cursors))))).toEqual(cursors);
    }),
    { seed: 20260303 },
  );
});

test('what was taken is never taken again: not with the cursor, and not after it was dropped', () => {
  const when = { takenAt: fc.nat(20_000), made: fc.nat(20_000), later: fc.nat(20_000) };
  fc.assert(
    fc.property(fc.record(when), ({ takenAt, made, later }) => {
      // A message is made before it is taken.
      const ts = Math.min(made, takenAt);
      const now = takenAt + later;
      const cursors: Cursors = new Map();
      advance(cursors, 'a', 'user', 5, takenAt);
      dropStill(cursors, now, HORIZON);
      const verdict = receive(cursors.get('a'), arrival({ ts }), now, HORIZON);
      expect(verdict.kind === 'known' || (verdict.kind === 'dead' && verdict.cause === 'forgotten')).toBe(true);
    }),
    { seed: 20260304 },
  );
});
