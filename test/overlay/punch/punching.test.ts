/** The machine of punching: who says what when, what is lost, late or there twice, and what people are told. */
import { describe, expect, test } from 'vitest';
import { CONTROL } from '../../../transport/overlay/wire/frames.ts';
import { PunchBudget } from '../../../transport/overlay/punch/budget.ts';
import { bytesFrom, dice } from '../simulated-link.ts';
import { Lab } from './lab.ts';
import { host, Machine, seen } from './machine.ts';

describe('who starts when', () => {
  test('the leader commands when it knows both sides, and starts half a round trip later', () => {
    const leader = new Machine({ leads: true }).start(80).wait(50);
    expect(leader.offered).toMatchObject([{ attempt: 1, round: 0, kind: 'eim', birthday: true, rttMs: 80 }]);
    expect([leader.state, leader.commanded]).toEqual(['exchange', []]);
    leader.offers();
    expect([leader.state, leader.commanded]).toEqual(['sync', [{ attempt: 1, round: 0 }]]);
    leader.wait(39);
    expect(leader.probes).toEqual([]);
    leader.wait(1);
    expect(leader.probes.map(({ at }) => at)).toEqual([90]);
  });

  test('the other side starts at the command', () => {
    const follower = new Machine({ leads: false }).start(80).wait(50).offers().wait(1000);
    expect([follower.state, follower.commanded, follower.probes]).toEqual(['sync', [], []]);
    follower.commands();
    expect(follower.probes.map(({ at }) => at)).toEqual([1050]);
  });

  test('the command before the candidates, and both twice', () => {
    const follower = new Machine({ leads: false }).start().commands().commands().offers().offers().commands();
    expect(follower.state).toBe('fire');
    expect(follower.probes).toHaveLength(1);
    follower.wait(10_000);
    expect(follower.ended).toEqual(['relayed']);
  });

  test('a leader that did not begin takes the round trip that the other side knows', () => {
    const leader = new Machine({ leads: true }).offers({ rttMs: 60 });
    expect([leader.offered.length, leader.commanded.length]).toEqual([1, 1]);
    leader.wait(1000);
    expect(leader.probes[0]?.at).toBe(30);
    const unknown = new Machine({ leads: true }).offers({ rttMs: 0 }).wait(1000);
    expect(unknown.probes[0]?.at).toBe(50);
    const absurd = new Machine({ leads: true }).offers({ rttMs: 60_000 }).wait(3000);
    expect(absurd.probes[0]?.at).toBe(1000);
  });

  test('openers with a low TTL, 25 ms x 10, 100 ms x 20, and no more', () => {
    const { probes } = new Machine({ leads: true, kind: 'sym' }).start().offers({ kind: 'sym' }).wait(10_000);
    expect(probes).toHaveLength(30);
    expect(probes.map(({ ttl }) => ttl)).toEqual([2, 2, ...Array.from({ length: 28 }, () => undefined)]);
    const pauses = probes.slice(1).map(({ at }, i) => at - (probes[i]?.at ?? 0));
    expect(pauses).toEqual(Array.from({ length: 29 }, (_, i) => (i < 10 ? 25 : 100)));
  });
});

describe('attempts', () => {
  test('both begin at once: it is one attempt', () => {
    const leader = new Machine({ leads: true }).start().offers({ attempt: 1 });
    expect([leader.offered.length, leader.commanded.length, leader.state]).toEqual([1, 1, 'sync']);
  });

  test('a newer attempt of the peer replaces the own one; an older one is no news', () => {
    const follower = new Machine({ leads: false }).start().offers().commands().wait(100);
    expect(follower.state).toBe('fire');
    follower.offers({ attempt: 5 });
    expect([follower.state, follower.offered.at(-1)?.attempt]).toEqual(['sync', 5]);
    follower.offers({ attempt: 4 }).commands({ attempt: 4 }).wait(10);
    expect([follower.state, follower.drops.punch_unexpected]).toEqual(['sync', 2]);
    follower.commands({ attempt: 5 });
    expect(follower.state).toBe('fire');
  });

  test('what comes again when all is over begins nothing', () => {
    const machine = new Machine({ leads: false }).start().offers().commands().wait(20_000);
    const before = machine.log.length;
    machine.offers().commands().offers({ round: 1 }).commands({ round: 1 }).wait(10_000);
    expect(machine.log.length).toBe(before);
    expect(machine.state).toBe('relayed');
  });

  test('a late copy of the first command does not hide the second', () => {
    const follower = new Machine({ leads: false }).start().offers().commands().wait(2600);
    expect(follower.state).toBe('exchange');
    follower.commands({ round: 1 }).commands({ round: 0 }).offers({ round: 1 });
    expect(follower.state).toBe('fire');
  });

  test('no answer, and no command: relayed in 3 s, and it says so', () => {
    const alone = new Machine().start().wait(3000);
    expect([alone.state, alone.ended]).toEqual(['relayed', ['relayed']]);
    expect(alone.punching.view().why).toBe('the peer did not answer with its candidates');
    const waiting = new Machine({ leads: false }).start().offers().wait(3000);
    expect(waiting.ended).toEqual(['relayed']);
    expect(waiting.punching.view().why).toContain('the peer gave no sign to start');
  });

  test('an attempt that is under way is not begun again', () => {
    const machine = new Machine().start().wait(10).start().wait(10);
    expect(machine.offered).toHaveLength(1);
  });

  test('failures are counted until a direct path comes', () => {
    const machine = new Machine();
    for (let i = 0; i < 3; i++) machine.start().wait(60_000);
    expect(machine.offered.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
    expect(machine.punching.view()).toEqual({
      state: 'relayed',
      tries: 3,
      lastResult: 'relayed',
      why: 'the peer did not answer with its candidates; punching failed 3 times',
    });
    machine.direct('udp:0/203.0.113.20:4000');
    expect(machine.punching.view()).toEqual({ state: 'direct', tries: 0, lastResult: 'direct', why: '' });
  });

  test('another association: both sides count from the start', () => {
    const machine = new Machine({ leads: false });
    for (let i = 0; i < 3; i++) machine.start().wait(60_000);
    machine.punching.reset();
    machine.offers({ attempt: 1 });
    expect(machine.offered.at(-1)?.attempt).toBe(1);
    expect(machine.state).toBe('sync');
  });

  test('a changed network ends the attempt; the next one shows the new candidates', () => {
    const machine = new Machine({ leads: true }).start().offers().wait(100);
    machine.punching.networkChanged();
    machine.candidates = [seen('203.0.113.77')];
    machine.start();
    expect(machine.ended).toEqual(['relayed']);
    expect(machine.offered.at(-1)).toMatchObject({ attempt: 2, candidates: [{ host: '203.0.113.77' }] });
  });
});

describe('gathering', () => {
  test('an unknown NAT is asked for, and waited for as little as possible', () => {
    const machine = new Machine({ kind: 'unknown' }).start().wait(90);
    expect(machine.log.map(({ output }) => output)).toEqual([{ type: 'vantage', socket: '0' }]);
    machine.kind = 'eim';
    machine.wait(25);
    expect(machine.offered).toMatchObject([{ kind: 'eim' }]);
  });

  test('and 400 ms at most', () => {
    const machine = new Machine({ kind: 'unknown' }).start().wait(399);
    expect(machine.offered).toEqual([]);
    expect(machine.log.length).toBe(4);
    machine.wait(1);
    expect(machine.offered).toMatchObject([{ kind: 'unknown' }]);
  });

  test('a reflexive answer that was lost does not make a NAT symmetric', () => {
    for (let seed = 0; seed < 40; seed++) {
      const lab = new Lab({ seed, a: { nat: 'port' }, b: { nat: 'port' }, weather: { loss: 0.4 } });
      expect(['eim', 'unknown']).toContain(lab.a.nat.kind('0'));
    }
  });
});

describe('a fresh port', () => {
  const second = (): Machine => new Machine({ leads: true }).start().offers().wait(2600);
  test('once: a new socket, its own candidates, the same again with more openers', () => {
    const machine = second();
    expect(machine.open).toHaveLength(1);
    const [fresh] = machine.open;
    expect(machine.offered.at(-1)).toMatchObject({ attempt: 1, round: 1, kind: 'eim', candidates: [{ port: 40_000 }] });
    const before = machine.probes.length;
    machine.offers({ round: 1, candidates: [seen('203.0.113.20', 50_000)] });
    expect(machine.commanded.at(-1)).toEqual({ attempt: 1, round: 1 });
    machine.wait(10_000);
    const probes = machine.probes.slice(before);
    expect(new Set(probes.map(({ path }) => path))).toEqual(new Set([`udp:${fresh}/203.0.113.20:50000`]));
    expect(probes.map(({ ttl }) => ttl).filter((ttl) => ttl !== undefined)).toEqual([2, 2, 2, 2, 2, 2, 2, 2, 5, 5]);
    expect([machine.ended, machine.open, machine.state]).toEqual([['relayed'], [], 'relayed']);
    expect(machine.punching.view().why).toContain('no probe came through');
  });

  test('candidates of a peer that is there before', () => {
    const machine = new Machine({ leads: true }).start().offers().wait(2000).offers({ round: 1 });
    expect(machine.state).toBe('fire');
    machine.wait(600);
    expect(machine.commanded.at(-1)).toEqual({ attempt: 1, round: 1 });
  });

  test('a peer that does not go along: relayed, for the reason of the first round', () => {
    const machine = second().wait(5000);
    expect([machine.ended, machine.open]).toEqual([['relayed'], []]);
    expect(machine.punching.view().why).toContain('no probe came through');
  });

  test('none where it cures nothing', () => {
    for (const offer of [{ kind: 'sym' as const, birthday: false }, { candidates: [host('192.168.1.9')] }]) {
      const machine = new Machine().start().offers(offer).wait(4000);
      expect([machine.ended, machine.offered.length]).toEqual([['relayed'], 1]);
    }
  });

  test('the socket of the direct path stays, until another path carries the traffic', () => {
    const machine = second();
    const [fresh] = machine.open;
    machine.direct(`udp:${fresh}/203.0.113.20:50000`);
    expect([machine.open, machine.ended, machine.state]).toEqual([[fresh], ['direct'], 'direct']);
    // An attempt of the peer, which does not know of the path, changes nothing of it.
    machine.wait(1000).offers({ attempt: 2 }).wait(20_000);
    expect([machine.open, machine.state, machine.punching.view().why]).toEqual([[fresh], 'direct', '']);
    machine.direct('udp:0/203.0.113.20:4000');
    expect(machine.open).toEqual([]);
  });

  test('the socket of a path that was lost stays until the next attempt is over: it may be the one that comes back', () => {
    const machine = second();
    const [fresh] = machine.open;
    machine.direct(`udp:${fresh}/203.0.113.20:50000`).wait(1000).start();
    expect(machine.open).toContain(fresh);
    machine.wait(20_000);
    expect([machine.open, machine.state]).toEqual([[], 'relayed']);
  });
});

test('stop closes all sockets', () => {
  const machine = new Machine({ kind: 'sym' }).start().offers().wait(1000);
  expect(machine.open.length).toBe(256);
  machine.punching.stop();
  machine.wait(10_000);
  expect([machine.open, machine.punching.nextAt()]).toEqual([[], Infinity]);
});

describe('guessing', () => {
  /** The guesses of this side on a busy machine, and when it ended, in ms from the start of the attempt. */
  function guessedBusily(
    kind: 'sym' | 'eim',
    everyMs: number,
  ): { guesses: Machine['probes']; endedAt: number; open: Machine['open'] } {
    const machine = new Machine({ kind })
      .start()
      .offers({ kind: kind === 'sym' ? 'eim' : 'sym' })
      .wait(370)
      .waitBusy(8_000, everyMs);
    const guesses = machine.probes.filter(({ path }) => path.startsWith('udp:b') || !path.endsWith(':4000'));
    const endedAt = machine.log.findLast(({ output }) => output.type === 'ended')?.at ?? 0;
    return { guesses, endedAt, open: machine.open };
  }

  test('once a peer in 10 minutes, on either side', () => {
    for (const kind of ['sym', 'eim'] as const) {
      const machine = new Machine({ kind });
      const attempt = (number: number): number => {
        const before = machine.probes.length;
        machine
          .start()
          .offers({ attempt: number, kind: kind === 'sym' ? 'eim' : 'sym' })
          .wait(20_000);
        return machine.probes.length - before;
      };
      expect(attempt(1)).toBeGreaterThan(1000);
      expect(machine.punching.view().why).toContain('its ports were guessed in vain');
      expect(machine.open).toEqual([]);
      expect(attempt(2)).toBeLessThan(50);
      expect(machine.offered.at(-1)?.birthday).toBe(false);
      expect(machine.punching.view().why).toContain('once in 10 minutes');
      machine.wait(600_000);
      expect(attempt(3)).toBeGreaterThan(1000);
    }
  });

  test('one peer at a time, whoever comes first', () => {
    const budget = new PunchBudget();
    const first = new Machine({ kind: 'sym', budget, peer: 'first' }).start().offers().wait(1000);
    const second = new Machine({ kind: 'sym', budget, peer: 'second' });
    second.now = first.now;
    second.start();
    expect(second.offered[0]?.birthday).toBe(false);
    second.offers().wait(10_000);
    expect(second.open).toEqual([]);
    first.wait(10_000);
    second.start().offers({ attempt: 2 }).wait(1000);
    expect(second.open.length).toBe(256);
    // Names are never used twice.
    const names = [first, second].flatMap(({ log }) =>
      log.flatMap(({ output }) => (output.type === 'open' ? output.sockets : [])),
    );
    expect(new Set(names).size).toBe(512);
  });

  test('the place is free as soon as the attempt is over, and in 10 s if its peer is forgotten in the midst of it', () => {
    const budget = new PunchBudget();
    const begin = (now: number, peer: string): Machine => {
      const machine = new Machine({ kind: 'sym', budget, peer });
      machine.now = now;
      return machine.start().offers().wait(1000);
    };
    const first = begin(0, 'first').direct('udp:0/203.0.113.20:4000');
    expect(first.open).toEqual([]);
    expect(begin(1000, 'second').open).toHaveLength(256);
    expect(begin(10_900, 'third').open).toHaveLength(0);
    expect(begin(11_100, 'fourth').open).toHaveLength(256);
  });

  test('2.5 s after 12 volleys, which go on beside it', () => {
    const machine = new Machine({ kind: 'sym' }).start().offers().wait(10_000);
    expect(machine.log.at(-1)).toMatchObject({ at: 20 + 350 + 2500, output: { type: 'ended', result: 'relayed' } });
    expect(machine.probes.filter(({ path }) => path.startsWith('udp:0/'))).toHaveLength(30);
  });

  test.each([
    ['sym', 30],
    ['sym', 70],
    ['eim', 40],
  ] as const)(
    '%s: goes on until all is sent where the machine gets to it each %s ms only, and waits for an answer',
    (kind, everyMs) => {
      const { guesses, endedAt, open } = guessedBusily(kind, everyMs);
      expect(guesses).toHaveLength(1024);
      const wait = endedAt - (guesses.at(-1)?.at ?? 0);
      expect([wait >= 250, wait <= 250 + everyMs]).toEqual([true, true]);
      expect(open).toEqual([]);
    },
  );

  test('ends after 5 s in any case', () => {
    const { guesses, endedAt, open } = guessedBusily('sym', 200);
    expect(guesses.length).toBeLessThan(1024);
    expect([endedAt >= 5_370, endedAt <= 5_600]).toEqual([true, true]);
    expect(open).toEqual([]);
  });

  test('another attempt of the peer ends it, and closes its sockets', () => {
    const machine = new Machine({ kind: 'sym' }).start().offers().wait(1000);
    expect(machine.open).toHaveLength(256);
    machine.offers({ attempt: 2 });
    expect([machine.open, machine.state]).toEqual([[], 'sync']);
  });

  test('only if exactly one side is symmetric, and the other is known not to be', () => {
    for (const [mine, theirs] of [
      ['sym', 'sym'],
      ['sym', 'unknown'],
      ['unknown', 'sym'],
      ['eim', 'eim'],
    ] as const) {
      const machine = new Machine({ kind: mine }).start().wait(500).offers({ kind: theirs }).wait(2400);
      expect(machine.probes.length).toBeLessThan(40);
    }
  });

  test('the symmetric side: 256 sockets, first with a TTL that reaches nobody; at most 1024 datagrams', () => {
    const machine = new Machine({ kind: 'sym' }).start().offers().wait(10_000);
    const guesses = machine.probes.filter(({ path }) => path.startsWith('udp:b'));
    expect(guesses.length).toBe(1024);
    expect(new Set(guesses.map(({ path }) => path)).size).toBe(256);
    expect(guesses.filter(({ ttl }) => ttl === undefined).every(({ at }) => at > 1400)).toBe(true);
    expect(guesses.slice(0, 512).every(({ ttl }) => ttl === 2)).toBe(true);
  });

  test('the other side: at most 1024 ports above 1023, each once, 16 in 20 ms', () => {
    const machine = new Machine({ kind: 'eim' }).start().offers({ kind: 'sym' }).wait(10_000);
    const guesses = machine.probes.filter(({ path }) => !path.endsWith(':4000'));
    const ports = guesses.map(({ path }) => Number(path.split(':').at(-1)));
    expect(ports.length).toBe(1024);
    expect(new Set(ports).size).toBe(1024);
    expect(Math.min(...ports)).toBeGreaterThanOrEqual(1024);
    for (const { at } of guesses)
      expect(guesses.filter((each) => each.at >= at && each.at < at + 20).length).toBeLessThanOrEqual(16);
  });
});

test('frames that are lost for a while, come twice and in any order: the pair ends direct, or both ends say why not', () => {
  for (let seed = 0; seed < 60; seed++) {
    const lab = new Lab({ seed, a: { nat: 'port' }, b: { nat: 'port' }, relayLoss: 0.4, relayMs: [30, 60] });
    lab.a.punching.start(lab.now, lab.rttMs);
    if (seed % 2 === 0) lab.run(lab.now + seed);
    lab.b.punching.start(lab.now, lab.rttMs);
    lab.run(lab.now + 10_000, true);
    expect(`${seed} ${lab.isDirect}`).toBe(`${seed} true`);
  }
});

test('a peer that is mute is given up', () => {
  const lab = new Lab({ seed: 1, a: { nat: 'port' }, b: { nat: 'port' } });
  lab.b.isMute = true;
  lab.a.punching.start(lab.now, lab.rttMs);
  lab.run(lab.now + 10_000);
  expect(lab.a.punching.view().why).toBe('the peer did not answer with its candidates');
  expect(lab.b.punching.view().state).toBe('relayed');
});

test('any order of inputs: nothing is thrown, time goes on, and in the end all is closed', () => {
  for (let seed = 0; seed < 300; seed++) {
    const random = dice(seed);
    const pick = (count: number): number => Math.floor(random() * count);
    const kinds = ['none', 'eim', 'sym', 'unknown'] as const;
    const machine = new Machine({ leads: seed % 2 === 0, kind: kinds[pick(4)] ?? 'eim' });
    for (let i = 0; i < 30; i++) {
      const [attempt, round] = [1 + pick(6), pick(2) === 0 ? 0 : 1] as const;
      const acts: readonly (() => unknown)[] = [
        () => machine.start(pick(200)),
        () => machine.offers({ attempt, round, kind: kinds[pick(4)] ?? 'eim', rttMs: pick(3000) }),
        () => machine.commands({ attempt, round }),
        () => machine.wait(pick(2000)),
        () => machine.direct(`udp:${machine.open[pick(machine.open.length)] ?? '0'}/203.0.113.20:4000`),
        () => machine.punching.networkChanged(),
        () =>
          machine.punching.control(machine.now, pick(2) === 0 ? CONTROL.candidates : CONTROL.punch, bytesFrom(random)(pick(40))),
        () => machine.punching.reset(),
      ];
      acts[pick(acts.length)]?.();
    }
    machine.wait(30_000);
    expect(['relayed', 'direct']).toContain(machine.state);
    expect(machine.punching.nextAt()).toBe(Infinity);
    expect(machine.open.length).toBeLessThanOrEqual(1);
    machine.punching.stop();
    expect(machine.wait(1).open).toEqual([]);
  }
});
