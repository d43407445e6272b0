/** Two machines of punching across all pairs of NATs, by the seed: the matrix of OVERLAY.md §3.2, and what was measured with poisoned NATs. */
import { describe, expect, test } from 'vitest';
import { VOLLEYS_BEFORE_BIRTHDAY } from '../../../transport/overlay/punch/volleys.ts';
import { Lab, type LabSpec, type SideSpec } from './lab.ts';

type Kind = SideSpec['nat'];

const KINDS: readonly Kind[] = ['none', 'full', 'addr', 'port', 'poison', 'sym', 'block'];
const PAIRS = KINDS.flatMap((a, i) => KINDS.slice(i).map((b) => [a, b] as const));
const isRelayed = ([a, b]: readonly [Kind, Kind]): boolean => a === 'block' || b === 'block' || (a === 'sym' && b === 'sym');
const needsGuessing = ([a, b]: readonly [Kind, Kind]): boolean => (a === 'port' || a === 'poison') && b === 'sym';

const RUNS = 20;
/** One after another: a begins, b begins, both begin. */
function run(spec: LabSpec, untilMs = 12_000): Lab {
  const lab = new Lab(spec);
  if (spec.seed % 3 !== 1) lab.a.punching.start(lab.now, lab.rttMs);
  if (spec.seed % 3 !== 2) lab.b.punching.start(lab.now, lab.rttMs);
  lab.run(lab.now + untilMs, true);
  return lab;
}
const runs = (spec: Omit<LabSpec, 'seed'>, count = RUNS): readonly Lab[] =>
  Array.from({ length: count }, (_, seed) => run({ ...spec, seed }));
/** From the start, of the side that was last. */
const took = (lab: Lab): number => Math.max(lab.a.directAt, lab.b.directAt) - 500;
const socketsInUse = (lab: Lab): number => lab.a.sockets.size + lab.b.sockets.size;

const CLEAR = { weather: { latencyMs: 15, jitterMs: 3 }, relayMs: [40, 30] } as const;
const ROUGH = {
  weather: { latencyMs: 30, jitterMs: 10, loss: 0.2, duplication: 0.05 },
  relayMs: [70, 50],
  relayLoss: 0.2,
} as const;

describe('all cells D are direct within 3 RTT and 250 ms', () => {
  test.each(PAIRS.filter((pair) => !isRelayed(pair) && !needsGuessing(pair)))('%s x %s', (a, b) => {
    for (const lab of runs({ a: { nat: a }, b: { nat: b }, ...CLEAR })) {
      expect(lab.isDirect).toBe(true);
      expect(took(lab)).toBeLessThan(3 * lab.rttMs + 250);
      expect(lab.a.probes().length).toBeLessThan(20);
      expect(socketsInUse(lab)).toBe(2);
    }
  });

  test.each(PAIRS.filter((pair) => !isRelayed(pair) && !needsGuessing(pair)))('%s x %s in rough weather, in the end', (a, b) => {
    const labs = runs({ a: { nat: a }, b: { nat: b }, ...ROUGH });
    expect(labs.filter((lab) => lab.isDirect)).toHaveLength(RUNS);
  });
});

describe('port x sym by guessing', () => {
  test.each([
    ['port', 'sym'],
    ['sym', 'port'],
    ['poison', 'sym'],
  ] as const)('%s x %s: 95 % within 3 s', (a, b) => {
    const labs = runs({ a: { nat: a }, b: { nat: b }, ...CLEAR }, 40);
    const quick = labs.filter((lab) => lab.isDirect && took(lab) < 3000);
    expect(quick.length).toBeGreaterThanOrEqual(38);
    for (const lab of quick) {
      const [port, sym] = a === 'sym' ? [lab.b, lab.a] : [lab.a, lab.b];
      expect(lab.a.probes().length).toBeLessThan(1024 + 100);
      // The side behind the symmetric NAT keeps the socket that was hit, and that of `listen`.
      expect([port.sockets.size, sym.sockets.size]).toEqual([1, 2]);
      expect(sym.direct).toMatch(/^udp:b\d+\//);
    }
  });

  test('in rough weather', () => {
    const labs = runs({ a: { nat: 'port' }, b: { nat: 'sym' }, ...ROUGH }, 40);
    expect(labs.filter((lab) => lab.isDirect).length).toBeGreaterThanOrEqual(38);
  });

  test('not at all where one side does not', () => {
    for (const [a, b] of [
      [false, true],
      [true, false],
    ]) {
      const lab = run({ seed: 1, a: { nat: 'port', birthday: a ?? true }, b: { nat: 'sym', birthday: b ?? true }, ...CLEAR });
      expect(lab.isDirect).toBe(false);
      expect(Math.max(lab.a.probes().length, lab.b.probes().length)).toBeLessThanOrEqual(200);
      expect(lab.a.punching.view().why).toContain('the peer is behind a symmetric NAT');
      expect(lab.b.punching.view().why).toContain('this side is behind a symmetric NAT');
    }
  });

  test('a symmetric NAT that others reach by the volleys is not guessed at', () => {
    for (const nat of ['none', 'full', 'addr'] as const) {
      const lab = run({ seed: 3, a: { nat }, b: { nat: 'sym' }, ...CLEAR });
      expect(lab.b.probes().length).toBeLessThan(VOLLEYS_BEFORE_BIRTHDAY * 2);
    }
  });
});

describe('relayed, for a reason', () => {
  test.each(PAIRS.filter(isRelayed))('%s x %s', (a, b) => {
    for (const lab of runs({ a: { nat: a }, b: { nat: b }, ...CLEAR }, 6)) {
      expect(lab.isDirect).toBe(false);
      const why =
        a === 'sym' && b === 'sym'
          ? 'both sides are behind symmetric NATs'
          : `UDP does not get out on ${a === 'block' ? 'this side' : 'the side of the peer'}`;
      expect(lab.a.punching.view().why).toBe(why);
      expect(lab.a.outputs.at(-1)?.output).toEqual({ type: 'ended', result: 'relayed', why });
      for (const side of lab.sides) {
        expect(side.punching.view()).toMatchObject({ state: 'relayed', tries: 1, lastResult: 'relayed' });
        expect(side.punching.nextAt()).toBe(Infinity);
        expect(side.probes().length).toBeLessThanOrEqual(200);
        expect(side.sockets.size).toBe(1);
      }
    }
  });
});

describe('poisoned NATs', () => {
  /** The two directions of the relayed path differ by twice this: so late is one side. Positive: b. */
  const late = (skewMs: number): readonly [number, number] => [20 + 2 * Math.max(0, skewMs), 20 + 2 * Math.max(0, -skewMs)];
  const poisoned = [
    ['poison', 'poison'],
    ['poison', 'port'],
  ] as const;

  test.each(poisoned)('%s x %s: openers keep both clean as long as the sides start within 45 ms', (a, b) => {
    for (const skewMs of [-45, -20, 0, 20, 45])
      for (const lab of runs({ a: { nat: a }, b: { nat: b }, weather: { latencyMs: 0.2 }, relayMs: late(skewMs) }, 6)) {
        expect(lab.isDirect).toBe(true);
        expect(took(lab)).toBeLessThan(300);
        expect(lab.a.direct).toContain('udp:0/');
      }
  });

  test.each(poisoned)('%s x %s: a fresh port cures what an early probe did, up to 190 ms', (a, b) => {
    let cured = 0;
    for (const skewMs of [-190, -100, -60])
      for (const lab of runs({ a: { nat: a }, b: { nat: b }, weather: { latencyMs: 0.2 }, relayMs: late(skewMs) }, 6)) {
        expect(lab.isDirect).toBe(true);
        if (lab.a.direct?.startsWith('udp:f') === true) cured += 1;
        expect(lab.sides.every(({ sockets }) => sockets.size <= 2)).toBe(true);
      }
    expect(cured).toBe(18);
  });

  test('what nothing cures is relayed: a side that starts 250 ms late', () => {
    const [lab] = runs({ a: { nat: 'poison' }, b: { nat: 'poison' }, weather: { latencyMs: 0.2 }, relayMs: late(-250) }, 1);
    expect(lab?.isDirect).toBe(false);
    expect(lab?.a.punching.view().why).toContain('no probe came through');
    expect(lab?.sides.map(({ sockets }) => sockets.size)).toEqual([1, 1]);
  });
});

describe('other ways', () => {
  const LAN = { nat: 'sym', lan: 'home' } as const;
  test('on one LAN, behind any NAT, the addresses of the interfaces are enough', () => {
    for (const nat of ['port', 'sym', 'block'] as const)
      for (const lab of runs(
        { a: { ...LAN, nat, address: '192.168.1.5' }, b: { ...LAN, nat, address: '192.168.1.6' }, ...CLEAR },
        6,
      )) {
        expect(lab.isDirect).toBe(true);
        expect(lab.a.direct).toBe('udp:0/192.168.1.6:4000');
        expect(took(lab)).toBeLessThan(nat === 'block' ? 1100 : 250);
      }
  });

  test('two LANs with the same addresses are in nobody’s way', () => {
    for (const lab of runs({
      a: { nat: 'port', address: '192.168.1.5' },
      b: { nat: 'port', address: '192.168.1.6' },
      ...CLEAR,
    })) {
      expect(lab.isDirect).toBe(true);
      expect(took(lab)).toBeLessThan(3 * lab.rttMs + 250);
    }
  });

  test('the very same address on both sides is not probed', () => {
    const [lab] = runs({ a: { nat: 'port', also: ['172.17.0.1'] }, b: { nat: 'port', also: ['172.17.0.1'] }, ...CLEAR }, 1);
    expect(lab?.isDirect).toBe(true);
    expect(lab?.a.probes().some(({ path }) => path.includes('172.17.'))).toBe(false);
    expect(lab?.a.drops.candidate_refused).toBe(1);
  });

  test('IPv6 behind firewalls, where IPv4 is hopeless', () => {
    const labs = runs({ a: { nat: 'sym', also: ['2001:db8:a::5'] }, b: { nat: 'sym', also: ['2001:db8:b::5'] }, ...CLEAR });
    for (const lab of labs) {
      expect(lab.isDirect).toBe(true);
      expect(lab.a.direct).toBe('udp:0/[2001:db8:b::5]:4000');
    }
  });

  test('two NATs behind that of one carrier, by its hairpin', () => {
    for (const lab of runs({ a: { nat: 'port' }, b: { nat: 'port' }, hasCarrier: true, ...CLEAR })) {
      expect(lab.isDirect).toBe(true);
      expect(lab.a.direct).toContain('203.0.113.99');
    }
  });
});

test('the same seed gives the same run', () => {
  const trace = (seed: number): string =>
    JSON.stringify(
      run({ seed, a: { nat: 'port' }, b: { nat: 'sym' }, ...ROUGH }).a.outputs.map(({ at, output }) => [at, output.type]),
    );
  expect(trace(5)).toBe(trace(5));
  expect(trace(5)).not.toBe(trace(8));
});
