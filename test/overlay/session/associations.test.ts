/** Associations: one for each pair of records of a peer. Who forgets the other and comes back is seen to, even if nobody was told. */
import { describe, expect, test } from 'vitest';
import { connected, high, Node, ofType, randomOf, two, TYPE, type Lab } from './lab.ts';

const associations = (node: Node): readonly (readonly [association: number, restarted: boolean])[] =>
  node.of('up').map(({ association, restarted }) => [association, restarted]);

/** Both speak once and are heard. */
function expectHeard(lab: Lab, a: Node, b: Node): void {
  const [fromA, fromB] = [`a at ${lab.now}`, `b at ${lab.now}`];
  expect([lab.say(a, b, fromA), lab.say(b, a, fromB)]).toEqual([true, true]);
  lab.settle();
  expect([a.texts.at(-1), b.texts.at(-1)]).toEqual([fromB, fromA]);
}

describe('a side that closed, and whose CLOSE was lost,', () => {
  test('is seen as new when it connects again, and sees a new association itself', () => {
    for (const closer of ['initiator', 'responder'] as const) {
      const { lab, a, b } = connected();
      const [gone, other] = closer === 'initiator' ? [a, b] : [b, a];
      expectHeard(lab, a, b);
      gone.sessions.close(other.name);
      expect(lab.say(gone, other, 'no')).toBe(false);
      lab.connect(gone, other);
      lab.settle();
      expect(associations(other)).toEqual([
        [1, false],
        [2, true],
      ]);
      expect(associations(gone)).toEqual([
        [1, false],
        [2, false],
      ]);
      expectHeard(lab, a, b);
    }
  });

  test('is seen as new when the other side speaks: after a HINT, in two round trips', () => {
    const { lab, a, b } = connected();
    a.sessions.close(b.name);
    const began = lab.now;
    lab.say(b, a, 'into the void');
    lab.settle();
    expect(associations(b)).toEqual([
      [1, false],
      [2, true],
    ]);
    expect(ofType(lab.sent, 'resp').at(-1)?.at).toBe(began + 30);
    expectHeard(lab, a, b);
    expect(a.texts).not.toContain('into the void');
  });

  test('takes nothing of the association before, nor does the other side', () => {
    const { lab, a, b } = connected();
    lab.blocks = ({ bytes }) => bytes[0] === TYPE.data;
    lab.say(a, b, 'late of a');
    lab.say(b, a, 'late of b');
    const late = ofType(lab.sent, 'data').slice(-2);
    lab.blocks = () => false;
    a.sessions.close(b.name);
    lab.connect(a, b);
    lab.settle();
    for (const { from, bytes } of late) lab.inject(from === a.path ? b : a, from, bytes);
    expect([a.texts, b.texts]).toEqual([[], []]);
    expectHeard(lab, a, b);
    expect(b.of('payload').map(({ pn, isNewest }) => [pn, isNewest])).toEqual([[1, true]]);
  });

  test('opens one session where both begin at once', () => {
    for (const closers of ['a', 'b', 'ab']) {
      const { lab, a, b } = connected();
      if (closers.includes('a')) a.sessions.close(b.name);
      if (closers.includes('b')) b.sessions.close(a.name);
      const sent = lab.sent.length;
      lab.connect(a, b);
      lab.connect(b, a);
      lab.settle();
      expect(new Set(ofType(lab.sent.slice(sent), 'resp').map(({ from }) => from)).size).toBe(1);
      expect([associations(a).at(-1)?.[0], associations(b).at(-1)?.[0]]).toEqual([2, 2]);
      expectHeard(lab, a, b);
    }
  });
});

test('a record that came to nothing leaves no instance behind: the next one is another', () => {
  const { lab, a, b } = two();
  lab.blocks = ({ bytes }) => bytes[0] === TYPE.data;
  lab.connect(a, b);
  lab.run(lab.now + 6000);
  expect([associations(a), associations(b)]).toEqual([[[1, false]], []]);
  lab.blocks = () => false;
  // What b had of a is gone after 5 s, as after a replay. It was never an association there; a has one, and begins the next.
  lab.say(a, b, 'lost');
  lab.settle();
  expect([associations(a), associations(b)]).toEqual([
    [
      [1, false],
      [2, true],
    ],
    [[1, false]],
  ]);
  expectHeard(lab, a, b);
});

test('the two sides of a payload are in one and the same association, whoever closes when, for 20 seeds of weather', () => {
  let begun = 0;
  for (let seed = 66; seed <= 85; seed++) {
    const { lab, a, b } = two(seed);
    const chance = randomOf(seed + 500);
    const last = (node: Node): number => node.of('up').at(-1)?.association ?? 0;
    const talk = (): void => {
      lab.run(lab.now + 20 + 60 * chance());
      if (!lab.say(a, b, `${last(a)}/${lab.now}`)) lab.connect(a, b);
      if (!lab.say(b, a, `${last(b)}/${lab.now}`)) lab.connect(b, a);
    };
    lab.weather = { loss: 0.3 * chance(), doubled: 0.1, delay: [5, 20 + 300 * chance()] };
    for (let i = 0; i < 120; i++) {
      talk();
      if (chance() < 0.05) a.sessions.close(b.name);
      if (chance() < 0.05) b.sessions.close(a.name);
    }
    lab.weather = { loss: 0, doubled: 0, delay: [10, 10] };
    for (let i = 0; i < 120; i++) talk();
    lab.settle();
    for (const node of [a, b]) {
      expect(new Set(node.texts).size).toBe(node.texts.length);
      let own = 0;
      const senders = new Map<number, string>();
      for (const output of node.outputs) {
        if (output.type === 'up') own = output.association;
        if (output.type !== 'payload') continue;
        const [sender = ''] = Buffer.from(output.bytes).toString().split('/');
        expect([seed, own, senders.get(own) ?? sender]).toEqual([seed, own, sender]);
        senders.set(own, sender);
      }
      expect(new Set(senders.values()).size).toBe(senders.size);
      begun += own;
    }
    const before = [a.texts.length, b.texts.length];
    talk();
    lab.settle();
    expect([a.texts.length, b.texts.length]).toEqual(before.map((count) => count + 1));
  }
  expect(begun).toBeGreaterThan(160);
});

describe('a side that had ended the association, and to which the other comes back while it still answers,', () => {
  test('is one that takes HINTs and renews keys, as any other', () => {
    const { lab, a, b } = connected(1, { keyLimits: { rekeyMs: 20_000, stopMs: 40_000 } });
    expectHeard(lab, a, b);
    a.sessions.retire(b.name);
    const back = lab.add(new Node(high, b.path, 'back', {}));
    lab.connect(back, a);
    lab.settle();
    expectHeard(lab, a, back);
    lab.run(lab.now + 10_000);
    const again = lab.add(new Node(high, b.path, 'again', {}));
    lab.say(a, again, 'into the void');
    lab.settle();
    expect(associations(a)).toEqual([
      [1, false],
      [2, true],
      [3, true],
    ]);
    // It has begun this one, so it is the one to renew it.
    const inits = (): number => ofType(lab.sent, 'init').filter(({ from }) => from === a.path).length;
    const before = inits();
    lab.run(lab.now + 25_000);
    expectHeard(lab, a, again);
    expect(inits()).toBeGreaterThan(before);
  });
});
