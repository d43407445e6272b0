/** Which path carries the traffic, and that it does not go to and fro. */
import { describe, expect, test } from 'vitest';
import { choose } from '../../../transport/overlay/paths/choice.ts';
import { Loss } from '../../../transport/overlay/paths/loss.ts';
import { Path } from '../../../transport/overlay/paths/path.ts';
import { DIRECT, DIRECT_BACK, RELAY, World, type End, type Link } from './lab.ts';

const SECOND = 'udp:0/198.51.100.1:4000';
const SECOND_BACK = 'udp:0/198.51.100.2:4000';

/** Two direct links. The first is in use. */
function twoDirect(seed: number, first: Partial<Link>, second: Partial<Link>): { world: World; a: End } {
  const world = new World(seed);
  const link = world.link({ a: DIRECT, b: DIRECT_BACK, delayMs: 15, ...first });
  world.link({ a: SECOND, b: SECOND_BACK, delayMs: 15, ...second });
  world.begin(link);
  world.run(200);
  world.a.paths.probe(world.now, SECOND);
  world.talk(800, [world.a], 250);
  return { world, a: world.a };
}

describe('of two direct paths', () => {
  test.each([
    ['faster by 6 of 30 ms', 15, 12, SECOND],
    ['faster by 5 of 30 ms: less than a fifth', 15, 12.5, DIRECT],
    ['faster by 4 of 10 ms: less than 5 ms', 5, 3, DIRECT],
    ['faster by 20 of 200 ms: less than a fifth', 100, 90, DIRECT],
    ['faster by 50 of 200 ms', 100, 75, SECOND],
    ['slower', 15, 30, DIRECT],
  ])('the other is taken if it is much faster: %s', (_name, first, second, expected) => {
    const { world, a } = twoDirect(1, { delayMs: first }, { delayMs: second });
    world.run(60_000);
    expect(a.paths.active).toBe(expected);
    expect(a.changes.length).toBe(expected === DIRECT ? 1 : 2);
  });

  test('neither is left for the other because of jitter', () => {
    for (let seed = 1; seed <= 10; seed++) {
      const { world, a } = twoDirect(seed, { jitterMs: 15 }, { jitterMs: 15 });
      world.run(600_000);
      expect(a.changes.length).toBeLessThanOrEqual(3);
    }
  });
});

describe('speed', () => {
  /** A valid path with so many samples. */
  function measured(id: string, rttMs: number, samples: number): Path {
    const path = new Path(0, id, 1_200, true);
    path.enter(0, 'valid');
    for (let i = 0; i < samples; i++) {
      path.remember(0, Uint8Array.of(i), undefined);
      path.answered(rttMs, Buffer.of(i).toString('hex'));
    }
    return path;
  }
  const active = measured(DIRECT, 100, 8);
  const chosen = (now: number, other: Path): string | undefined =>
    choose(now, { active, paths: [active, other], switchedAt: 10_000, isGivenUp: false })?.path?.id;

  test('decides after eight samples, and every 15 s at most', () => {
    expect(chosen(25_000, measured(SECOND, 10, 7))).toBeUndefined();
    expect(chosen(24_999, measured(SECOND, 10, 8))).toBeUndefined();
    expect(chosen(25_000, measured(SECOND, 10, 8))).toBe(SECOND);
  });
});

describe('a direct path', () => {
  test('is better than a relay that is faster', () => {
    const { world, a, direct } = World.withRelay();
    direct.delayMs = 90;
    world.talk(800);
    world.run(60_000);
    expect(a.paths.active).toBe(DIRECT);
  });

  test('is better than a relay if it loses 1 % of all packets each way', () => {
    for (let seed = 1; seed <= 10; seed++) {
      const { world, a, direct } = World.withRelay(seed);
      direct.loss = 0.01;
      world.talk(800, [world.a, world.b], 250);
      world.run(1_000);
      const before = a.changes.length;
      world.run(300_000);
      expect([a.paths.active, a.changes.length - before]).toEqual([DIRECT, 0]);
    }
  });

  test('is left for the relay if it loses a quarter, and taken again when that is over; without flapping', () => {
    for (let seed = 1; seed <= 5; seed++) {
      const { world, a, direct } = World.withRelay(seed);
      world.talk(800, [world.a, world.b], 250);
      world.run(1_000);
      direct.loss = 0.13;
      const before = a.changes.length;
      world.run(600_000);
      expect(a.paths.active).toBe(RELAY);
      expect(a.changes.length - before).toBeLessThanOrEqual(9);
      direct.loss = 0;
      world.run(300_000);
      expect(a.paths.active).toBe(DIRECT);
    }
  });
});

describe('loss', () => {
  test('is judged by 20 challenges of which 6 are lost, and forgiven at 5 %', () => {
    const loss = new Loss();
    for (let i = 0; i < 19; i++) loss.record(i < 12 && i % 2 === 0);
    expect(loss.isLossy).toBe(false);
    loss.record(false);
    expect([loss.share, loss.isLossy]).toEqual([0.3, true]);
    const shares = Array.from({ length: 64 }, (_, i) => {
      loss.record(i % 20 === 19);
      return loss.isLossy ? loss.share : 1;
    });
    // While it was lossy yet: below 10 %, but not below 5 %.
    expect(Math.min(...shares)).toBeLessThan(0.08);
    expect(Math.min(...shares)).toBeGreaterThan(0.05);
    expect(loss.isLossy).toBe(false);
    expect(loss.share).toBeCloseTo(3 / 64);
    loss.clear();
    expect([loss.share, loss.isLossy]).toEqual([0, false]);
    for (let i = 0; i < 20; i++) loss.record(i < 10 && i % 2 === 0);
    expect([loss.share, loss.isLossy]).toEqual([0.25, false]);
  });

  test('of a path that was dead is forgotten', () => {
    const path = new Path(0, DIRECT, 1_200, true);
    path.enter(0, 'valid');
    path.loss.record(true);
    path.enter(1, 'suspect');
    expect(path.loss.share).toBe(1);
    path.enter(2, 'dead');
    path.enter(3, 'probing');
    expect(path.loss.share).toBe(0);
  });

  test('is not what loses all: three in a row count, and no more', () => {
    const loss = new Loss();
    for (let i = 0; i < 20; i++) loss.record(false);
    for (let i = 0; i < 1_000; i++) loss.record(true);
    expect([loss.share, loss.isLossy]).toEqual([3 / 23, false]);
  });
});
