import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  acceptOutside,
  decodeOutside,
  emptyOutside,
  encodeOutside,
  MADE_MAX,
  type Outside,
  OUTSIDE_CHARS_MAX,
  OUTSIDE_MAX,
  OUTSIDE_MS,
  recordMade,
  recordOutside,
  recordReply,
} from '../../core/protocol/outside.ts';

const T = 1_000_000;
const reply = (n: number) => ({ type: 'reply', n });
function filled(count: number, ts: number): Outside {
  const outside = emptyOutside();
  for (let i = 0; i < count; i++) recordOutside(outside, `id${i}`, ts, i + 1);
  return outside;
}

describe('an id that a node made', () => {
  test('always finds room: the oldest go', () => {
    const made = emptyOutside();
    for (let i = 0; i < MADE_MAX + 5; i++) recordMade(made, `id${i}`, T, i + 1);
    expect(made.ids.size).toBe(MADE_MAX);
    expect([made.ids.has('id4'), made.ids.get('id5')?.seq]).toEqual([false, 6]);
  });

  test('goes with its reply when replies take too much room, and after a day', () => {
    const made = emptyOutside();
    recordMade(made, 'x', T, 1);
    recordMade(made, 'y', T, 2);
    recordReply(made, 'x', { type: 'reply', text: 'x'.repeat(OUTSIDE_CHARS_MAX) });
    recordMade(made, 'z', T, 3);
    expect([[...made.ids.keys()], made.chars]).toEqual([['y', 'z'], 0]);
    recordMade(made, 'a', T + OUTSIDE_MS + 1, 4);
    expect([...made.ids.keys()]).toEqual(['a']);
  });
});

describe('an id from outside', () => {
  test('is taken once, and then known with its seq and, later, its reply', () => {
    const outside = emptyOutside();
    expect([acceptOutside(undefined, 'x', T), acceptOutside(outside, 'x', T)]).toEqual(['take', 'take']);
    recordOutside(outside, 'x', T, 7);
    expect(acceptOutside(outside, 'x', T)).toMatchObject({ seq: 7, reply: undefined });
    recordReply(outside, 'x', reply(1));
    expect(acceptOutside(outside, 'x', T)).toMatchObject({ seq: 7, reply: reply(1) });
  });

  test('that is recorded again stays what it was', () => {
    const outside = filled(1, T);
    recordReply(outside, 'id0', reply(1));
    recordOutside(outside, 'id0', T + 5, 9);
    expect(acceptOutside(outside, 'id0', T)).toMatchObject({ seq: 1, reply: reply(1) });
  });

  test('that was refused stays so until it is replied to, and takes room as a reply does', () => {
    const outside = emptyOutside();
    const refusal = { code: 'STEP_FAILED', message: 'x'.repeat(OUTSIDE_CHARS_MAX) } as const;
    recordOutside(outside, 'x', T, 7, refusal);
    recordOutside(outside, 'x', T + 5, 9);
    expect(acceptOutside(outside, 'x', T)).toMatchObject({ seq: 7, reply: undefined, refusal });
    expect(acceptOutside(outside, 'y', T)).toBe('busy');
    recordReply(outside, 'x', reply(1));
    expect(acceptOutside(outside, 'x', T)).toMatchObject({ seq: 7, reply: reply(1), refusal: undefined });
    expect(outside.chars).toBe(JSON.stringify(reply(1)).length);
    recordOutside(outside, 'z', T + OUTSIDE_MS + 1, 10);
    expect(outside.chars).toBe(0);
  });

  test('has one reply, the first', () => {
    const outside = filled(1, T);
    expect(recordReply(outside, 'id0', reply(1))).toEqual(reply(1));
    expect(recordReply(outside, 'id0', reply(2))).toEqual(reply(1));
    expect(outside.chars).toBe(JSON.stringify(reply(1)).length);
  });

  test('that is not remembered is replied to all the same, and nothing is kept', () => {
    const outside = emptyOutside();
    expect(recordReply(outside, 'x', reply(1))).toEqual(reply(1));
    expect(outside).toEqual(emptyOutside());
  });

  test('is remembered for a day to the millisecond, and longer while nobody else comes', () => {
    const outside = filled(1, T);
    recordOutside(outside, 'y', T + OUTSIDE_MS, 2);
    expect(outside.ids.has('id0')).toBe(true);
    expect(acceptOutside(outside, 'id0', T + 9 * OUTSIDE_MS)).toMatchObject({ seq: 1 });
    recordOutside(outside, 'z', T + OUTSIDE_MS + 1, 3);
    expect([...outside.ids.keys()]).toEqual(['y', 'z']);
  });
});

describe('the window', () => {
  test('refuses when it is full of ids, until the oldest is more than a day old', () => {
    const outside = filled(OUTSIDE_MAX, T);
    expect(acceptOutside(filled(OUTSIDE_MAX - 1, T), 'x', T)).toBe('take');
    expect(acceptOutside(outside, 'x', T)).toBe('busy');
    expect(acceptOutside(outside, 'x', T + OUTSIDE_MS)).toBe('busy');
    expect(acceptOutside(outside, 'x', T + OUTSIDE_MS + 1)).toBe('take');
    expect(acceptOutside(outside, 'id5', T)).toMatchObject({ seq: 6 });
  });

  test('refuses when it is full of replies, and has room again when they go', () => {
    const outside = filled(1, T);
    const overhead = JSON.stringify({ type: '' }).length;
    recordReply(outside, 'id0', { type: 'x'.repeat(OUTSIDE_CHARS_MAX - overhead - 1) });
    expect(acceptOutside(outside, 'x', T)).toBe('take');
    recordOutside(outside, 'y', T, 2);
    recordReply(outside, 'y', { type: '' });
    expect(acceptOutside(outside, 'x', T)).toBe('busy');
    recordOutside(outside, 'z', T + OUTSIDE_MS + 1, 3);
    expect(outside.chars).toBe(0);
    expect(acceptOutside(outside, 'x', T)).toBe('take');
  });
});

test('the JSON of a checkpoint gives the same window, after any history', () => {
  const step = fc.record({
    id: fc.constantFrom('a', 'b', 'c', 'd'),
    ms: fc.nat(OUTSIDE_MS),
    what: fc.constantFrom('replied', 'refused', 'taken'),
  });
  const refusal = { code: 'STEP_FAILED', message: 'no' } as const;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const outside = emptyOutside();
      let now = T;
      for (const [i, { id, ms, what }] of steps.entries()) {
        now += ms;
        recordOutside(outside, id, now, i + 1, what === 'refused' ? refusal : undefined);
        if (what === 'replied') recordReply(outside, id, reply(i));
      }
      expect(decodeOutside(JSON.parse(JSON.stringify(encodeOutside(outside))))).toEqual(outside);
      expect(outside.chars).toBe([...outside.ids.values()].reduce((n, e) => n + e.chars, 0));
    }),
    { seed: 20260305 },
  );
});
