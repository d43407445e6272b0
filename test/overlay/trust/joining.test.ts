import { expect, test } from 'vitest';
import { parseInvite } from '../../../transport/overlay/trust/invite.ts';
import { acceptAnswer, parseJoinRequest } from '../../../transport/overlay/trust/join.ts';
import { JoiningTrust } from '../../../transport/overlay/trust/joining.ts';
import { CertificateTrust } from '../../../transport/overlay/trust/trust.ts';
import { NOW, world } from './world.ts';

const { network, authority, relay, alice, mallory, ca, denyLists } = await world();
const invite = parseInvite(authority.invite({ relayKey: relay.publicKey, endpoints: ['192.0.2.7:4000'] }, NOW), NOW);
const trust = new JoiningTrust(invite, 'alice');

test('a newcomer speaks in the network of its invite, and shows its request to join', () => {
  expect(trust.networkId).toEqual(network.networkId);
  expect(trust.psk).toEqual(new Uint8Array(32));
  expect(parseJoinRequest(trust.certificate)).toEqual({ type: 'join', token: invite.token, name: 'alice' });
});

test('it lets in the relay key of the invite and nobody else: no CA key, no twin, no part of the key', () => {
  expect(trust.authorize(relay.publicKey)).toEqual({
    type: 'member',
    roles: ['relay', 'admin'],
    certificate: undefined,
    untilMs: Number.POSITIVE_INFINITY,
  });
  expect(trust.holds(relay.publicKey)).toBe(true);
  const twin = relay.publicKey.with(31, (relay.publicKey[31] as number) ^ 0x80);
  for (const key of [alice.publicKey, mallory.publicKey, ca.publicKey, twin, relay.publicKey.subarray(1), new Uint8Array(0)]) {
    expect(trust.authorize(key)).toEqual({ type: 'refused', reason: 'not_invited' });
    expect(trust.holds(key)).toBe(false);
  }
});

test('what it shows makes it a guest at the authority, and the answer a member', async () => {
  const door = new CertificateTrust({ network, denyLists, guests: authority });
  expect(door.authorize(alice.publicKey, trust.certificate, NOW)).toEqual({ type: 'guest' });
  const answer = await authority.answer(alice.publicKey, trust.certificate, NOW);
  const { certificateBytes } = acceptAnswer(answer, invite, alice.publicKey, NOW);
  expect(door.authorize(alice.publicKey, certificateBytes, NOW)).toMatchObject({
    type: 'member',
    certificate: { name: 'alice' },
  });
});
