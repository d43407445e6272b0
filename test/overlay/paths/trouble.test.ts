/** Paths in trouble, and at rest: timeouts, losses, errors, keepalives, the search for a direct path. */
import { describe, expect, test } from 'vitest';
import { type Paths, type PathOutput } from '../../../transport/overlay/paths/paths.ts';
import { OTHER, newPaths, challenges, stateOf, runTo, answer, begun, proved, live, type Send } from './drive.ts';
import { DIRECT, RELAY } from './lab.ts';

describe('timeouts of the connection', () => {
  test('two direct paths die at once: the relay takes over, and not the other of them before', () => {
    const { paths } = begun(DIRECT);
    proved(paths, 100, OTHER, 30);
    proved(paths, 200, RELAY, 60);
    paths.timeouts(20_100, 2, 30);
    expect([stateOf(paths, OTHER), stateOf(paths, RELAY)]).toEqual(['suspect', 'valid']);
    for (const send of challenges(paths, RELAY)) answer(paths, 20_160, send);
    paths.timeouts(20_300, 3, 30);
    const changes = live(paths, 20_301, 25_000, (path) => (path === RELAY ? 60 : Infinity));
    const active = changes.flatMap(({ output }) => (output.type === 'active' ? [output.path] : []));
    expect([paths.active, active.filter((path) => path !== RELAY)]).toEqual([RELAY, []]);
  });

  test('all are doubted: none is valid before it has answered', () => {
    const { paths } = begun(DIRECT);
    proved(paths, 100, RELAY, 60);
    paths.doubtAll(20_000);
    const asked = challenges(paths);
    expect([paths.active, stateOf(paths, DIRECT), stateOf(paths, RELAY)]).toEqual([DIRECT, 'suspect', 'suspect']);
    for (const send of asked) answer(paths, 20_060, send);
    expect([paths.active, stateOf(paths, DIRECT), stateOf(paths, RELAY)]).toEqual([DIRECT, 'valid', 'valid']);
  });

  function two(): Paths {
    const { paths } = begun(RELAY, 50);
    proved(paths, 100, DIRECT, 30);
    expect(paths.active).toBe(DIRECT);
    live(paths, 130, 20_000, (path) => (path === DIRECT ? 30 : 50));
    return paths;
  }

  /** A doubt has lasted long enough, and there is one more. */
  function leave(paths: Paths, now: number): void {
    paths.timeouts(now - 100, 2, 30);
    paths.timeouts(now, 3, 30);
  }

  test('do nothing at one, challenge all at two, leave at three when 100 ms are over', () => {
    const paths = two();
    paths.timeouts(20_000, 1, 30);
    expect(paths.take()).toEqual([]);
    paths.timeouts(20_100, 2, 30);
    expect(new Set(challenges(paths).map(({ path }) => path))).toEqual(new Set([DIRECT, RELAY]));
    expect([paths.active, stateOf(paths, DIRECT)]).toEqual([DIRECT, 'suspect']);
    paths.timeouts(20_110, 2, 30);
    expect(paths.take()).toEqual([]);
    paths.timeouts(20_199, 3, 30);
    expect(paths.active).toBe(DIRECT);
    paths.timeouts(20_200, 4, 30);
    expect(paths.take().find(({ type }) => type === 'active')).toMatchObject({ path: RELAY, reason: 'timeouts' });
  });

  test('do not bring back a dead path of which this node never knew that it is the peer', () => {
    const { paths } = begun(DIRECT);
    paths.received(1_000, OTHER, 500, false);
    runTo(paths, 3_000);
    paths.timeouts(3_000, 2, 30);
    expect(stateOf(paths, OTHER)).toBe('dead');
    expect(challenges(paths, OTHER)).toEqual([]);
  });

  test('that end with an acknowledgement leave all as it was', () => {
    const paths = two();
    paths.timeouts(20_000, 2, 30);
    paths.timeouts(20_050, 0, 30);
    expect([paths.active, stateOf(paths, DIRECT)]).toEqual([DIRECT, 'valid']);
  });

  test('are not cleared by short answers alone while long packets may be what is lost', () => {
    const { paths } = begun(DIRECT, 30, 1_500);
    for (const send of challenges(paths)) answer(paths, 60, send);
    expect(paths.datagram(DIRECT)).toBe(1_452);
    paths.timeouts(1_000, 2, 30);
    const asked = challenges(paths);
    expect(asked.map(({ padTo }) => padTo)).toEqual([undefined, undefined, 1_452]);
    for (const send of asked.slice(0, 2)) answer(paths, 1_030, send);
    expect(stateOf(paths, DIRECT)).toBe('suspect');
    answer(paths, 1_031, asked[2] as Send);
    expect(stateOf(paths, DIRECT)).toBe('valid');
  });

  test('leave a path for one that turns up later', () => {
    const { paths } = begun(DIRECT);
    leave(paths, 1_000);
    expect(paths.active).toBe(DIRECT);
    proved(paths, 1_050, RELAY, 50);
    expect(paths.active).toBe(RELAY);
  });

  test('go over to a path that is known to live, not to a better one that was not heard since', () => {
    const paths = two();
    proved(paths, 20_000, OTHER, 100);
    paths.take();
    paths.timeouts(21_000, 2, 30);
    answer(paths, 21_050, challenges(paths, RELAY)[0] as Send);
    paths.timeouts(21_100, 3, 30);
    expect(paths.active).toBe(RELAY);
  });

  test('counted on the path that was left do not leave the next one', () => {
    const paths = two();
    leave(paths, 20_100);
    expect(paths.active).toBe(RELAY);
    paths.timeouts(20_101, 3, 30);
    expect([paths.active, stateOf(paths, RELAY)]).toEqual([RELAY, 'valid']);
  });

  test('for which a path is left again and again keep it away longer each time', () => {
    const paths = two();
    const back: number[] = [];
    let now = 20_000;
    for (let i = 0; i < 8; i++) {
      leave(paths, now + 100);
      now += 100;
      expect(paths.active).toBe(RELAY);
      paths.timeouts(now, 0, 30);
      const asked = challenges(paths);
      for (const send of asked) answer(paths, now, send);
      const changes = live(paths, now, now + 100_000, (path) => (path === DIRECT ? 30 : 50));
      const returned = changes.filter(({ output }) => output.type === 'active' && output.path === DIRECT);
      expect(returned.length).toBe(1);
      back.push((returned[0]?.at ?? Infinity) - now);
      now += 100_000;
    }
    expect(back.map((ms) => Math.round(ms / 1_000))).toEqual([1, 2, 4, 8, 16, 32, 64, 64]);
  });
});

describe('lost challenges', () => {
  test('never take a path away from which packets come', () => {
    const { paths } = begun(DIRECT);
    for (let now = 100; now < 120_000; now += 50) {
      paths.traffic(now);
      paths.received(now, DIRECT, 1_000, true);
      runTo(paths, now + 49);
      expect([paths.active, stateOf(paths, DIRECT)]).toEqual([DIRECT, 'valid']);
    }
  });

  test('take a quiet path away after two rounds', () => {
    const { paths } = begun(RELAY, 50);
    proved(paths, 100, DIRECT, 30);
    paths.traffic(100);
    const changes = live(paths, 131, 60_000, (path, at) => (path === DIRECT && at > 10_000 ? Infinity : 30));
    expect(changes.filter(({ output }) => output.type === 'active').map(({ output }) => output)).toMatchObject([{ path: RELAY }]);
    expect(stateOf(paths, DIRECT)).toBe('dead');
    proved(paths, 60_000, DIRECT, 30);
    paths.traffic(60_000);
    live(paths, 60_031, 65_000, () => 30);
    expect(paths.view().map(({ loss }) => loss)).toEqual([0, 0]);
  });

  test('leave no path at last, and the node is told, after ten seconds', () => {
    const { paths } = begun(DIRECT);
    paths.timeouts(1_000, 2, 30);
    const last = runTo(paths, 60_000).find(({ output }) => output.type === 'active');
    expect(last?.output).toEqual({ type: 'active', path: undefined, rttMs: undefined, reason: 'lost' });
    expect(last?.at).toBeGreaterThan(11_000);
    expect(last?.at).toBeLessThan(13_000);
    expect(paths.active).toBeUndefined();
    paths.received(62_000, DIRECT, 41, true);
    answer(paths, 62_030, challenges(paths, DIRECT)[0] as Send);
    expect(paths.active).toBe(DIRECT);
  });

  test('of a computer that slept are not taken for a dead path at once', () => {
    const { paths } = begun(DIRECT);
    paths.timeouts(1_000, 2, 30);
    paths.take();
    const before = paths.nextAt();
    paths.tick(before + 3_600_000);
    paths.tick(before + 3_600_000);
    expect(stateOf(paths, DIRECT)).toBe('suspect');
    expect(challenges(paths, DIRECT).length).toBe(1);
  });
});

describe('A24: errors of sockets', () => {
  test('that pass leave the path in use, and it is asked again', () => {
    const { paths } = begun(RELAY);
    proved(paths, 100, DIRECT, 30);
    paths.failed(1_000, DIRECT, 'unreachable');
    const asked = challenges(paths);
    expect(new Set(asked.map(({ path }) => path))).toEqual(new Set([DIRECT, RELAY]));
    // Each attempt may fail as well: no loop comes of that.
    for (let i = 0; i < 100; i++) paths.failed(1_000, DIRECT, 'unreachable');
    expect(paths.take()).toEqual([]);
    expect([paths.active, stateOf(paths, DIRECT)]).toEqual([DIRECT, 'suspect']);
    answer(paths, 1_030, asked.find(({ path }) => path === DIRECT) as Send);
    expect([paths.active, stateOf(paths, DIRECT)]).toEqual([DIRECT, 'valid']);
  });

  test('that stay move the traffic as soon as another path answers and this one did not', () => {
    const { paths } = begun(RELAY, 50);
    proved(paths, 100, DIRECT, 30);
    paths.traffic(100);
    paths.failed(1_000, DIRECT, 'unreachable');
    const [change] = live(paths, 1_000, 3_000, (path) => (path === DIRECT ? Infinity : 50));
    expect(change).toMatchObject({ output: { path: RELAY, reason: 'silent' } });
    expect(change?.at).toBeLessThanOrEqual(1_200);
  });

  test('by length bring packets back to what every path carries, for good', () => {
    const { paths } = newPaths(1_500);
    paths.begin(0, DIRECT, true);
    const probes = challenges(paths);
    for (const send of probes) answer(paths, 30, send);
    expect(paths.datagram(DIRECT)).toBe(1_452);
    paths.failed(100, DIRECT, 'too_long');
    expect(paths.datagram(DIRECT)).toBe(1_200);
  });

  test('of what is closed take the path away at once; late answers do not bring it back', () => {
    const { paths } = begun(RELAY);
    proved(paths, 100, DIRECT, 30);
    paths.probe(500, DIRECT);
    const [late] = challenges(paths, DIRECT);
    paths.failed(501, DIRECT, 'closed');
    expect([paths.active, stateOf(paths, DIRECT)]).toEqual([RELAY, 'dead']);
    paths.response(502, DIRECT, (late as Send).frame.data);
    expect(stateOf(paths, DIRECT)).toBe('dead');
    paths.failed(503, RELAY, 'closed');
    expect(paths.active).toBeUndefined();
    paths.failed(504, 'ws:1', 'closed');
  });
});

describe('keepalives', () => {
  test('go every 15 s on all good paths while there is traffic, as soon as they are measured well', () => {
    const { paths } = begun(RELAY, 30);
    proved(paths, 100, DIRECT, 30);
    const at = new Map<string, number[]>();
    for (let now = 200; now < 120_000; now += 10_000) {
      paths.traffic(now);
      live(paths, now, now + 10_000, (path, when) => {
        at.set(path, [...(at.get(path) ?? []), when]);
        return 30;
      });
    }
    for (const path of [RELAY, DIRECT]) {
      const times = at.get(path) ?? [];
      const gaps = times.slice(1).map((when, i) => Math.round(when - (times[i] ?? 0)));
      expect(gaps.slice(0, 6)).toEqual(Array.from({ length: 6 }, () => 1_030));
      expect(new Set(gaps.slice(6))).toEqual(new Set([15_030]));
      expect(gaps.length).toBeGreaterThan(12);
    }
  });
});

describe('the round-trip time of a path in use', () => {
  const rttOf = (paths: Paths): number => paths.view().find(({ isActive }) => isActive)?.rttMs ?? Number.NaN;

  test('is not that of the handshake for long, though nobody says anything', () => {
    const { paths } = begun(DIRECT, 126);
    expect(rttOf(paths)).toBe(126);
    live(paths, 126.001, 5_000, () => 30);
    expect(rttOf(paths)).toBeCloseTo(30, 0);
    expect(paths.nextAt()).toBe(Infinity);
  });

  test('follows the network within 90 s of keepalives, and by a quarter of a single late answer', () => {
    const { paths } = begun(DIRECT, 30);
    const talk = (from: number, to: number, rttMs: (at: number) => number): void => {
      for (let now = from; now < to; now += 30_000) {
        paths.traffic(now);
        live(paths, now + 0.001, now + 30_000, (_, at) => rttMs(at));
      }
    };
    talk(31, 60_031, () => 30);
    talk(60_031, 150_031, () => 80);
    expect([rttOf(paths) > 60, rttOf(paths) <= 80]).toEqual([true, true]);
    talk(150_031, 300_031, () => 30);
    const before = rttOf(paths);
    let late = 1;
    talk(300_031, 320_031, () => (late-- > 0 ? 130 : 30));
    expect([before < 35, rttOf(paths) > before, rttOf(paths) < before + 25]).toEqual([true, true, true]);
  });
});

describe('an idle peer', () => {
  test('costs nothing: keepalives stop a minute after the last traffic, and then no timer is left', () => {
    const { paths } = begun(RELAY, 50);
    proved(paths, 100, DIRECT, 30);
    paths.traffic(1_000);
    const at: number[] = [];
    live(paths, 131, 200_000, (path, now) => {
      if (path === DIRECT) at.push(now);
      return path === DIRECT ? 30 : 50;
    });
    expect(paths.nextAt()).toBe(Infinity);
    expect(Math.max(...at)).toBeLessThanOrEqual(61_000);
    expect(at.filter((when) => when > 10_000).length).toBeGreaterThanOrEqual(3);
    paths.traffic(300_000);
    paths.tick(300_000);
    expect(new Set(challenges(paths).map(({ path }) => path))).toEqual(new Set([DIRECT, RELAY]));
  });

  test('that looks for a direct path does so five times, and rests', () => {
    const { paths } = begun(RELAY);
    const wanted = live(paths, 0.001, 10_000_000, () => 30).filter(({ output }) => output.type === 'want_direct');
    expect(wanted.map(({ at }) => at)).toEqual([1, 1_000, 5_000, 15_000, 60_000]);
    expect(paths.nextAt()).toBe(Infinity);
  });
});

describe('want_direct', () => {
  const wantedBy = (outputs: readonly { at: number; output: PathOutput }[]): number[] =>
    outputs.filter(({ output }) => output.type === 'want_direct').map(({ at }) => Math.round(at));

  test('comes every minute while there is traffic, not while there is none, and at once when there is again', () => {
    const { paths } = begun(RELAY);
    const all: number[] = [];
    for (let now = 30; now < 200_000; now += 10_000) {
      paths.traffic(now);
      all.push(...wantedBy(live(paths, now, now + 9_999, () => 30)));
    }
    expect(all).toEqual([30, 1_000, 5_000, 15_000, 60_000, 120_000, 180_000]);
    expect(wantedBy(live(paths, 200_030, 1_000_000, () => 30))).toEqual([240_000]);
    paths.traffic(1_000_000);
    expect(wantedBy(live(paths, 1_000_000, 1_010_000, () => 30))).toEqual([1_000_000]);
  });

  test('ends with a direct path and begins anew with its loss', () => {
    const { paths } = begun(RELAY);
    proved(paths, 2_000, DIRECT, 30);
    expect(wantedBy(live(paths, 2_031, 100_000, () => 30))).toEqual([]);
    paths.failed(100_000, DIRECT, 'closed');
    expect(wantedBy(live(paths, 100_000, 110_000, (path) => (path === DIRECT ? Infinity : 30)))).toEqual([
      100_001, 101_000, 105_000,
    ]);
  });

  test('comes at once when the network changed', () => {
    const { paths } = begun(RELAY);
    expect(wantedBy(live(paths, 30, 200_000, () => 30)).length).toBe(5);
    paths.networkChanged(200_000);
    expect(wantedBy(live(paths, 200_000, 206_000, () => 30))).toEqual([200_000, 201_000, 205_000]);
  });
});
