/** The paths of one peer, input by input. */
import { describe, expect, test } from 'vitest';
import { PATHS_MAX, Paths, type PathOutput } from '../../../transport/overlay/paths/paths.ts';
import { noDrops } from '../../../transport/overlay/drops.ts';
import { seededRandom } from '../identities.ts';
import { DIRECT, RELAY } from './lab.ts';

const OTHER = 'udp:0/192.0.2.9:9';

type Send = Extract<PathOutput, { type: 'send' }>;

function newPaths(maxDatagram = 1_200): { paths: Paths; drops: ReturnType<typeof noDrops> } {
  const drops = noDrops();
  return { paths: new Paths({ random: seededRandom(1), maxDatagram, drops }), drops };
}

const isSend = (output: PathOutput): output is Send => output.type === 'send';
const sends = (paths: Paths): Send[] => paths.take().filter(isSend);
const challenges = (paths: Paths, path?: string): Send[] =>
  sends(paths).filter((send) => send.frame.type === 'path_challenge' && (path === undefined || send.path === path));
const stateOf = (paths: Paths, path: string): string | undefined => paths.view().find((view) => view.path === path)?.state;

/** Ticks whenever one is due until `end`; what went out, with when. */
function runTo(paths: Paths, end: number): { at: number; output: PathOutput }[] {
  const all: { at: number; output: PathOutput }[] = [];
  for (let at = paths.nextAt(); at <= end; at = paths.nextAt()) {
    paths.tick(at);
    for (const output of paths.take()) all.push({ at, output });
    expect(paths.nextAt()).toBeGreaterThan(at);
  }
  return all;
}

/** The peer's answer to a challenge, by the same path. */
function answer(paths: Paths, now: number, { path, frame }: Send): void {
  paths.received(now, path, 41, false);
  paths.response(now, path, frame.data);
}

/** `path` is active and valid, with this round-trip time. */
function begun(path: string, rttMs = 30, maxDatagram = 1_200): ReturnType<typeof newPaths> {
  const made = newPaths(maxDatagram);
  made.paths.begin(0, path, true);
  for (const send of challenges(made.paths)) answer(made.paths, rttMs, send);
  return made;
}

/** Another path becomes valid. */
function proved(paths: Paths, now: number, path: string, rttMs: number): void {
  paths.probe(now, path);
  for (const send of challenges(paths, path)) answer(paths, now + rttMs, send);
  paths.take();
}

/** Answers each challenge after the round-trip time of its path; Infinity: never. */
function live(
  paths: Paths,
  from: number,
  to: number,
  rtt: (path: string, at: number) => number,
): { at: number; output: PathOutput }[] {
  const others: { at: number; output: PathOutput }[] = [];
  let due: { at: number; send: Send }[] = [];
  for (let now = from; now <= to;) {
    paths.tick(now);
    for (const { send } of due.filter(({ at }) => at <= now)) answer(paths, now, send);
    due = due.filter(({ at }) => at > now);
    for (const output of paths.take())
      if (!isSend(output)) others.push({ at: now, output });
      else if (output.frame.type === 'path_challenge') due.push({ at: now + rtt(output.path, now), send: output });
    now = Math.max(now + 0.001, Math.min(paths.nextAt(), ...due.map(({ at }) => at)));
  }
  return others;
}

describe('begin', () => {
  test('with a proved path: it is valid, active, open, and measured by its first answer', () => {
    const { paths } = newPaths();
    paths.begin(0, DIRECT, true);
    const outputs = paths.take();
    expect(outputs[0]).toEqual({ type: 'active', path: DIRECT, rttMs: undefined, reason: 'begin' });
    expect([stateOf(paths, DIRECT), paths.isOpen(DIRECT), paths.active]).toEqual(['valid', true, DIRECT]);
    answer(paths, 30, outputs.filter(isSend)[0] as Send);
    expect(paths.view()[0]).toEqual({
      path: DIRECT,
      kind: 'direct',
      state: 'valid',
      rttMs: 30,
      loss: 0,
      datagram: 1_200,
      isActive: true,
    });
  });

  test('with one that is not: it is active within the 3x limit until it answers', () => {
    const { paths } = newPaths();
    paths.received(0, DIRECT, 400, true);
    paths.begin(0, DIRECT, false);
    const [first] = challenges(paths);
    expect([paths.active, stateOf(paths, DIRECT), paths.isOpen(DIRECT, 1_100)]).toEqual([DIRECT, 'probing', true]);
    paths.sent(1, DIRECT, 1_100);
    expect([paths.isOpen(DIRECT, 100), paths.isOpen(DIRECT, 101), paths.isOpen(DIRECT)]).toEqual([true, false, false]);
    answer(paths, 30, first as Send);
    expect([stateOf(paths, DIRECT), paths.isOpen(DIRECT)]).toEqual(['valid', true]);
  });

  test('again, by another path: that one is active, and all others are asked anew', () => {
    const { paths } = begun(DIRECT);
    paths.begin(1_000, RELAY, true);
    expect([paths.active, stateOf(paths, DIRECT)]).toEqual([RELAY, 'suspect']);
    answer(paths, 1_030, challenges(paths, DIRECT)[0] as Send);
    expect([paths.active, stateOf(paths, DIRECT)]).toEqual([DIRECT, 'valid']);
  });
});

describe('a challenge', () => {
  test('is sent five times, each with other data; then the path is dead, and a minute later forgotten', () => {
    const { paths } = begun(RELAY);
    paths.probe(1_000, DIRECT);
    const first = challenges(paths, DIRECT);
    const later = runTo(paths, 100_000).filter(({ output }) => isSend(output) && output.path === DIRECT);
    expect(later.map(({ at }) => at)).toEqual([1_100, 1_200, 1_400, 1_800]);
    const data = [...first, ...later.map(({ output }) => output as Send)].map(({ frame }) =>
      Buffer.from(frame.data).toString('hex'),
    );
    expect(new Set(data).size).toBe(5);
    expect(stateOf(paths, DIRECT)).toBeUndefined();
  });

  test('that was answered late makes a dead path valid', () => {
    const { paths } = begun(RELAY);
    paths.probe(1_000, DIRECT);
    const [first] = challenges(paths, DIRECT);
    runTo(paths, 3_000);
    expect(stateOf(paths, DIRECT)).toBe('dead');
    answer(paths, 3_500, first as Send);
    expect([stateOf(paths, DIRECT), paths.active]).toEqual(['valid', DIRECT]);
  });

  test('whose answer comes by another path proves nothing', () => {
    const { paths, drops } = begun(RELAY);
    paths.probe(1_000, DIRECT);
    paths.probe(1_000, OTHER);
    const [first] = challenges(paths, DIRECT);
    answer(paths, 1_030, { ...(first as Send), path: OTHER });
    answer(paths, 1_030, { ...(first as Send), path: RELAY });
    expect([stateOf(paths, DIRECT), stateOf(paths, OTHER), paths.active]).toEqual(['probing', 'probing', RELAY]);
    expect(drops.path_unproved).toBe(2);
    answer(paths, 1_040, first as Send);
    expect(paths.active).toBe(DIRECT);
    answer(paths, 1_050, first as Send);
    expect(drops.path_unproved).toBe(3);
  });

  test('of the peer is answered by the same path, two of one packet, with a copy of its data', () => {
    const { paths, drops } = begun(DIRECT);
    paths.take();
    const data = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
    paths.received(100, DIRECT, 200, true);
    for (let i = 0; i < 20; i++) paths.challenge(100, DIRECT, data);
    data.fill(0);
    expect(sends(paths)).toEqual(
      [1, 2].map(() => ({
        type: 'send',
        path: DIRECT,
        frame: { type: 'path_response', data: Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8) },
        padTo: undefined,
      })),
    );
    expect(drops.path_unanswered).toBe(18);
    paths.challenge(100, 'udp:0/192.0.2.77:1', data);
    expect([sends(paths), drops.path_unanswered]).toEqual([[], 19]);
  });

  test('of a peer at an address that is not proved is answered as far as the 3x limit goes (A11)', () => {
    const { paths, drops } = begun(DIRECT);
    paths.received(100, OTHER, 41, true);
    for (let i = 0; i < 2; i++) paths.challenge(100, OTHER, new Uint8Array(8));
    const toOther = sends(paths).filter(({ path }) => path === OTHER);
    // 41 bytes for the own challenge, 62 for one answer: another would make it 165 of 123.
    expect(toOther.map(({ frame }) => frame.type)).toEqual(['path_challenge', 'path_response']);
    expect(drops.path_unanswered).toBe(1);
  });

  test('is remembered in bounds: of more than 32 the oldest counts no more', () => {
    const { paths } = begun(RELAY);
    const all: Send[] = [];
    for (let i = 0; i < 40; i++) {
      paths.probe(1_000 + 20 * i, DIRECT);
      all.push(...challenges(paths, DIRECT));
    }
    expect(all.length).toBe(40);
    answer(paths, 1_900, all[0] as Send);
    expect(stateOf(paths, DIRECT)).toBe('probing');
    answer(paths, 1_900, all[39] as Send);
    expect(stateOf(paths, DIRECT)).toBe('valid');
  });
});

describe('the newest packet from another source', () => {
  /** What was asked there and on the active path. */
  function asked(paths: Paths, now: number, from: string): { there: Send; here: Send } {
    paths.received(now, from, 500, true);
    const all = challenges(paths);
    const [there, here] = [from, DIRECT].map((path) => all.find((send) => send.path === path));
    expect(all.length).toBe(2);
    return { there: there as Send, here: here as Send };
  }

  test('moves the traffic when that source answers', () => {
    const { paths } = begun(DIRECT);
    const { there } = asked(paths, 1_000, OTHER);
    expect(paths.active).toBe(DIRECT);
    answer(paths, 1_030, there);
    expect(paths.take()).toContainEqual({ type: 'active', path: OTHER, rttMs: 30, reason: 'roamed' });
  });

  test('does not if the active path answers before', () => {
    const { paths } = begun(DIRECT);
    const { there, here } = asked(paths, 1_000, OTHER);
    answer(paths, 1_030, here);
    answer(paths, 1_031, there);
    expect([paths.active, stateOf(paths, OTHER)]).toEqual([DIRECT, 'valid']);
  });

  test('does not if the next one comes by the active path', () => {
    const { paths } = begun(DIRECT);
    const { there } = asked(paths, 1_000, OTHER);
    paths.received(1_010, DIRECT, 500, true);
    answer(paths, 1_030, there);
    expect([paths.active, stateOf(paths, OTHER)]).toEqual([DIRECT, 'valid']);
  });

  test('does not to a worse kind of path', () => {
    const { paths } = begun(DIRECT);
    const { there } = asked(paths, 1_000, RELAY);
    answer(paths, 1_030, there);
    expect([paths.active, stateOf(paths, RELAY)]).toEqual([DIRECT, 'valid']);
  });

  test('does not by the answer to what this node had asked before', () => {
    const { paths } = begun(DIRECT);
    paths.probe(1_000, OTHER);
    const [own] = challenges(paths, OTHER);
    paths.received(1_029, OTHER, 500, true);
    answer(paths, 1_030, own as Send);
    expect([paths.active, stateOf(paths, OTHER)]).toEqual([DIRECT, 'valid']);
  });

  test('does, if the active path only answers what it was asked before, and that one is asked on', () => {
    const { paths } = begun(DIRECT);
    paths.probe(990, DIRECT);
    const [earlier] = challenges(paths, DIRECT);
    const { there } = asked(paths, 1_000, OTHER);
    answer(paths, 1_020, earlier as Send);
    answer(paths, 1_030, there);
    expect(paths.active).toBe(OTHER);
    paths.take();
    expect(runTo(paths, 1_100).map(({ at, output }) => [at, isSend(output) && output.path])).toEqual([[1_100, DIRECT]]);
  });

  test('asks the active path, which is no loss if it was asked a moment ago and has not answered yet', () => {
    const { paths } = begun(DIRECT);
    const loss = (): number | undefined => paths.view()[0]?.loss;
    paths.probe(1_000, DIRECT);
    paths.received(1_500, OTHER, 500, true);
    expect(loss()).toBe(0);
    paths.received(2_100, 'udp:0/192.0.2.10:10', 500, true);
    expect(loss()).toBe(0.5);
  });

  test('that is not the newest moves nothing', () => {
    const { paths } = begun(DIRECT);
    paths.received(1_000, OTHER, 500, false);
    const [there] = challenges(paths);
    answer(paths, 1_030, there as Send);
    expect([paths.active, stateOf(paths, OTHER)]).toEqual([DIRECT, 'valid']);
  });
});

describe('timeouts of the connection', () => {
  function two(): Paths {
    const { paths } = begun(RELAY, 50);
    proved(paths, 100, DIRECT, 30);
    expect(paths.active).toBe(DIRECT);
    live(paths, 130, 20_000, (path) => (path === DIRECT ? 30 : 50));
    return paths;
  }

  test('do nothing at one, challenge all at two, leave at three', () => {
    const paths = two();
    paths.timeouts(20_000, 1, 30);
    expect(paths.take()).toEqual([]);
    paths.timeouts(20_100, 2, 30);
    expect(new Set(challenges(paths).map(({ path }) => path))).toEqual(new Set([DIRECT, RELAY]));
    expect([paths.active, stateOf(paths, DIRECT)]).toEqual([DIRECT, 'suspect']);
    paths.timeouts(20_110, 2, 30);
    expect(paths.take()).toEqual([]);
    paths.timeouts(20_150, 3, 30);
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
    paths.timeouts(1_000, 3, 30);
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
    paths.timeouts(21_060, 3, 30);
    expect(paths.active).toBe(RELAY);
  });

  test('counted on the path that was left do not leave the next one', () => {
    const paths = two();
    paths.timeouts(20_000, 3, 30);
    expect(paths.active).toBe(RELAY);
    paths.timeouts(20_001, 3, 30);
    expect([paths.active, stateOf(paths, RELAY)]).toEqual([RELAY, 'valid']);
  });

  test('for which a path is left again and again keep it away longer each time', () => {
    const paths = two();
    const back: number[] = [];
    let now = 20_000;
    for (let i = 0; i < 8; i++) {
      paths.timeouts(now, 3, 30);
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

  test('that looks for a direct path does so four times, and rests', () => {
    const { paths } = begun(RELAY);
    const wanted = runTo(paths, 10_000_000).filter(({ output }) => output.type === 'want_direct');
    expect(wanted.map(({ at }) => at)).toEqual([1_000, 5_000, 15_000, 60_000]);
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
    expect(all).toEqual([1_000, 5_000, 15_000, 60_000, 120_000, 180_000]);
    expect(wantedBy(live(paths, 200_030, 1_000_000, () => 30))).toEqual([240_000]);
    paths.traffic(1_000_000);
    expect(wantedBy(live(paths, 1_000_000, 1_010_000, () => 30))).toEqual([1_000_000]);
  });

  test('ends with a direct path and begins anew with its loss', () => {
    const { paths } = begun(RELAY);
    proved(paths, 2_000, DIRECT, 30);
    expect(wantedBy(live(paths, 2_031, 100_000, () => 30))).toEqual([]);
    paths.failed(100_000, DIRECT, 'closed');
    expect(wantedBy(live(paths, 100_000, 110_000, (path) => (path === DIRECT ? Infinity : 30)))).toEqual([101_000, 105_000]);
  });

  test('comes at once when the network changed', () => {
    const { paths } = begun(RELAY);
    expect(wantedBy(live(paths, 30, 200_000, () => 30)).length).toBe(4);
    paths.networkChanged(200_000);
    expect(wantedBy(live(paths, 200_000, 206_000, () => 30))).toEqual([200_000, 201_000, 205_000]);
  });
});

describe('a change of the network', () => {
  test('has all paths challenged, dead ones too, and lengths found anew', () => {
    const { paths } = newPaths(1_500);
    paths.begin(0, DIRECT, true);
    for (const send of challenges(paths)) answer(paths, 30, send);
    paths.probe(100, OTHER);
    runTo(paths, 3_000);
    expect([stateOf(paths, OTHER), paths.datagram(DIRECT)]).toEqual(['dead', 1_452]);
    paths.networkChanged(4_000);
    expect([stateOf(paths, OTHER), stateOf(paths, DIRECT), paths.datagram(DIRECT)]).toEqual(['probing', 'suspect', 1_200]);
    const asked = challenges(paths);
    expect(asked.map(({ path, padTo }) => [path, padTo])).toEqual([
      [DIRECT, undefined],
      [OTHER, undefined],
    ]);
    answer(paths, 4_030, asked[0] as Send);
    expect(challenges(paths, DIRECT).map(({ padTo }) => padTo)).toEqual([1_400, 1_452]);
  });
});

describe('the number of paths', () => {
  test('is bounded: dead ones go first, then those from which nothing came, then the oldest that are probed', () => {
    const { paths, drops } = begun(DIRECT);
    const at = (i: number): string => `udp:0/192.0.2.50:${i + 1}`;
    for (let i = 0; i < PATHS_MAX - 1; i++) paths.probe(100, at(i));
    paths.received(101, at(0), 100, false);
    paths.failed(102, at(5), 'closed');
    const isThere = (path: string): boolean => stateOf(paths, path) !== undefined;
    paths.probe(110, at(100));
    expect([isThere(at(5)), isThere(at(0)), isThere(at(1))]).toEqual([false, true, true]);
    paths.probe(110, at(101));
    expect([isThere(at(0)), isThere(at(1))]).toEqual([true, false]);
    for (let i = 200; i < 260; i++) paths.received(120, at(i), 100, false);
    expect([paths.view().length, isThere(DIRECT), isThere(at(0))]).toEqual([PATHS_MAX, true, false]);
    expect(drops.path_refused).toBe(0);
  });

  test('has no room for a new source while all are good', () => {
    const { paths, drops } = begun(DIRECT);
    for (let i = 0; i < PATHS_MAX - 1; i++) proved(paths, 100 + i, `udp:0/192.0.2.50:${i + 1}`, 1);
    paths.received(200, OTHER, 100, true);
    paths.probe(200, OTHER);
    expect([stateOf(paths, OTHER), drops.path_refused]).toEqual([undefined, 1]);
    expect(paths.view().every(({ state }) => state === 'valid')).toBe(true);
  });
});
