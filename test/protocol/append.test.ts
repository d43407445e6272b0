import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Attempt, settle } from '../../core/protocol/append.ts';
import type { LogRecord } from '../../core/record.ts';

const record = (seq: number, epoch: number, more: Partial<LogRecord> = {}): LogRecord =>
  ({
    v: 1,
    seq,
    epoch,
    kind: 'event',
    event: { type: 'e' },
    digest: 'd',
    effectsDigest: '',
    meta: { ts: seq, seed: 0, id: `m${seq}` },
    ...more,
  }) as LogRecord;
const batch = (expected: number, epoch: number, count: number): Attempt => ({
  expected,
  epoch,
  records: Array.from({ length: count }, (_, i) => record(expected + 1 + i, epoch)),
});
const ATTEMPT = batch(10, 3, 2);
/** What a look-up finds: these records above 10. */
const found = (above: readonly LogRecord[], epoch = above.at(-1)?.epoch ?? 3, head = 10 + above.length) => ({
  head,
  epoch,
  above,
});
const [one, two] = ATTEMPT.records as [LogRecord, LogRecord];

describe('the outcome of an append whose answer was lost', () => {
  test.each([
    ['nothing is there', found([]), { kind: 'again' }],
    ['nothing is there, of an older epoch', found([], 2), { kind: 'again' }],
    ['nothing is there, and a later epoch has written', found([], 4), { kind: 'stop' }],
    ['all of it ends the stream', found([one, two]), { kind: 'done' }],
    ['the first record ends the stream', found([one]), { kind: 'prefix', count: 1 }],
    ['more than it is there', found([one, two, record(13, 3)]), { kind: 'stop' }],
    ['its records, and then those of another owner', found([one, two, record(13, 4)]), { kind: 'stop' }],
    ['a record of another owner', found([record(11, 4)]), { kind: 'stop' }],
    ['a record of an older owner', found([record(11, 2)]), { kind: 'stop' }],
    ['its first record, and then one of another owner', found([one, record(12, 4)]), { kind: 'stop' }],
    ['all of it, but a checkpoint of a later epoch was saved', found([one, two], 4), { kind: 'stop' }],
    ['another kind', found([record(11, 3, { kind: 'ready' })]), { kind: 'stop' }],
    ['another message', found([record(11, 3, { meta: { ts: 11, seed: 0, id: 'other' } })]), { kind: 'stop' }],
    ['another time', found([record(11, 3, { meta: { ts: 12, seed: 0, id: 'm11' } })]), { kind: 'stop' }],
    ['another state', found([record(11, 3, { digest: 'other' })]), { kind: 'stop' }],
    ['a head that the records do not reach', found([one], 3, 12), { kind: 'stop' }],
    ['a head below the one expected', found([], 3, 9), { kind: 'stop' }],
  ])('%s', (_, what, outcome) => {
    expect(settle(ATTEMPT, what, true)).toEqual(outcome);
    expect(settle(ATTEMPT, what, false)).toEqual({ kind: 'stop' });
  });

  test('records that went through JSON are the same still', () => {
    const read = JSON.parse(JSON.stringify(ATTEMPT.records)) as LogRecord[];
    expect(settle(ATTEMPT, found(read), true)).toEqual({ kind: 'done' });
  });
});

test('whatever prefix is durable and ends the stream: that much is done, the rest follows, and the whole is the batch', () => {
  const sizes = fc.record({
    expected: fc.nat(50),
    count: fc.integer({ min: 1, max: 20 }),
    durable: fc.array(fc.nat(20), { maxLength: 8 }),
  });
  fc.assert(
    fc.property(sizes, ({ expected, count, durable }) => {
      const whole = batch(expected, 3, count);
      const log: LogRecord[] = [];
      let attempt = whole;
      for (const n of [...durable, count]) {
        const written = attempt.records.slice(0, n);
        log.push(...written);
        const outcome = settle(attempt, { head: expected + log.length, epoch: 3, above: written }, true);
        if (outcome.kind === 'done') break;
        const settled = outcome.kind === 'prefix' ? outcome.count : 0;
        expect(settled).toBe(written.length);
        attempt = { expected: attempt.expected + settled, epoch: 3, records: attempt.records.slice(settled) };
      }
      expect(log).toEqual(whole.records);
    }),
    { seed: 20260306 },
  );
});
