import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Address, EFFECTS_MAX, effectId } from '../../core/address.ts';
import type { Lane } from '../../core/effect.ts';
import {
  addSend,
  catchUp,
  afterOf,
  decodeOutbox,
  dueSends,
  earliestSend,
  emptyOutbox,
  encodeOutbox,
  giveUp,
  heard,
  type NewSend,
  type Outbox,
  outboxSize,
  pendingSends,
  sent,
  settleSend,
} from '../../core/protocol/outbox.ts';

const RESEND_MIN_MS = 500;
const RESEND_MAX_MS = 300_000;

const made = (seq: number, more: Partial<NewSend> = {}): NewSend => ({
  id: effectId('a', seq, 0),
  position: seq * EFFECTS_MAX,
  to: 'b',
  lane: 'user',
  event: { type: 'm', n: seq },
  ts: 0,
  ...more,
});
const at = (seq: number): number => seq * EFFECTS_MAX;
/** An outbox with sends of these records, all to one lane. */
function filled(...seqs: readonly number[]): Outbox {
  const outbox = emptyOutbox();
  for (const seq of seqs) addSend(outbox, made(seq));
  return outbox;
}
const get = (outbox: Outbox, seq: number) => {
  const send = outbox.byId.get(effectId('a', seq, 0));
  if (send === undefined) throw new RangeError(`${seq} is not pending`);
  return send;
};
const ids = (outbox: Outbox): number[] => Array.from(pendingSends(outbox), (s) => s.position / EFFECTS_MAX);

describe('order', () => {
  test('a send names the one before it of the same receiver and lane, or none', () => {
    const outbox = emptyOutbox();
    const first = addSend(outbox, made(1));
    const other = addSend(outbox, made(2, { to: 'c' }));
    const urgent = addSend(outbox, made(3, { lane: 'system' }));
    const second = addSend(outbox, made(4));
    expect([first, other, urgent, second].map((s) => afterOf(s))).toEqual([-1, -1, -1, at(1)]);
  });

  test('what was acknowledged is named no more', () => {
    const outbox = filled(1, 2, 3);
    expect(heard(outbox, 'b', 'user', at(1)).map((s) => s.position)).toEqual([at(1)]);
    expect(afterOf(get(outbox, 2))).toBe(-1);
    expect(afterOf(get(outbox, 3))).toBe(at(2));
  });

  test('a send after an empty lane names none', () => {
    const outbox = filled(1);
    heard(outbox, 'b', 'user', at(1));
    expect(afterOf(addSend(outbox, made(2)))).toBe(-1);
  });

  test('a send that is taken back before it was acknowledged leaves its successor behind its predecessor', () => {
    const outbox = filled(1, 2, 3);
    settleSend(outbox, effectId('a', 2, 0));
    expect(afterOf(get(outbox, 3))).toBe(at(1));
  });

  test('the same when it was the newest', () => {
    const outbox = filled(1, 2);
    settleSend(outbox, effectId('a', 2, 0));
    expect(afterOf(addSend(outbox, made(3)))).toBe(at(1));
    expect(afterOf(addSend(outbox, made(4)))).toBe(at(3));
  });
});

describe('acknowledgements', () => {
  test('settle up to a position, in one lane of one receiver, and never twice', () => {
    const outbox = filled(1, 2, 3);
    addSend(outbox, made(4, { lane: 'system' }));
    addSend(outbox, made(5, { to: 'c' }));
    expect(heard(outbox, 'b', 'user', at(2)).map((s) => s.position)).toEqual([at(1), at(2)]);
    expect(heard(outbox, 'b', 'user', at(2))).toEqual([]);
    expect(ids(outbox)).toEqual([3, 4, 5]);
  });

  test('below the first, of nobody, of an unknown send: nothing happens', () => {
    const outbox = filled(2);
    expect(heard(outbox, 'b', 'user', at(2) - 1)).toEqual([]);
    expect(heard(outbox, 'nobody', 'user', at(9))).toEqual([]);
    settleSend(outbox, effectId('a', 9, 0));
    expect(ids(outbox)).toEqual([2]);
  });

  test('one that was given up stays until it is acknowledged', () => {
    const outbox = filled(1);
    expect(giveUp(outbox, effectId('a', 1, 0))).toBe(true);
    expect(get(outbox, 1).void).toBe(true);
    expect(heard(outbox, 'b', 'user', at(1))).toHaveLength(1);
    expect(giveUp(outbox, effectId('a', 1, 0))).toBe(false);
  });
});

describe('re-sends', () => {
  test('nothing is due while its record is on its way to the store', () => {
    const outbox = filled(1);
    giveUp(outbox, effectId('a', 1, 0));
    expect(dueSends(outbox, Number.MAX_SAFE_INTEGER)).toEqual([]);
    expect(earliestSend(outbox)).toBeUndefined();
  });

  test('the pause grows with the age of the message, between two bounds', () => {
    const pauseAt = (now: number): number => {
      const outbox = filled(1);
      sent(outbox, get(outbox, 1), now);
      return get(outbox, 1).nextAt - now;
    };
    const ages = [0, 2 * RESEND_MIN_MS - 2, 2 * RESEND_MIN_MS, 2_000, 2 * RESEND_MAX_MS - 2, 2 * RESEND_MAX_MS, 1e9];
    expect(ages.map(pauseAt)).toEqual([500, 500, 500, 1_000, 299_999, 300_000, 300_000]);
  });

  test('a broker that keeps a copy makes it longer', () => {
    const outbox = filled(1);
    sent(outbox, get(outbox, 1), 10, 30_000);
    expect(get(outbox, 1).nextAt).toBe(10 + 30_000 + RESEND_MIN_MS);
  });

  test('due from its time on, in the order of making', () => {
    const outbox = filled(1, 2, 3);
    for (const [seq, now] of [
      [3, 0],
      [1, 20],
      [2, 10],
    ] as const)
      sent(outbox, get(outbox, seq), now);
    expect(earliestSend(outbox)).toBe(500);
    expect(dueSends(outbox, 499)).toEqual([]);
    expect(dueSends(outbox, 510).map((s) => s.position)).toEqual([at(2), at(3)]);
    expect(dueSends(outbox, 520).map((s) => s.position)).toEqual([at(1), at(2), at(3)]);
  });

  test('what was due and was not sent is due still', () => {
    const outbox = filled(1);
    sent(outbox, get(outbox, 1), 0);
    expect(dueSends(outbox, 500)).toHaveLength(1);
    expect(dueSends(outbox, 500)).toHaveLength(1);
    expect(earliestSend(outbox)).toBeLessThanOrEqual(500);
  });

  test('giving up makes it due at once; an empty outbox wakes nobody', () => {
    const outbox = filled(1);
    sent(outbox, get(outbox, 1), 1_000);
    giveUp(outbox, effectId('a', 1, 0));
    expect(dueSends(outbox, 1_000)).toHaveLength(1);
    heard(outbox, 'b', 'user', at(1));
    expect(earliestSend(outbox)).toBeUndefined();
  });
});

describe('when the clock has gone back', () => {
  /** Of two sends the first has left, at a time of which the clock now is 0. */
  const back = (from: number): Outbox => {
    const outbox = filled(1, 2);
    sent(outbox, get(outbox, 1), from);
    catchUp(outbox, 0);
    return outbox;
  };
  test('by more than any pause, all that has left is due, and nothing else', () => {
    const outbox = back(RESEND_MAX_MS + 100_002);
    expect(earliestSend(outbox)).toBe(0);
    expect(dueSends(outbox, 0).map((s) => s.position)).toEqual([at(1)]);
  });

  test('by less, it is waited for', () => {
    const outbox = back(RESEND_MAX_MS + 100_000);
    expect(earliestSend(outbox)).toBe(2 * RESEND_MAX_MS);
    expect(dueSends(outbox, 0)).toEqual([]);
  });
});

describe('in a checkpoint', () => {
  test('a send that had not left yet leaves at once', () => {
    const back = decodeOutbox(JSON.parse(JSON.stringify(encodeOutbox(filled(1)))));
    expect(dueSends(back, 0)).toHaveLength(1);
  });

  test('nothing of the lists is in the JSON', () => {
    const [send] = encodeOutbox(filled(1, 2)) as object[];
    expect(send).toEqual({ ...made(1), nextAt: 0 });
  });
});

// ---- any history ----------------------------------------------------------------------------------------------------------

type Op =
  | { readonly do: 'add'; readonly to: Address; readonly lane: Lane }
  | { readonly do: 'send' | 'settle' | 'void' | 'hear'; readonly which: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'save' };

const op: fc.Arbitrary<Op> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('add' as const),
      to: fc.constantFrom('b', 'c'),
      lane: fc.constantFrom<Lane>('user', 'system'),
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('send', 'settle', 'void', 'hear'), which: fc.nat(30) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.nat(2_000) }) },
  { weight: 1, arbitrary: fc.constant({ do: 'save' as const }) },
);

/** What an outbox is, in the plainest words: a list. */
interface Plain {
  readonly id: string;
  readonly position: number;
  readonly to: Address;
  readonly lane: Lane;
  nextAt: number;
}

test('after any history: after, due and the JSON are those of a plain list', () => {
  fc.assert(
    fc.property(fc.array(op, { maxLength: 60 }), (ops) => {
      let outbox = emptyOutbox();
      let plain: Plain[] = [];
      let now = 0;
      let seq = 0;
      for (const o of ops) {
        let gone: readonly Plain[] = [];
        let settled: readonly string[] = [];
        const send = 'which' in o ? plain[o.which % Math.max(1, plain.length)] : undefined;
        if (o.do === 'add') {
          const made1 = made(++seq, { to: o.to, lane: o.lane, ts: now });
          addSend(outbox, made1);
          plain.push({ ...made1, nextAt: Infinity });
        } else if (o.do === 'wait') now += o.ms;
        else if (o.do === 'save') {
          outbox = decodeOutbox(JSON.parse(JSON.stringify(encodeOutbox(outbox))));
          for (const p of plain) if (p.nextAt === Infinity) p.nextAt = 0;
        } else if (send === undefined) continue;
        else if (o.do === 'send') {
          const pending = outbox.byId.get(send.id);
          if (pending === undefined) throw new RangeError('lost');
          sent(outbox, pending, now);
          send.nextAt = pending.nextAt;
        } else if (o.do === 'settle') {
          settleSend(outbox, send.id);
          plain = plain.filter((p) => p !== send);
        } else if (o.do === 'void') {
          giveUp(outbox, send.id);
          if (send.nextAt !== Infinity) send.nextAt = 0;
        } else {
          gone = plain.filter((p) => p.to === send.to && p.lane === send.lane && p.position <= send.position);
          settled = heard(outbox, send.to, send.lane, send.position).map((s) => s.id);
          plain = plain.filter((p) => !gone.includes(p));
        }
        expect(settled).toEqual(gone.map((p) => p.id));
        expect(Array.from(pendingSends(outbox), (s) => s.id)).toEqual(plain.map((p) => p.id));
        expect(outboxSize(outbox)).toBe(plain.length);
        for (const pending of pendingSends(outbox)) {
          const before = plain.filter((p) => p.to === pending.to && p.lane === pending.lane && p.position < pending.position);
          expect(afterOf(pending)).toBe(before.at(-1)?.position ?? -1);
        }
        const finite = plain.filter((p) => p.nextAt < Infinity);
        const earliest = Math.min(Infinity, ...finite.map((p) => p.nextAt));
        expect(earliestSend(outbox) ?? Infinity).toBeLessThanOrEqual(earliest);
        expect(dueSends(outbox, now).map((s) => s.id)).toEqual(finite.filter((p) => p.nextAt <= now).map((p) => p.id));
      }
    }),
    { seed: 20260301, numRuns: 400 },
  );
});
