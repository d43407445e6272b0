/** A22: both sides begin at once, on networks that lose, double and reorder. */
import { describe, expect, test } from 'vitest';
import { eachSeed, seeds } from '../seeds.ts';
import { connected, high, low, Node, ofType, randomOf, two, TYPE, type Lab } from './lab.ts';

/** Both talk until each has heard the other `texts` times; connects where there are no keys, as a node does. */
function talk(lab: Lab, a: Node, b: Node, seconds: number): void {
  const end = lab.now + seconds * 1000;
  while (lab.now < end) {
    lab.run(lab.now + 50);
    if (!lab.say(a, b, `a at ${lab.now}`)) lab.connect(a, b);
    if (!lab.say(b, a, `b at ${lab.now}`)) lab.connect(b, a);
  }
}

/** The index under which the last packets went each way: one session where each answers the other's. */
function receivers(lab: Lab, a: Node, b: Node): readonly [toA: number, toB: number] {
  const last = (to: Node): number =>
    Buffer.from(ofType(lab.sent, 'data').findLast((sent) => sent.to === to.path)?.bytes ?? []).readUInt32LE(4);
  return [last(a), last(b)];
}

/** Whether INIT and RESP of one handshake had these two indexes. */
function areOfOneHandshake(lab: Lab, [toA, toB]: readonly [number, number], a: Node): boolean {
  return ofType(lab.sent, 'resp').some(({ bytes, from }) => {
    const [sender, receiver] = [Buffer.from(bytes).readUInt32LE(4), Buffer.from(bytes).readUInt32LE(8)];
    return from === a.path ? sender === toA && receiver === toB : sender === toB && receiver === toA;
  });
}

/** `b` began and `a` answered, then `a` began and `b` answered, but no answer came: what each sent first, of a type. */
function bothAnswered(lab: Lab, a: Node, b: Node): (type: 'resp' | 'data', from: Node) => Uint8Array {
  lab.blocks = ({ bytes }) => bytes[0] === TYPE.resp || bytes[0] === TYPE.data;
  lab.connect(b, a);
  lab.settle();
  lab.connect(a, b);
  lab.run(lab.now + 50);
  return (type, from) => ofType(lab.sent, type).find((sent) => sent.from === from.path)?.bytes ?? new Uint8Array(0);
}

describe('A22: simultaneous open', () => {
  test('makes one handshake where nothing is lost: that of the lower key, by the path that is open', () => {
    const { lab, a, b } = two();
    lab.connect(a, b);
    lab.connect(b, a);
    lab.settle();
    const resps = ofType(lab.sent, 'resp');
    expect(new Set(resps.map(({ from }) => from))).toEqual(new Set([b.path]));
    expect([a.of('up').length, b.of('up').length]).toEqual([1, 1]);
    expect(a.drops.init_crossed).toBe(1);
    expect(ofType(lab.sent, 'init').filter(({ from, at }) => from === a.path && at === 1010).length).toBe(1);
  });

  test('goes by the path from which the other side came, where the one that is known is dead', () => {
    const { lab, a, b } = two();
    a.sessions.connect(lab.now, b.name, ['udp:0/10.0.0.99:1']);
    lab.connect(b, a);
    lab.settle();
    expect([a.of('up').length, b.of('up').length]).toEqual([1, 1]);
    expect(ofType(lab.sent, 'resp').every(({ from }) => from === b.path)).toBe(true);
  });

  test('yields after 1 s where the INIT of the lower key never comes through', () => {
    const { lab, a, b } = two();
    lab.blocks = ({ from, bytes }) => from === a.path && bytes[0] === TYPE.init;
    lab.connect(a, b);
    lab.connect(b, a);
    lab.run(lab.now + 900);
    expect([a.of('up').length, b.of('up').length]).toEqual([0, 0]);
    lab.run(lab.now + 1500);
    expect([a.of('up').length, b.of('up').length]).toEqual([1, 1]);
    lab.run(lab.now + 10_000);
    expect([a.of('failed'), b.of('failed')]).toEqual([[], []]);
    expect([lab.say(a, b, 'one'), lab.say(b, a, 'two')]).toEqual([true, true]);
    lab.settle();
    expect([a.texts, b.texts]).toEqual([['two'], ['one']]);
  });

  test('leaves the keys of the lower one current on both sides where both handshakes succeed', () => {
    const { lab, a, b } = two();
    const held = bothAnswered(lab, a, b);
    lab.inject(b, a.path, held('resp', a));
    lab.inject(a, b.path, held('resp', b));
    lab.inject(a, b.path, held('data', b));
    lab.inject(b, a.path, held('data', a));
    lab.blocks = () => false;
    for (let i = 0; i < 3; i++) {
      expect([lab.say(a, b, `a${i}`), lab.say(b, a, `b${i}`)]).toEqual([true, true]);
      lab.settle();
    }
    expect([a.texts, b.texts]).toEqual([
      ['b0', 'b1', 'b2'],
      ['a0', 'a1', 'a2'],
    ]);
    const [resp] = ofType(lab.sent, 'resp').filter(({ from }) => from === b.path);
    const indexes = Buffer.from(resp?.bytes ?? []);
    expect(receivers(lab, a, b)).toEqual([indexes.readUInt32LE(8), indexes.readUInt32LE(4)]);
    expect([a.of('up').length, b.of('up').length]).toEqual([1, 1]);
  });

  test('ends the own handshake with the proof of the other one', () => {
    const { lab, a, b } = two();
    const held = bothAnswered(lab, a, b);
    lab.inject(b, a.path, held('resp', a));
    lab.inject(a, b.path, held('data', b));
    const sent = lab.sent.length;
    lab.inject(a, b.path, held('resp', b));
    expect(a.drops.resp_unexpected).toBe(1);
    lab.run(lab.now + 10_000);
    expect(ofType(lab.sent.slice(sent), 'init')).toEqual([]);
  });

  test('leaves exactly one session current on both sides, for many seeds of loss, doubling and reordering', () => {
    let crossed = 0;
    for (const seed of eachSeed(60, 3_000)) {
      const { lab, a, b } = two(seed);
      const chance = randomOf(seed + 1000);
      const most = 20 + 400 * chance();
      lab.weather = { loss: 0.4 * chance(), doubled: 0.1, delay: [5, most] };
      lab.connect(a, b);
      lab.run(lab.now + 200 * chance());
      lab.connect(b, a);
      talk(lab, a, b, 12);
      lab.weather = { loss: 0, doubled: 0, delay: [10, 10] };
      talk(lab, a, b, 1);
      const current = receivers(lab, a, b);
      expect([seed, areOfOneHandshake(lab, current, a)]).toEqual([seed, true]);
      for (const node of [a, b]) {
        expect(new Set(node.texts).size).toBe(node.texts.length);
        expect(node.of('up').map(({ association }) => association)).toEqual([1]);
      }
      const [sent, before] = [ofType(lab.sent, 'init').length, [a.texts.length, b.texts.length]];
      talk(lab, a, b, 1);
      expect(ofType(lab.sent, 'init').length).toBe(sent);
      expect([a.texts.length, b.texts.length]).toEqual(before.map((count) => count + 20));
      crossed += a.drops.init_crossed;
    }
    expect(crossed).toBeGreaterThan(seeds(60, 3_000) / 3);
  });

  test('of new keys, too, under the same weather', () => {
    for (const seed of eachSeed(8, 200)) {
      const { lab, a, b } = connected(seed, { keyLimits: { rekeyMs: 1000, stopMs: 20_000 } });
      lab.weather = { loss: 0.2, doubled: 0.1, delay: [5, 100] };
      talk(lab, a, b, 20);
      lab.weather = { loss: 0, doubled: 0, delay: [10, 10] };
      lab.run(lab.now + 200);
      for (const node of [a, b]) {
        expect(new Set(node.texts).size).toBe(node.texts.length);
        expect(node.of('up').length).toBe(1);
        expect(node.of('down')).toEqual([]);
        expect(node.of('renewed').length).toBeGreaterThan(5);
      }
    }
  });
});

test('A23: a restart of either side at any step ends in one session of the new start', () => {
  for (let step = 0; step <= 60; step += 4)
    for (const who of ['a', 'b'] as const) {
      const { lab, a, b } = two(step + 1);
      lab.connect(a, b);
      lab.run(lab.now + step);
      const again =
        who === 'a' ? lab.add(new Node(low, a.path, `a again ${step}`)) : lab.add(new Node(high, b.path, `b again ${step}`));
      const [left, right] = who === 'a' ? [again, b] : [a, again];
      talk(lab, left, right, 2);
      const before = [left.texts.length, right.texts.length];
      talk(lab, left, right, 1);
      expect([step, who, left.texts.length, right.texts.length]).toEqual([step, who, ...before.map((count) => count + 20)]);
      expect(again.of('up').length).toBe(1);
    }
});

test('A23: a packet of the start before that comes late brings nothing back', () => {
  const { lab, a, b } = two();
  lab.blocks = ({ bytes }) => bytes[0] === TYPE.data;
  lab.connect(a, b);
  lab.settle();
  const late = ofType(lab.sent, 'data')[0]?.bytes as Uint8Array;
  lab.blocks = () => false;
  const again = lab.add(new Node(low, a.path, 'again'));
  lab.connect(again, b);
  lab.settle();
  lab.inject(b, a.path, late);
  expect(b.drops.index_unknown).toBe(1);
  expect(b.of('up')).toMatchObject([{ association: 1, restarted: false }]);
  lab.say(b, again, 'still here');
  lab.settle();
  expect(again.texts).toEqual(['still here']);
});
