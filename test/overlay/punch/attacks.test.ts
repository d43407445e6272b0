/** A16 and A18: what a peer, which is authentic but may be anyone's, makes a node send, and where. */
import { describe, expect, test } from 'vitest';
import { PunchBudget } from '../../../transport/overlay/punch/budget.ts';
import { offerBytes, type Candidate } from '../../../transport/overlay/punch/candidates.ts';
import { parseUdpPath } from '../../../transport/overlay/paths/endpoint.ts';
import { CONTROL } from '../../../transport/overlay/wire/frames.ts';
import { host, Machine, seen, THEIRS } from './machine.ts';

const VICTIM = '198.51.100.66';
const hostsOf = (machine: Machine): Set<string> =>
  new Set(machine.probes.map(({ path }) => parseUdpPath(path)?.endpoint.host ?? path));
/** The most probes in any second, of all or to one address. */
function mostInOneSecond(probes: Machine['probes'], to?: string): number {
  const times = probes.filter(({ path }) => to === undefined || path.includes(to)).map(({ at }) => at);
  return Math.max(0, ...times.map((from) => times.filter((at) => at >= from && at < from + 1000).length));
}

describe('A16: a punch command makes nobody send anything', () => {
  test('that is not of an attempt whose candidates this very peer gave', () => {
    for (const leads of [true, false]) {
      const machine = new Machine({ leads });
      for (let attempt = 0; attempt < 100; attempt++) machine.commands({ attempt }).commands({ attempt, round: 1 });
      machine.wait(60_000);
      expect(machine.log).toEqual([]);
      expect(machine.state).toBe('relayed');
    }
  });

  test('that is for the leader: only its own clock starts it', () => {
    const leader = new Machine({ leads: true }).start(1000).offers().commands();
    expect(leader.probes).toEqual([]);
    expect(leader.drops.punch_unexpected).toBe(1);
  });

  test('the candidates of one peer are no other peer’s', () => {
    const budget = new PunchBudget();
    const [one, other] = ['one', 'other'].map((peer) => new Machine({ leads: false, budget, peer }));
    one?.start().offers({ candidates: [seen(VICTIM)] });
    other?.start().commands().wait(10_000);
    expect([one, other].map((machine) => machine?.probes.length)).toEqual([0, 0]);
  });
});

describe('A18: candidates are abused', () => {
  test('10^3 candidates are refused whole', () => {
    const machine = new Machine().start();
    const bytes = offerBytes({ ...THEIRS, candidates: Array.from({ length: 255 }, (_, i) => seen(VICTIM, 1 + i)) });
    const more = Uint8Array.from([...bytes, ...bytes.subarray(10), ...bytes.subarray(10), ...bytes.subarray(10)]);
    for (const each of [bytes, more]) machine.punching.control(0, CONTROL.candidates, each);
    machine.wait(2999);
    expect([machine.drops.punch_malformed, machine.probes.length, machine.state]).toEqual([2, 0, 'exchange']);
  });

  test('nothing goes to loopback, groups, links, own relays, or to this node', () => {
    const candidates: readonly Candidate[] = [
      seen('127.0.0.1'),
      seen('224.0.0.251', 5353),
      seen('0.0.0.0'),
      host('169.254.169.254', 80),
      host('::1'),
      host('ff02::1'),
      seen('203.0.113.2', 3478),
      seen('203.0.113.10'),
    ];
    for (const kind of ['eim', 'sym'] as const) {
      const sockets = [4, 6].map((family) => ({ name: '0', family: family === 4 ? (4 as const) : (6 as const) }));
      const machine = new Machine({ forbidden: '203.0.113.2', sockets }).start().offers({ kind, candidates }).wait(20_000);
      expect(machine.probes).toEqual([]);
      expect(machine.drops.candidate_refused).toBe(8);
    }
  });

  test('one victim: 100 datagrams in any second, 200 an attempt', () => {
    const candidates = Array.from({ length: 8 }, (_, i) => seen(VICTIM, 1000 + i));
    const machine = new Machine().start().offers({ candidates }).wait(2700);
    machine.offers({ round: 1, candidates }).wait(10_000);
    expect(machine.ended).toEqual(['relayed']);
    expect(machine.probes.length).toBeGreaterThan(100);
    expect(machine.probes.length).toBeLessThanOrEqual(200);
    expect(mostInOneSecond(machine.probes, VICTIM)).toBeLessThanOrEqual(100);
  });

  test('eight victims: 200 an attempt all the same', () => {
    const candidates = Array.from({ length: 8 }, (_, i) => seen(`198.51.100.${i}`));
    const machine = new Machine().start().offers({ candidates }).wait(2700);
    machine.offers({ round: 1, candidates }).wait(10_000);
    expect(machine.probes.length).toBeLessThanOrEqual(200);
  });

  test('many peers with one victim: 100 in any second for all of them', () => {
    const budget = new PunchBudget();
    const machines = Array.from({ length: 20 }, (_, i) => new Machine({ budget, peer: `p${i}` }));
    for (const machine of machines) machine.start().offers({ candidates: [seen(VICTIM)] });
    for (let i = 0; i < 500; i++) for (const machine of machines) machine.wait(5);
    const probes = machines.flatMap((machine) => machine.probes);
    expect(probes.length).toBeGreaterThan(100);
    expect(mostInOneSecond(probes, VICTIM)).toBeLessThanOrEqual(100);
  });

  test('an IPv6 network counts as one address', () => {
    const candidates = Array.from({ length: 8 }, (_, i) => host(`2001:db8::${i + 1}`));
    const machine = new Machine({ sockets: [{ name: '0', family: 6 }] }).start().offers({ candidates }).wait(20_000);
    expect(machine.probes.length).toBeGreaterThan(50);
    expect(mostInOneSecond(machine.probes)).toBeLessThanOrEqual(100);
  });

  test('attempts without end: a few, then one in 10 s', () => {
    const machine = new Machine({ leads: true });
    for (let attempt = 1; attempt <= 3000; attempt++)
      machine.offers({ attempt, candidates: [seen(`198.51.100.${attempt % 200}`)] }).wait(20);
    // 6 at once and 6 in a minute.
    expect(machine.offered.length).toBeLessThanOrEqual(13);
    expect(machine.drops.punch_too_often).toBeGreaterThan(2900);
    expect(machine.probes.length).toBeLessThan(13 * 200);
    // And an own attempt is not hindered.
    machine.wait(10_000).start();
    expect(machine.offered.at(-1)?.attempt).toBe(3001);
  });

  test('numbers up to the last one', () => {
    const machine = new Machine({ leads: false });
    machine.offers({ attempt: 0xffff_ffff });
    expect([machine.offered.length, machine.drops.punch_unexpected]).toEqual([0, 1]);
    for (let attempt = 0; attempt < 0xffff_ffff; attempt += 0xffff) machine.offers({ attempt });
    machine.offers({ attempt: 0xffff_ffff }).wait(20_000).start();
    expect(machine.state).toBe('relayed');
    machine.punching.reset();
    machine.start();
    expect(machine.offered.at(-1)?.attempt).toBe(1);
  });

  test('guessing ports of a victim: once a peer, four times for all peers in 10 minutes, one at a time', () => {
    const budget = new PunchBudget();
    let guessed = 0;
    let now = 0;
    for (let i = 0; i < 20; i++) {
      const machine = new Machine({ budget, peer: `p${i}` });
      machine.now = now;
      machine
        .start()
        .offers({ kind: 'sym', candidates: [seen(VICTIM)] })
        .wait(10_000);
      ({ now } = machine);
      if (machine.probes.length > 1000) guessed += 1;
    }
    // 200 s have passed: one and a third of a fifth.
    expect(guessed).toBe(5);
  });

  test('no guessing in a private network: that would be a scan', () => {
    for (const address of ['192.168.1.1', '10.0.0.1', '172.16.0.9']) {
      const machine = new Machine()
        .start()
        .offers({ kind: 'sym', candidates: [seen(address)] })
        .wait(10_000);
      expect(machine.probes.length).toBeLessThanOrEqual(30);
    }
  });

  test('what was gathered goes to the peer and to nobody else', () => {
    const machine = new Machine().start().offers().wait(10_000);
    expect(new Set(machine.log.map(({ output }) => output.type))).toEqual(
      new Set(['control', 'probe', 'open', 'close', 'ended']),
    );
    expect(hostsOf(machine)).toEqual(new Set(['203.0.113.20']));
  });
});
