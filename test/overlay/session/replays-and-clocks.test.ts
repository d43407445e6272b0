/** A6, A12, A20, A23: what is told again, comes from elsewhere, or at another time. */
import { describe, expect, test } from 'vitest';
import { CertificateTrust } from '../../../transport/overlay/trust/trust.ts';
import { KEY_LIMITS } from '../../../transport/overlay/session/keys.ts';
import { DAY, NOW, world } from '../trust/world.ts';
import { specCookie, type Handshake } from './session-spec.ts';
import { connected, high, Lab, Node, ofType, two } from './lab.ts';

const stranger = 'udp:0/203.0.113.9:9';

test('A6: a COOKIE makes one INIT for each that was sent, however often it comes; one for another INIT or by another path makes none', () => {
  const { lab, a, b } = two();
  lab.blocks = ({ from }) => from === a.path;
  lab.connect(a, b);
  const [init] = ofType(lab.sent, 'init');
  const bytes = init?.bytes as Uint8Array;
  const index = Buffer.from(bytes).readUInt32LE(4);
  const cookie = (of: Uint8Array, value: number): Uint8Array =>
    specCookie({ responderKey: high.publicKey, initiator: { index } } as Handshake, of, Buffer.alloc(16, value));
  const stale = Uint8Array.from(bytes);
  stale[stale.length - 20] = (stale[stale.length - 20] as number) ^ 1;
  lab.inject(a, b.path, cookie(stale, 1));
  lab.inject(a, stranger, cookie(bytes, 1));
  expect([lab.sent.length, a.drops.cookie_unexpected]).toEqual([1, 2]);
  for (let i = 0; i < 100; i++) lab.inject(a, b.path, cookie(bytes, 1));
  expect([lab.sent.length, a.drops.cookie_unexpected]).toEqual([2, 101]);
  lab.run(lab.now + 310);
  expect(lab.sent.length).toBe(3);
  for (let i = 0; i < 100; i++) lab.inject(a, b.path, cookie(bytes, 2));
  expect(lab.sent.length).toBe(4);
  const macs = ofType(lab.sent, 'init').map(({ bytes: sent }) => Buffer.from(sent.subarray(-16)).toString('hex'));
  expect(macs[0]).toBe('00'.repeat(16));
  expect([macs[1] === macs[2], new Set(macs).size]).toEqual([true, 3]);
});

test('A12: a packet that is raced from another address is given with that address, once, and moves neither answers nor handshakes', () => {
  const { lab, a, b } = connected(1, { keyLimits: { rekeyPackets: 3 } });
  lab.blocks = ({ to }) => to === b.path;
  lab.say(a, b, 'raced');
  const raced = ofType(lab.sent, 'data').at(-1)?.bytes as Uint8Array;
  lab.blocks = () => false;
  lab.inject(b, stranger, raced);
  lab.inject(b, a.path, raced);
  expect(b.of('payload')).toMatchObject([{ from: stranger, isNewest: true }]);
  expect(b.drops.pn_replayed).toBe(1);
  const sent = lab.sent.length;
  for (const text of ['1', '2', '3', '4']) lab.say(a, b, text);
  lab.settle();
  expect(a.of('renewed').length).toBe(1);
  expect(lab.sent.slice(sent).filter(({ to }) => to === stranger)).toEqual([]);
  expect(b.texts).toEqual(['raced', '1', '2', '3', '4']);
});

describe('A23: clocks that jump', () => {
  const YEAR = 365 * DAY;

  test('by a year, either way, end no session, and make handshakes wait until they are right', async () => {
    const { network, authority, alice, mallory: bob, denyLists } = await world();
    let wallClock = NOW;
    const nodeOf = async (identity: typeof alice, path: string): Promise<Node> => {
      const trust = new CertificateTrust({ network, denyLists });
      trust.present(await authority.issue(identity.publicKey, {}, NOW), identity.publicKey, NOW);
      return new Node(identity, path, path, { trust, wallClock: () => wallClock });
    };
    for (const jump of [YEAR, -YEAR]) {
      const lab = new Lab();
      const a = lab.add(await nodeOf(alice, 'udp:0/10.0.0.1:1'));
      const b = lab.add(await nodeOf(bob, 'udp:0/10.0.0.2:1'));
      lab.connect(a, b);
      lab.settle();
      wallClock = NOW + jump;
      expect([lab.say(a, b, 'on'), lab.say(b, a, 'and on')]).toEqual([true, true]);
      lab.settle();
      expect([a.texts, b.texts]).toEqual([['and on'], ['on']]);
      lab.run(lab.now + KEY_LIMITS.stopMs);
      lab.connect(a, b);
      lab.run(lab.now + 10_000);
      expect(b.drops.refused).toBeGreaterThan(0);
      expect(lab.say(a, b, 'no')).toBe(false);
      wallClock = NOW;
      lab.connect(a, b);
      lab.run(lab.now + 1000);
      expect(a.of('up').at(-1)).toMatchObject({ association: 1, restarted: false });
      expect(lab.say(a, b, 'again')).toBe(true);
    }
  });
});

test('A20: whoever was revoked gets no new keys, neither as initiator nor as responder', async () => {
  const { network, authority, alice, mallory, denyLists } = await world();
  const nodeOf = async (identity: typeof alice, path: string): Promise<Node> => {
    const trust = new CertificateTrust({ network, denyLists });
    trust.present(await authority.issue(identity.publicKey, {}, NOW), identity.publicKey, NOW);
    return new Node(identity, path, path, { trust, wallClock: () => NOW });
  };
  const lab = new Lab();
  const a = lab.add(await nodeOf(alice, 'udp:0/10.0.0.1:1'));
  const m = lab.add(await nodeOf(mallory, 'udp:0/10.0.0.2:1'));
  lab.connect(m, a);
  lab.settle();
  const [up] = a.of('up');
  const member = up?.authorization.type === 'member' ? up.authorization : undefined;
  const trust = new CertificateTrust({ network, denyLists });
  expect(member !== undefined && trust.holds(mallory.publicKey, member, NOW)).toBe(true);
  authority.revoke([mallory.publicKey]);
  expect(member !== undefined && trust.holds(mallory.publicKey, member, NOW)).toBe(false);
  // The node closes the session; what comes under its keys is nothing, and no other handshake is answered.
  a.sessions.close(m.name);
  lab.say(m, a, 'still here?');
  lab.run(lab.now + 10_000);
  expect(a.texts).toEqual([]);
  expect(a.drops.refused).toBeGreaterThan(0);
  lab.connect(a, m);
  lab.run(lab.now + 1000);
  expect(a.of('failed')).toMatchObject([{ error: { code: 'NET_PEER_REFUSED', data: { reason: 'revoked' } } }]);
  expect(a.of('up').length).toBe(1);
});
