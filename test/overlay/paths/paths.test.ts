/** The paths of one peer, input by input. */
import { describe, expect, test } from 'vitest';
import { PATHS_MAX, type Paths } from '../../../transport/overlay/paths/paths.ts';
import { OTHER, newPaths, isSend, sends, challenges, stateOf, runTo, answer, begun, proved, live, type Send } from './drive.ts';
import { DIRECT, RELAY } from './lab.ts';

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
    paths.sent(DIRECT, 1_100);
    expect([paths.isOpen(DIRECT, 100), paths.isOpen(DIRECT, 101), paths.isOpen(DIRECT)]).toEqual([true, false, false]);
    answer(paths, 30, first as Send);
    expect([stateOf(paths, DIRECT), paths.isOpen(DIRECT)]).toEqual(['valid', true]);
  });

  test('with one that is not, after a handshake there: its bytes count for the limit', () => {
    const { paths } = newPaths();
    paths.begin(0, DIRECT, false, { received: 500, sent: 400 });
    paths.take();
    expect([paths.isOpen(DIRECT, 1_100), paths.isOpen(DIRECT, 1_101)]).toEqual([true, false]);
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
    for (let i = 0; i < 20; i++) paths.challenge(DIRECT, data);
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
    paths.challenge('udp:0/192.0.2.77:1', data);
    expect([sends(paths), drops.path_unanswered]).toEqual([[], 19]);
  });

  test('of a peer at an address that is not proved is answered as far as the 3x limit goes (A11)', () => {
    const { paths, drops } = begun(DIRECT);
    paths.received(100, OTHER, 41, true);
    for (let i = 0; i < 2; i++) paths.challenge(OTHER, new Uint8Array(8));
    const toOther = sends(paths).filter(({ path }) => path === OTHER);
    // 42 bytes for the own challenge, 62 for one answer: another would make it 166 of 123.
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

describe('a change of the network', () => {
  test('has all paths challenged, dead ones too, and lengths found anew', () => {
    const { paths } = newPaths(1_500);
    paths.begin(0, DIRECT, true);
    for (const send of challenges(paths)) answer(paths, 30, send);
    paths.probe(100, OTHER);
    live(paths, 101, 3_000, (path) => (path === OTHER ? Infinity : 30));
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
