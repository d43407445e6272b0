import { hkdfSync } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { Authority, INVITE_LIFE_MS } from '../../../transport/overlay/trust/authority.ts';
import { LIMITS, networkOf } from '../../../transport/overlay/trust/descriptor.ts';
import { parseInvite } from '../../../transport/overlay/trust/invite.ts';
import { joinRequest } from '../../../transport/overlay/trust/join.ts';
import { CertificateTrust, PinnedTrust } from '../../../transport/overlay/trust/trust.ts';
import { assertOnlyTakes, codeOf } from './hostile.ts';
import { DAY, fixedRandom, NOW, world } from './world.ts';

const NONE = new Uint8Array(0);
const pinned = networkOf({ name: 'pinned', caKeys: [], addressProfile: 'cheap', limits: LIMITS });

describe('trust by certificates', () => {
  test('lets in whom a certificate names, with its roles, until it ends', async () => {
    const { network, authority, alice } = await world();
    const trust = new CertificateTrust({ network });
    const shown = await authority.issue(alice.publicKey, { roles: ['node', 'relay'], name: 'alice' }, NOW);
    expect(trust.authorize(alice.publicKey, shown, NOW)).toEqual({
      type: 'member',
      roles: ['node', 'relay'],
      certificate: expect.objectContaining({ name: 'alice' }) as unknown,
      untilMs: NOW - 300_000 + DAY,
    });
    expect(trust.networkId).toBe(network.networkId);
  });

  test('refuses everyone else', async () => {
    const { network, authority, alice, mallory, denyLists, ca } = await world();
    const trust = new CertificateTrust({ network, denyLists });
    const shown = await authority.issue(alice.publicKey, {}, NOW);
    expect(trust.authorize(alice.publicKey, NONE, NOW)).toEqual({ type: 'refused', reason: 'no_certificate' });
    expect(trust.authorize(ca.publicKey, NONE, NOW)).toEqual({ type: 'refused', reason: 'no_certificate' });
    expect(trust.authorize(mallory.publicKey, shown, NOW)).toEqual({ type: 'refused', reason: 'wrong_key' });
    expect(trust.authorize(alice.publicKey, shown, NOW + DAY)).toEqual({ type: 'refused', reason: 'expired' });
    expect(trust.authorize(alice.publicKey, shown.subarray(1), NOW)).toEqual({ type: 'refused', reason: 'malformed' });
  });

  test('takes one form of a certificate only, and throws for none', async () => {
    const { network, authority, alice } = await world();
    const trust = new CertificateTrust({ network, guests: authority });
    const shown = await authority.issue(alice.publicKey, {}, NOW);
    assertOnlyTakes(shown, (bytes) => trust.authorize(alice.publicKey, bytes, NOW).type !== 'refused');
  });

  test('A20: a revoked key is refused from the moment the list is installed, whatever certificate it shows', async () => {
    const { network, authority, alice, denyLists, issuing } = await world();
    const trust = new CertificateTrust({ network });
    const issuer = authority.certifyIssuer(issuing.publicKey, {}, NOW);
    const byIssuer = new Authority({ network, signer: issuing, issuer, denyLists, random: fixedRandom() });
    const certificates = [
      await authority.issue(alice.publicKey, {}, NOW),
      await authority.issue(alice.publicKey, { name: 'other' }, NOW),
      await byIssuer.issue(alice.publicKey, {}, NOW),
    ];
    const typesOf = (): unknown[] => certificates.map((shown) => trust.authorize(alice.publicKey, shown, NOW).type);
    expect(typesOf()).toEqual(['member', 'member', 'member']);
    const list = authority.revoke([alice.publicKey]);
    expect(typesOf()).toEqual(['member', 'member', 'member']);
    expect(trust.denyLists.install(list)).toBe('installed');
    expect(typesOf()).toEqual(['refused', 'refused', 'refused']);
  });

  test('A17: goes by the key: whoever has the same address is somebody else', async () => {
    const { network, authority, alice, mallory, denyLists } = await world();
    const trust = new CertificateTrust({ network, denyLists });
    // Mallory's key as if it had alice's address: neither the certificate nor the revocation of one is that of the other.
    const [ofAlice, ofMallory] = [
      await authority.issue(alice.publicKey, {}, NOW),
      await authority.issue(mallory.publicKey, {}, NOW),
    ];
    expect(trust.authorize(mallory.publicKey, ofAlice, NOW)).toEqual({ type: 'refused', reason: 'wrong_key' });
    authority.revoke([mallory.publicKey]);
    expect(trust.authorize(mallory.publicKey, ofMallory, NOW)).toEqual({ type: 'refused', reason: 'revoked' });
    expect(trust.authorize(alice.publicKey, ofAlice, NOW)).toMatchObject({ type: 'member' });
  });

  test('shows the own certificate when it holds, and keeps the one before when the next does not', async () => {
    const { network, authority, alice, mallory } = await world();
    const trust = new CertificateTrust({ network });
    expect(trust.certificate).toBeUndefined();
    const own = Buffer.from(await authority.issue(alice.publicKey, { name: 'alice' }, NOW));
    expect(trust.present(own, alice.publicKey, NOW)).toMatchObject({ name: 'alice' });
    expect(trust.certificate).toEqual(Uint8Array.from(own));
    const foreign = await authority.issue(mallory.publicKey, {}, NOW);
    expect(codeOf(() => trust.present(foreign, alice.publicKey, NOW))).toEqual([
      'NET_CERTIFICATE_INVALID',
      'the certificate of this node does not hold: it is of another key',
    ]);
    expect(codeOf(() => trust.present(own, alice.publicKey, NOW + DAY))[1]).toContain('is the clock of this machine right?');
    const before = Uint8Array.from(own);
    own.fill(0);
    expect(trust.certificate).toEqual(before);
  });

  test('is not to be had without a CA key', () => {
    expect(() => new CertificateTrust({ network: pinned })).toThrow(/'pinned' has no CA key/);
  });
});

describe('guests', () => {
  test('come in only at an authority: with an invite, or to renew; and are no members', async () => {
    const { network, authority, alice, mallory, relay, denyLists } = await world();
    const door = new CertificateTrust({ network, denyLists, guests: authority });
    const member = new CertificateTrust({ network, denyLists });
    const text = authority.invite({ relayKey: relay.publicKey, endpoints: ['192.0.2.7:4000'] }, NOW);
    const newcomer = new CertificateTrust({ network });
    newcomer.presentAsGuest(joinRequest(parseInvite(text, NOW), 'alice'));
    const request = newcomer.certificate as Uint8Array;
    expect(door.authorize(alice.publicKey, request, NOW)).toEqual({ type: 'guest' });
    expect(member.authorize(alice.publicKey, request, NOW)).toEqual({ type: 'refused', reason: 'malformed' });
    expect(door.authorize(alice.publicKey, request, NOW + INVITE_LIFE_MS)).toEqual({ type: 'refused', reason: 'malformed' });

    const expired = await authority.issue(alice.publicKey, {}, NOW - 2 * DAY);
    expect(door.authorize(alice.publicKey, expired, NOW)).toEqual({ type: 'guest' });
    expect(member.authorize(alice.publicKey, expired, NOW)).toEqual({ type: 'refused', reason: 'expired' });
    expect(door.authorize(mallory.publicKey, expired, NOW)).toEqual({ type: 'refused', reason: 'wrong_key' });
    expect(door.authorize(mallory.publicKey, NONE, NOW)).toEqual({ type: 'refused', reason: 'no_certificate' });

    authority.revoke([alice.publicKey]);
    const open = new CertificateTrust({ network, denyLists, guests: { admits: () => true } });
    expect(open.authorize(mallory.publicKey, request, NOW)).toEqual({ type: 'guest' });
    for (const trust of [door, open])
      expect(trust.authorize(alice.publicKey, request, NOW)).toEqual({ type: 'refused', reason: 'revoked' });
    expect(door.authorize(alice.publicKey, expired, NOW)).toEqual({ type: 'refused', reason: 'revoked' });
  });
});

describe('trust by pins', () => {
  test('lets in the keys that are pinned, and nobody else, whatever they show', async () => {
    const { alice, mallory, authority } = await world();
    const trust = new PinnedTrust({ network: pinned });
    expect(trust.authorize(alice.publicKey)).toEqual({ type: 'refused', reason: 'not_pinned' });
    trust.pin(alice.publicKey);
    trust.pin(mallory.publicKey, ['node', 'relay']);
    const member = { type: 'member', certificate: undefined, untilMs: Number.POSITIVE_INFINITY };
    expect(trust.authorize(alice.publicKey)).toEqual({ ...member, roles: ['node'] });
    expect(trust.authorize(mallory.publicKey)).toEqual({ ...member, roles: ['node', 'relay'] });
    trust.unpin(mallory.publicKey);
    expect(trust.authorize(mallory.publicKey)).toEqual({ type: 'refused', reason: 'not_pinned' });
    expect([trust.certificate, trust.networkId]).toEqual([undefined, pinned.networkId]);
    expect(authority.isCa).toBe(true);
  });

  test('A8: pins no key that no member may have', () => {
    const trust = new PinnedTrust({ network: pinned });
    for (const key of [new Uint8Array(32), new Uint8Array(31), new Uint8Array(32).fill(0xff)])
      expect(codeOf(() => trust.pin(key))[0]).toBe('NET_KEY_INVALID');
  });
});

describe('the secret of a network', () => {
  test('gives the same key to all members, another one in each network, and zeros where there is none', async () => {
    const { network } = await world();
    const secret = fixedRandom('secret')(16);
    const psks = [
      new CertificateTrust({ network, secret }).psk,
      new PinnedTrust({ network, secret }).psk,
      new PinnedTrust({ network: pinned, secret }).psk,
    ].map((psk) => Buffer.from(psk).toString('hex'));
    expect(psks[0]).toBe(Buffer.from(hkdfSync('sha256', secret, network.networkId, 'OVL1/psk', 32)).toString('hex'));
    expect(psks[1]).toBe(psks[0]);
    expect(psks[2]).not.toBe(psks[0]);
    expect(new CertificateTrust({ network }).psk).toEqual(new Uint8Array(32));
    expect(() => new PinnedTrust({ network, secret: secret.subarray(1) })).toThrow(/at least 16 bytes/);
  });
});
