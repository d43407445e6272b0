import { describe, expect, test } from 'vitest';
import { seededEntropy, timeline, virtualClock } from '../../core/testing/virtual.ts';

describe('virtual time', () => {
  test('fires what is due in order of deadline, and shows each deadline as the time', async () => {
    const clock = virtualClock(1_000);
    const seen: [string, number][] = [];
    const note = (name: string) => () => seen.push([name, clock.now()]);
    clock.after(30, note('c'));
    clock.after(10, note('a'));
    clock.after(10, note('b'));
    clock.after(31, note('late'));
    await clock.advance(30);
    expect(seen).toEqual([
      ['a', 1_010],
      ['b', 1_010],
      ['c', 1_030],
    ]);
    expect([clock.now(), clock.pending()]).toEqual([1_030, 1]);
  });

  test('before an instant is left, callbacks and chains of promises come to rest', async () => {
    const clock = virtualClock(0);
    const seen: string[] = [];
    clock.after(5, () => {
      void (async () => {
        for (let i = 0; i < 40; i++) await Promise.resolve();
        clock.soon(() => seen.push('soon after a chain of promises'));
        clock.after(0, () => seen.push('timer of no delay'));
      })();
    });
    clock.after(6, () => seen.push('next instant'));
    await clock.advance(10);
    expect(seen).toEqual(['soon after a chain of promises', 'timer of no delay', 'next instant']);
  });

  test('a timer that is cancelled by an earlier one does not fire', async () => {
    const clock = virtualClock();
    let fired = false;
    const cancel = clock.after(5, () => {
      fired = true;
    });
    clock.after(5, () => {});
    clock.after(4, () => cancel());
    await clock.advance(10);
    expect(fired).toBe(false);
  });

  test('many timers set and cancelled in any order keep their order', async () => {
    const clock = virtualClock(0);
    const random = seededEntropy(7);
    const fired: number[] = [];
    for (let i = 0; i < 2_000; i++) {
      const ms = Math.floor(random.random() * 500);
      const cancel = clock.after(ms, () => fired.push(ms));
      if (random.random() < 0.5) cancel();
    }
    await clock.advance(500);
    expect(fired.length).toBeGreaterThan(800);
    expect(fired).toEqual([...fired].sort((a, b) => a - b));
    expect(clock.pending()).toBe(0);
  });

  test('a jump moves the wall clock and no timer', async () => {
    const clock = virtualClock(0);
    let fired = false;
    clock.after(100, () => {
      fired = true;
    });
    clock.jump(3_600_000);
    await clock.advance(99);
    expect([fired, clock.now(), clock.monotonic()]).toEqual([false, 3_600_099, 99]);
  });

  test('nodes of one timeline may be off by an offset, and share its order', async () => {
    const line = timeline({ start: 1_000 });
    const a = line.clock();
    const b = line.clock({ offsetMs: 500 });
    const seen: number[] = [];
    b.after(20, () => seen.push(b.now()));
    a.after(10, () => seen.push(a.now()));
    await line.advance(20);
    expect(seen).toEqual([1_010, 1_520]);
  });

  test('a frozen node does nothing until it thaws, while others go on', async () => {
    const line = timeline({ start: 0 });
    const [a, b] = [line.clock(), line.clock()];
    const seen: string[] = [];
    a.after(20, () => seen.push('a20'));
    a.after(10, () => seen.push('a10'));
    b.after(15, () => seen.push('b15'));
    a.freeze();
    a.soon(() => seen.push('a soon'));
    let answer = '';
    void a.held(Promise.resolve('done')).then((v) => (answer = v));
    await line.advance(50);
    expect([seen, answer]).toEqual([['b15'], '']);
    a.thaw();
    await line.advance(0);
    expect([seen, answer]).toEqual([['b15', 'a soon', 'a10', 'a20'], 'done']);
  });

  test('a dead node leaves nothing behind that fires', async () => {
    const line = timeline();
    const a = line.clock();
    let fired = 0;
    a.after(1, () => fired++);
    a.soon(() => fired++);
    a.die();
    await line.advance(5);
    expect(fired).toBe(0);
  });

  test('run drives until a promise settles, and says so when it cannot', async () => {
    const clock = virtualClock(0);
    const sleep = (ms: number): Promise<string> => new Promise((resolve) => clock.after(ms, () => resolve('slept')));
    expect(await clock.run(sleep(90_000))).toBe('slept');
    expect(clock.monotonic()).toBe(90_000);
    await expect(clock.run(new Promise(() => {}))).rejects.toThrow(/no timer is set/);
    await expect(clock.run(sleep(5_000), 1_000)).rejects.toThrow(/within 1000 ms/);
    await expect(clock.run(Promise.reject(new TypeError('no')))).rejects.toThrow(TypeError);
  });

  test('what spins at one instant is found', async () => {
    const line = timeline({ turn: () => Promise.resolve() });
    const clock = line.clock();
    const again = (): void => clock.soon(again);
    again();
    await expect(line.advance(1)).rejects.toThrow(/spins/);
  });
});

describe('seeded entropy', () => {
  test('the same seed gives the same numbers and ids, another seed others', () => {
    const draw = (seed: number): unknown[] => {
      const e = seededEntropy(seed);
      return [e.random(), e.random(), e.id(), e.id()];
    };
    expect(draw(1)).toEqual(draw(1));
    expect(draw(1)).not.toEqual(draw(2));
  });

  test('numbers spread evenly over 0 <= x < 1 for neighbouring seeds', () => {
    const counts = Array.from({ length: 10 }, () => 0);
    for (let seed = 0; seed < 20_000; seed++) {
      const bucket = Math.floor(seededEntropy(seed).random() * 10);
      counts[bucket] = (counts[bucket] ?? 0) + 1;
    }
    for (const n of counts) expect(Math.abs(n - 2_000)).toBeLessThan(250);
  });

  test('ids grow also when the clock steps back or stands still for thousands of ids', () => {
    let now = 1_000;
    const e = seededEntropy(3, () => now);
    const ids: string[] = [];
    for (let i = 0; i < 10_000; i++) {
      if (i === 5_000) now = 500;
      ids.push(e.id());
    }
    expect(ids).toEqual([...new Set(ids)].sort());
    expect(ids[0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });
});
