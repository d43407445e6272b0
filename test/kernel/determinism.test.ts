import { afterEach, describe, expect, test, vi } from 'vitest';
import { enterVirtual, leaveVirtual, seedOf } from '../../core/kernel/determinism.ts';

const inside = <T>(ts: number, seed: number, fn: () => T): T => {
  const outer = enterVirtual(ts, seed);
  try {
    return fn();
  } finally {
    leaveVirtual(outer);
  }
};

afterEach(() => {
  vi.useRealTimers();
});

describe('virtual Date', () => {
  test('is a Date in every other way', () => {
    const made = inside(1_000, 1, () => ({
      now: new Date(),
      given: new Date(5),
      parts: new Date(2026, 0, 2, 3),
      text: new Date('2026-01-02T03:00:00Z').getTime(),
      utc: Date.UTC(2026, 0),
      parsed: Date.parse('2026-01-01T00:00:00Z'),
      isDate: new Date() instanceof Date,
      name: Date.name,
      called: Date(),
    }));
    expect(made.now.getTime()).toBe(1_000);
    expect(made.given.getTime()).toBe(5);
    expect(made.parts).toEqual(new Date(2026, 0, 2, 3));
    expect([made.text, made.utc, made.parsed]).toEqual([Date.UTC(2026, 0, 2, 3), Date.UTC(2026, 0), Date.UTC(2026, 0)]);
    expect([made.isDate, made.now instanceof Date, made.name]).toEqual([true, true, 'Date']);
    expect(made.called).toBe(new Date(1_000).toString());
  });

  test('can be derived from', () => {
    const at = inside(7, 1, () => {
      class Stamp extends Date {
        get double(): number {
          return this.getTime() * 2;
        }
      }
      const stamp = new Stamp();
      return [stamp instanceof Stamp, stamp.double, new Stamp(4).double];
    });
    expect(at).toEqual([true, 14, 8]);
  });

  test('gives back what a test runner had put there', () => {
    vi.useFakeTimers({ now: 123_456 });
    const faked = globalThis.Date;
    expect(inside(9, 1, () => Date.now())).toBe(9);
    expect([globalThis.Date === faked, Date.now()]).toEqual([true, 123_456]);
  });
});

describe('seeded chance', () => {
  const draw = (seed: number): unknown =>
    inside(0, seed, () => [Math.random(), Math.random(), crypto.randomUUID(), Math.random()]);

  test('the same seed gives the same, another seed another', () => {
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
    expect(draw(-5)).toEqual(draw(-5));
  });

  test('is even: the mean and the spread of many seeds are those of chance', () => {
    const first = Array.from({ length: 20_000 }, (_, seed) => inside(0, seed, () => Math.random()));
    const mean = first.reduce((a, b) => a + b) / first.length;
    const variance = first.reduce((a, b) => a + (b - mean) ** 2, 0) / first.length;
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.01);
    expect(Math.abs(variance - 1 / 12)).toBeLessThan(0.003);
    expect(new Set(first).size).toBe(20_000);
  });

  test('steps that share a seed by accident do not share ids, for they have times of their own', () => {
    const ids = new Set<string>();
    for (let ts = 1_700_000_000_000; ts < 1_700_000_001_000; ts++) ids.add(inside(ts, 5, () => crypto.randomUUID()));
    expect(ids.size).toBe(1_000);
  });

  test('ids are UUIDs of version 4, and differ', () => {
    const ids = inside(0, 3, () => Array.from({ length: 1_000 }, () => crypto.randomUUID()));
    expect(new Set(ids).size).toBe(1_000);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  test('the seed of a record is that of its actor and seq', () => {
    expect(seedOf('a', 1)).toBe(seedOf('a', 1));
    expect(new Set([seedOf('a', 1), seedOf('a', 2), seedOf('b', 1), seedOf('a!1', 1)]).size).toBe(4);
    expect(Number.isSafeInteger(seedOf('a', 1))).toBe(true);
  });
});
