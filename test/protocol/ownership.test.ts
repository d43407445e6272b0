import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { SessionState } from '../../core/ports/directory.ts';
import {
  beginRenewal,
  claimEpoch,
  clockOffset,
  type Holder,
  mayAct,
  newHolder,
  observe,
  type Observed,
  renewed,
} from '../../core/protocol/ownership.ts';

const TTL = 3_000;
const MARGIN = 500;
function heldSince(monotonic: number, wall: number): Holder {
  const holder = newHolder(TTL, MARGIN);
  renewed(holder, beginRenewal(monotonic, wall));
  return holder;
}

describe('a holder', () => {
  test('may not act before its first renewal', () => {
    expect(mayAct(newHolder(TTL, MARGIN), 0, 0)).toBe(false);
  });

  test.each([
    ['at once', 0, 0, true],
    ['in the last millisecond before the margin', TTL - MARGIN - 1, TTL - MARGIN - 1, true],
    ['where the margin begins', TTL - MARGIN, TTL - MARGIN, false],
    ['when its monotonic clock alone has come there', TTL - MARGIN, 0, false],
    ['when its wall clock alone has: the machine was suspended', 0, TTL - MARGIN, false],
    ['after its wall clock jumped back', 0, -3_600_000, true],
    ['later, after its wall clock jumped back', TTL - MARGIN, -3_600_000, false],
  ])('%s', (_, monotonic, wall, may) => {
    expect(mayAct(heldSince(50_000, 1_700_000_000_000), 50_000 + monotonic, 1_700_000_000_000 + wall)).toBe(may);
  });

  test('counts from when the renewal that succeeded was begun', () => {
    const holder = heldSince(0, 0);
    const began = beginRenewal(1_000, 1_000);
    expect(mayAct(holder, 2_500, 2_500)).toBe(false);
    renewed(holder, began);
    expect(mayAct(holder, 2_500, 2_500)).toBe(true);
    expect(mayAct(holder, 3_500, 3_500)).toBe(false);
  });
});

describe('an observer', () => {
  const session = (name: string, counter: number): SessionState => ({
    node: name,
    session: name,
    counter,
    endpoint: '',
    groups: [],
  });
  const look = (observed: Observed, at: number, ...sessions: SessionState[]) => observe(observed, sessions, 'me', at, TTL);

  test('ends a session after a whole TTL without change, at the counter that it saw', () => {
    const observed: Observed = new Map();
    expect(look(observed, 100, session('a', 7))).toEqual([]);
    expect(look(observed, 100 + TTL - 1, session('a', 7))).toEqual([]);
    expect(look(observed, 100 + TTL, session('a', 7))).toEqual([['a', 7]]);
    expect(look(observed, 100 + TTL + 1, session('a', 7))).toEqual([['a', 7]]);
  });

  test('begins anew with each change', () => {
    const observed: Observed = new Map();
    look(observed, 0, session('a', 1));
    expect(look(observed, TTL, session('a', 2))).toEqual([]);
    expect(look(observed, 2 * TTL - 1, session('a', 2))).toEqual([]);
    expect(look(observed, 2 * TTL, session('a', 2))).toEqual([['a', 2]]);
  });

  test('never ends its own, and forgets those that are gone', () => {
    const observed: Observed = new Map();
    look(observed, 0, session('me', 1), session('a', 1));
    expect([...observed.keys()]).toEqual(['a']);
    expect(look(observed, TTL, session('me', 1))).toEqual([]);
    expect(observed.size).toBe(0);
    expect(look(observed, 2 * TTL, session('a', 1))).toEqual([]);
  });

  test('tells sessions apart', () => {
    const observed: Observed = new Map();
    look(observed, 0, session('a', 1), session('b', 1));
    look(observed, 1_000, session('a', 2), session('b', 1));
    expect(look(observed, TTL, session('a', 2), session('b', 1))).toEqual([['b', 1]]);
  });
});

test('however renewals and looks are timed: who is ended may not act any more', () => {
  const step = fc.record({ ms: fc.nat(1_500), does: fc.constantFrom('begin', 'arrive', 'hear', 'look') });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.nat(1_000_000), (steps, offset) => {
      const holder = newHolder(TTL, MARGIN);
      const observed: Observed = new Map();
      let now = 0;
      let counter = 1;
      let began: ReturnType<typeof beginRenewal> | undefined;
      let arrived = false;
      for (const { ms, does } of steps) {
        now += ms;
        if (does === 'begin' && began === undefined) began = beginRenewal(now, now);
        if (does === 'arrive' && began !== undefined && !arrived) {
          counter++;
          arrived = true;
        }
        if (does === 'hear' && began !== undefined && arrived) {
          renewed(holder, began);
          began = undefined;
          arrived = false;
        }
        const sessions = [{ node: 'h', session: 'h', counter, endpoint: '', groups: [] }];
        const ended = does === 'look' ? observe(observed, sessions, 'o', offset + now, TTL) : [];
        // Ended at this counter: no renewal can succeed any more.
        if (ended.length === 0) continue;
        expect(mayAct(holder, now, now)).toBe(false);
        return;
      }
    }),
    { seed: 20260307, numRuns: 2_000 },
  );
});

describe('the clock of the directory', () => {
  test.each([
    ['between question and answer', 100, 200, 150, 0],
    ['at the question', 100, 200, 100, 0],
    ['at the answer', 100, 200, 200, 0],
    ['before the question', 100, 200, 90, -10],
    ['after the answer', 100, 200, 230, 30],
  ])('%s', (_, asked, answered, directory, offset) => {
    expect(clockOffset(asked, answered, directory)).toBe(offset);
  });
});

test('a claim is above the last one and above every epoch that was written', () => {
  expect([claimEpoch(0, 0), claimEpoch(4, 0), claimEpoch(4, 9), claimEpoch(9, 4)]).toEqual([1, 5, 10, 10]);
});
