import { describe, expect, test } from 'vitest';
import { CODES } from '../../../core/errors.ts';
import { KEY_LIMITS } from '../../../transport/overlay/session/keys.ts';
import { connected, high, Lab, low, Node, ofType, pinnedTrust, third, two } from './lab.ts';

describe('a handshake', () => {
  test('brings both sides up with one INIT, one RESP and one empty packet', () => {
    const { lab, a, b } = connected(1, { observed: (from) => Buffer.from(from.slice(6, 14)) });
    expect(lab.sent.map(({ bytes }) => bytes[0])).toEqual([1, 2, 4]);
    const up = {
      type: 'up',
      association: 1,
      restarted: false,
      maxDatagram: 1452,
      authorization: { type: 'member', roles: ['node'] },
    };
    expect(a.outputs).toMatchObject([{ ...up, peer: b.name, from: b.path }]);
    expect(Buffer.from(a.of('up')[0]?.observed ?? []).toString()).toBe('10.0.0.1');
    expect(b.outputs).toMatchObject([{ ...up, peer: a.name, from: a.path }]);
    expect([lab.say(a, b, 'one'), lab.say(b, a, 'two')]).toEqual([true, true]);
    lab.settle();
    expect([a.texts, b.texts]).toEqual([['two'], ['one']]);
    expect(b.of('payload')[0]).toMatchObject({ peer: a.name, from: a.path, pn: 1, isNewest: true });
    expect([a.dropped, b.dropped]).toEqual([0, 0]);
  });

  test('tells how many bytes it took, for the 3x limit, if the first packet came by the path of the INIT', () => {
    const { lab, a, b } = connected();
    const [init = 0, resp = 0] = lab.sent.map(({ bytes }) => bytes.length);
    expect(a.of('up')[0]?.handshake).toEqual({ received: 0, sent: 0 });
    expect(b.of('up')[0]?.handshake).toEqual({ received: init, sent: resp });
    const other = two(2);
    other.lab.blocks = ({ bytes }) => bytes[0] === 4;
    other.lab.connect(other.a, other.b);
    other.lab.settle();
    other.lab.inject(other.b, 'udp:0/10.0.0.9:1', ofType(other.lab.sent, 'data')[0]?.bytes ?? new Uint8Array());
    expect(other.b.of('up')).toMatchObject([{ from: 'udp:0/10.0.0.9:1', handshake: { received: 0, sent: 0 } }]);
  });

  test('is not begun again while it is under way or keys are there; a new path is used at once', () => {
    const { lab, a, b } = two();
    lab.connect(a, b);
    lab.connect(a, b);
    expect(lab.sent.length).toBe(1);
    a.sessions.connect(lab.now, b.name, [b.path, 'relay:x']);
    expect(a.sessions.take()).toMatchObject([{ type: 'datagram', to: 'relay:x' }]);
    lab.settle();
    lab.connect(a, b);
    expect(ofType(lab.sent, 'init').length).toBe(1);
  });

  test('sends the same INIT after 250 ms, 500 ms, 1, 2 and 4 s, and fails at 10 s', () => {
    const lab = new Lab();
    const a = lab.add(new Node(low, 'udp:0/10.0.0.1:1', 'a'));
    const absent = new Node(high, 'udp:0/10.0.0.2:1', 'b');
    lab.connect(a, absent);
    lab.run(lab.now + 9999);
    expect(a.of('failed')).toEqual([]);
    lab.run(lab.now + 1);
    expect(a.of('failed')).toMatchObject([{ peer: absent.name, error: { code: 'NET_PEER_UNREACHABLE' } }]);
    expect(CODES.NET_PEER_UNREACHABLE.retryable).toBe(true);
    const inits = ofType(lab.sent, 'init');
    expect(inits.length).toBe(6);
    for (const { bytes } of inits) expect(bytes).toEqual(inits[0]?.bytes);
    const nominal = [250, 500, 1000, 2000, 4000];
    for (const [i, ms] of nominal.entries()) {
      const interval = (inits[i + 1]?.at ?? 0) - (inits[i]?.at ?? 0);
      expect(interval).toBeGreaterThanOrEqual(ms * 0.8);
      expect(interval).toBeLessThanOrEqual(ms * 1.2);
    }
    expect(a.sessions.nextAt()).toBe(Infinity);
  });

  test('gets the same RESP for the same INIT, and makes no other keys', () => {
    const { lab, a, b } = two();
    lab.connect(a, b);
    lab.run(lab.now + 10);
    const init = ofType(lab.sent, 'init')[0]?.bytes as Uint8Array;
    lab.inject(b, a.path, init);
    const [first, second, ...more] = ofType(lab.sent, 'resp');
    expect(more).toEqual([]);
    expect(second?.bytes).toEqual(first?.bytes);
    lab.settle();
    expect(a.drops.resp_unexpected).toBe(1);
    expect([a.of('up').length, b.of('up').length]).toEqual([1, 1]);
    lab.inject(b, a.path, init);
    expect(b.drops.init_answered).toBe(1);
    expect(ofType(lab.sent, 'resp').length).toBe(2);
  });

  test('is refused by both sides to who is not let in: silence, and an error', () => {
    const strict = pinnedTrust();
    strict.unpin(low.publicKey);
    const lab = new Lab();
    const a = lab.add(new Node(low, 'udp:0/10.0.0.1:1', 'a'));
    const b = lab.add(new Node(high, 'udp:0/10.0.0.2:1', 'b', { trust: strict }));
    lab.connect(a, b);
    lab.run(lab.now + 10_000);
    expect(b.drops.refused).toBe(6);
    expect(lab.sent.filter(({ from }) => from === b.path)).toEqual([]);
    lab.connect(b, a);
    lab.run(lab.now + 200);
    expect(b.of('failed')).toMatchObject([{ error: { code: 'NET_PEER_REFUSED', data: { reason: 'not_pinned' } } }]);
    expect(lab.say(b, a, 'no')).toBe(false);
  });

  test('is made with no key that a node may not have, nor with itself', () => {
    const { a } = two();
    for (const name of ['', 'zz', a.name, a.name.toUpperCase(), '00'.repeat(32)]) a.sessions.connect(0, name, ['x']);
    expect(a.sessions.take()).toMatchObject(
      Array.from({ length: 5 }, () => ({ type: 'failed', error: { code: 'NET_KEY_INVALID' } })),
    );
    expect(a.sessions.nextAt()).toBe(Infinity);
  });
});

describe('a peer that starts again', () => {
  test('begins another association, whoever speaks first', () => {
    for (const speaker of ['new', 'old'] as const) {
      const { lab, a, b } = connected();
      const again = lab.add(new Node(high, b.path, 'another start'));
      if (speaker === 'new') lab.connect(again, a);
      else lab.say(a, again, 'lost');
      const began = lab.now;
      lab.settle();
      expect(a.of('up').slice(1)).toMatchObject([{ peer: b.name, association: 2, restarted: true }]);
      expect(again.of('up')).toMatchObject([{ peer: a.name, association: 1, restarted: false }]);
      expect(lab.now - began).toBeLessThanOrEqual(100);
      expect([lab.say(a, again, 'hello'), lab.say(again, a, 'hello')]).toEqual([true, true]);
      lab.settle();
      expect([a.texts, again.texts]).toEqual([['hello'], ['hello']]);
    }
  });
});

describe('keys', () => {
  test('are renewed by who made them, with use, and packet numbers go on', () => {
    const { lab, a, b } = connected();
    for (let s = 0; s < 300; s++) {
      lab.run(lab.now + 1000);
      expect([lab.say(a, b, `a${s}`), lab.say(b, a, `b${s}`)]).toEqual([true, true]);
    }
    lab.settle();
    expect(ofType(lab.sent, 'init').map(({ from }) => from)).toEqual([a.path, a.path, a.path]);
    expect([a.texts.length, b.texts.length]).toEqual([300, 300]);
    for (const node of [a, b]) {
      const numbers = node.of('payload').map(({ pn }) => pn);
      expect(numbers).toEqual(numbers.toSorted((x, y) => x - y));
      expect(new Set(numbers).size).toBe(300);
      expect(node.of('payload').every(({ isNewest }) => isNewest)).toBe(true);
      expect(node.of('up').length).toBe(1);
      expect(node.of('renewed').length).toBe(2);
      expect(node.dropped).toBe(0);
    }
  });

  test('end after 180 s where they cannot be renewed, and without use; the association goes on', () => {
    const { lab, a, b } = connected();
    const end = lab.now + KEY_LIMITS.stopMs;
    lab.run(end);
    for (const node of [a, b]) {
      expect(node.of('down')).toMatchObject([{ reason: 'keys_spent' }]);
      expect(node.sessions.nextAt()).toBe(Infinity);
    }
    expect(ofType(lab.sent, 'init').length).toBe(1);
    expect(lab.say(a, b, 'no')).toBe(false);
    lab.connect(b, a);
    lab.settle();
    expect(a.of('up')).toMatchObject([{ association: 1 }, { association: 1, restarted: false }]);
    expect(b.of('up')).toMatchObject([{ association: 1 }, { association: 1, restarted: false }]);
    lab.say(a, b, 'on');
    lab.settle();
    expect(b.of('payload')[0]).toMatchObject({ pn: 1, isNewest: true });
  });

  test('are renewed by the paths that were set', () => {
    const { lab, a, b } = connected(1, { keyLimits: { rekeyPackets: 2 } });
    a.sessions.setPaths(b.name, ['relay:x']);
    lab.say(a, b, 'one');
    expect(lab.sent.at(-1)?.to).toBe('relay:x');
    // The handshake that is under way goes there, too, once.
    a.sessions.setPaths(b.name, ['relay:x', 'relay:y']);
    lab.say(a, b, 'two');
    expect(
      ofType(lab.sent, 'init')
        .map(({ to }) => to)
        .slice(1),
    ).toEqual(['relay:x', 'relay:y']);
  });

  test('and all else of a peer are gone after `close`', () => {
    const { lab, a, b } = connected();
    lab.connect(a, b);
    a.sessions.close(b.name);
    expect(lab.say(a, b, 'two')).toBe(false);
    a.sessions.tick(Infinity);
    expect(a.sessions.nextAt()).toBe(Infinity);
    lab.inject(a, b.path, b.sessions.seal(lab.now, a.name, new Uint8Array(0))?.packet as Uint8Array);
    expect(a.drops.index_unknown).toBe(1);
    expect(a.of('down')).toEqual([]);
  });
});

test('a stranger gets nothing', () => {
  const { lab, b } = two();
  const stranger = lab.add(new Node(third, 'udp:0/10.0.0.3:1', 'c'));
  lab.connect(stranger, b);
  lab.run(lab.now + 10_000);
  expect(lab.sent.filter(({ from }) => from === b.path)).toEqual([]);
  expect(b.drops.refused).toBe(6);
});
