import { describe, expect, test } from 'vitest';
import { isMeshError, type ErrorCode } from '../../../core/errors.ts';
import { Authority, INVITE_LIFE_MS, ISSUER_LIFE_MS, RENEWAL_GRACE_MS } from '../../../transport/overlay/trust/authority.ts';
import { verifyCertificate, type Certificate, type CertificateFault } from '../../../transport/overlay/trust/certificate.ts';
import { DENIED_KEYS_MAX, DenyLists, signDenyList } from '../../../transport/overlay/trust/deny-list.ts';
import { LIMITS, networkOf } from '../../../transport/overlay/trust/descriptor.ts';
import { pack } from '../../../transport/overlay/trust/encoding.ts';
import { parseInvite, type Invite } from '../../../transport/overlay/trust/invite.ts';
import {
  acceptAnswer,
  joinAnswer,
  joinRequest,
  parseJoinAnswer,
  parseJoinRequest,
  renewRequest,
  type JoinAnswer,
} from '../../../transport/overlay/trust/join.ts';
import type { Identity } from '../../../transport/overlay/identity/identity.ts';
import { assertOnlyTakes, codeOf } from './hostile.ts';
import { DAY, fixedRandom, HOUR, NOW, world, type World } from './world.ts';

const RELAY = { endpoints: ['192.0.2.7:4000'] };
const MINUTE = 60_000;
const twinOf = (key: Uint8Array): Uint8Array => key.map((byte, i) => (i === 31 ? byte ^ 0x80 : byte));

const rejects = async (promise: Promise<unknown>): Promise<ErrorCode | undefined> =>
  promise.then(
    () => undefined,
    (error: unknown) => (isMeshError(error) ? error.code : Promise.reject(error)),
  );

const verify = ({ network, denyLists }: World, bytes: Uint8Array, key: Uint8Array, at = NOW): Certificate | CertificateFault =>
  verifyCertificate(bytes, network, key, at, (denied) => denyLists.has(denied));

function issuingOf(
  w: World,
  roles: readonly ('node' | 'relay' | 'admin')[] = ['node', 'relay'],
  lifeMs = ISSUER_LIFE_MS,
): Authority {
  const issuer = w.authority.certifyIssuer(w.issuing.publicKey, { roles, name: 'office' }, NOW, lifeMs);
  return new Authority({ ...w, signer: w.issuing, issuer, random: fixedRandom('issuing') });
}

const inviteOf = (w: World, from = w.authority, at = NOW): Invite => {
  const text = from.invite({ ...RELAY, relayKey: w.relay.publicKey }, at);
  return parseInvite(text, at);
};

const answerOf = async (from: Authority, who: Identity, request: Uint8Array, at = NOW): Promise<JoinAnswer> =>
  parseJoinAnswer(await from.answer(who.publicKey, request, at)) as JoinAnswer;

describe('an authority', () => {
  test('certifies a key: a day in all, from five minutes ago, with the address of the key', async () => {
    const w = await world();
    const bytes = await w.authority.issue(w.alice.publicKey, { name: 'alice', roles: ['relay', 'node'] }, NOW);
    expect(verify(w, bytes, w.alice.publicKey)).toMatchObject({
      address: w.alice.address,
      name: 'alice',
      roles: ['node', 'relay'],
      notBeforeMs: NOW - 5 * MINUTE,
      notAfterMs: NOW - 5 * MINUTE + DAY,
      issuer: undefined,
    });
  });

  test('gives each certificate a serial of its own', async () => {
    const w = await world();
    const [a, b] = [await w.authority.issue(w.alice.publicKey, {}, NOW), await w.authority.issue(w.alice.publicKey, {}, NOW)];
    const serials = [a, b].map((bytes) => (verify(w, bytes, w.alice.publicKey) as Certificate).serial);
    expect(serials[0]).not.toBe(serials[1]);
  });

  test('begins certificates of a short life a quarter of it ago', async () => {
    const { ca, alice } = await world();
    const network = networkOf({
      name: 'short',
      caKeys: [ca.publicKey],
      addressProfile: 'cheap',
      limits: { ...LIMITS, certificateLifeMs: 4 * MINUTE },
    });
    const denyLists = new DenyLists(network);
    const authority = new Authority({ network, signer: ca, denyLists, random: fixedRandom() });
    const bytes = await authority.issue(alice.publicKey, {}, NOW);
    expect(verifyCertificate(bytes, network, alice.publicKey, NOW, () => false)).toMatchObject({
      notBeforeMs: NOW - MINUTE,
      notAfterMs: NOW + 3 * MINUTE,
    });
  });

  test('lets an issuing key certify in its place: what that was given, and no longer', async () => {
    const w = await world();
    const issuing = issuingOf(w, ['node', 'relay'], HOUR);
    expect([w.authority.isCa, issuing.isCa]).toEqual([true, false]);
    const bytes = await issuing.issue(w.alice.publicKey, { roles: ['relay'] }, NOW);
    expect(verify(w, bytes, w.alice.publicKey)).toMatchObject({
      roles: ['relay'],
      notAfterMs: NOW + HOUR,
      issuer: { name: 'office' },
    });
    expect(await rejects(issuing.issue(w.alice.publicKey, { roles: ['admin'] }, NOW))).toBe('NET_AUTHORITY_INVALID');
    expect(await rejects(issuing.issue(w.alice.publicKey, {}, NOW + HOUR))).toBe('NET_AUTHORITY_INVALID');
    expect(codeOf(() => issuing.invite({ ...RELAY, relayKey: w.relay.publicKey }, NOW, ['admin']))).toEqual([
      'NET_AUTHORITY_INVALID',
      'this key may not do it: it may give the roles node, relay, and not admin',
    ]);
  });

  test('A20: is no authority with an issuing key that was revoked, and neither are those whom it has certified', async () => {
    const w = await world();
    const issuing = issuingOf(w);
    const bytes = await issuing.issue(w.alice.publicKey, {}, NOW);
    w.authority.revoke([w.issuing.publicKey]);
    expect(await rejects(issuing.issue(w.mallory.publicKey, {}, NOW))).toBe('NET_AUTHORITY_INVALID');
    expect(verify(w, bytes, w.alice.publicKey)).toBe('revoked');
  });

  test('A20: does with an issuing key nothing that takes a CA key', async () => {
    const w = await world();
    const issuing = issuingOf(w);
    expect(codeOf(() => issuing.revoke([w.alice.publicKey]))[0]).toBe('NET_AUTHORITY_INVALID');
    expect(codeOf(() => issuing.certifyIssuer(w.mallory.publicKey, {}, NOW))[0]).toBe('NET_AUTHORITY_INVALID');
    expect(codeOf(() => new Authority({ ...w, signer: w.mallory, random: fixedRandom() }))).toEqual([
      'NET_AUTHORITY_INVALID',
      "this key is no CA key of the network 'newsroom'",
    ]);
  });

  test('revokes: each list has the keys of the one before and the next number, and the key is certified no more', async () => {
    const w = await world();
    const lists = [[w.alice], [w.mallory, w.alice]].map((who) => w.authority.revoke(who.map(({ publicKey }) => publicKey)));
    const elsewhere = new DenyLists(w.network);
    expect(
      lists.map((list) => [
        elsewhere.install(list),
        elsewhere.of(w.ca.publicKey).number,
        elsewhere.of(w.ca.publicKey).keys.length,
      ]),
    ).toEqual([
      ['installed', 1, 1],
      ['installed', 2, 2],
    ]);
    expect(await rejects(w.authority.issue(w.alice.publicKey, {}, NOW))).toBe('NET_KEY_REVOKED');
    expect(codeOf(() => w.authority.certifyIssuer(w.alice.publicKey, {}, NOW))[0]).toBe('NET_KEY_REVOKED');
  });

  test('says so when the deny list is full, and the list stays', async () => {
    const w = await world();
    const keys = Array.from({ length: DENIED_KEYS_MAX }, (_, i) => new Uint8Array(32).fill(i & 0xff).with(0, i >> 8));
    w.denyLists.install(signDenyList(w.ca, w.network.networkId, 1, keys));
    expect(codeOf(() => w.authority.revoke([w.alice.publicKey]))).toEqual([
      'NET_AUTHORITY_INVALID',
      expect.stringContaining('at most 4096'),
    ]);
    expect(w.denyLists.of(w.ca.publicKey).number).toBe(1);
  });

  test.each([
    ['of small order', new Uint8Array(32)],
    ['of one byte', new Uint8Array(1)],
  ])('A8: certifies no key %s', async (_, key) => {
    const { authority } = await world();
    expect(await rejects(authority.issue(key, {}, NOW))).toBe('NET_KEY_INVALID');
    expect(codeOf(() => authority.certifyIssuer(key, {}, NOW))[0]).toBe('NET_KEY_INVALID');
  });

  test('A8: certifies no twin of a key, with which a revoked member could come back', async () => {
    const { authority, alice } = await world();
    authority.revoke([alice.publicKey]);
    expect(await rejects(authority.issue(twinOf(alice.publicKey), {}, NOW))).toBe('NET_KEY_INVALID');
  });
});

describe('who is invited', () => {
  test('joins: gets a certificate and all that is to be known of the network', async () => {
    const w = await world();
    w.authority.revoke([w.mallory.publicKey]);
    const invite = inviteOf(w);
    const answer = await w.authority.answer(w.alice.publicKey, joinRequest(invite, 'alice'), NOW);
    const joined = acceptAnswer(answer, invite, w.alice.publicKey, NOW);
    expect(joined.network).toEqual(w.network);
    expect(joined.certificate).toMatchObject({ name: 'alice', roles: ['node'], publicKey: w.alice.publicKey });
    expect(verify(w, joined.certificateBytes, w.alice.publicKey)).toEqual(joined.certificate);
    expect(joined.denyLists.has(w.mallory.publicKey)).toBe(true);
  });

  test('joins by an issuing key with the roles of the invite, over a restart of the authority', async () => {
    const w = await world();
    const issuer = w.authority.certifyIssuer(w.issuing.publicKey, { roles: ['node', 'relay'] }, NOW);
    const options = { ...w, signer: w.issuing, issuer, random: fixedRandom('issuing') };
    const before = new Authority(options);
    const text = before.invite({ ...RELAY, relayKey: w.relay.publicKey }, NOW, ['node', 'relay']);
    const state = JSON.parse(JSON.stringify(before.state())) as ReturnType<Authority['state']>;
    const invite = parseInvite(text, NOW);
    const answer = await new Authority({ ...options, state }).answer(w.alice.publicKey, joinRequest(invite, ''), NOW);
    expect(acceptAnswer(answer, invite, w.alice.publicKey, NOW).certificate).toMatchObject({
      roles: ['node', 'relay'],
      name: '',
    });
  });

  test('leaves the authority without the token: it knows the hash', async () => {
    const w = await world();
    const { token } = inviteOf(w);
    expect(JSON.stringify(w.authority.state())).not.toContain(Buffer.from(token).toString('hex'));
    expect(w.authority.state().invites).toMatchObject([{ expiresMs: NOW + INVITE_LIFE_MS, roles: ['node'] }]);
  });

  test('may ask again, and nobody else may: an invite is of the first key that uses it', async () => {
    const w = await world();
    const request = joinRequest(inviteOf(w), '');
    expect(w.authority.admits(w.mallory.publicKey, request, NOW)).toBe(true);
    // Both at once: the first has it.
    const answers = await Promise.all([answerOf(w.authority, w.alice, request), answerOf(w.authority, w.mallory, request)]);
    expect(answers).toMatchObject([{ type: 'granted' }, { type: 'refused', reason: 'invite_used' }]);
    expect(await answerOf(w.authority, w.alice, request)).toMatchObject({ type: 'granted' });
    expect(w.authority.admits(w.alice.publicKey, request, NOW)).toBe(true);
    expect(w.authority.admits(w.mallory.publicKey, request, NOW)).toBe(false);
    const { network, ca: signer, denyLists } = w;
    const again = new Authority({ network, signer, denyLists, random: fixedRandom(), state: w.authority.state() });
    expect(await answerOf(again, w.mallory, request)).toMatchObject({ reason: 'invite_used' });
  });

  test.each([
    ['expired', NOW + INVITE_LIFE_MS],
    ['by a clock that is none', Number.NaN],
  ])('is refused when the invite has %s', async (_, at) => {
    const w = await world();
    const request = joinRequest(inviteOf(w), '');
    expect(w.authority.admits(w.alice.publicKey, request, at)).toBe(false);
    expect(await answerOf(w.authority, w.alice, request, at)).toEqual({ type: 'refused', reason: 'invite_unknown' });
  });

  test('is refused with a token that nobody has given, with a revoked key, and by an authority that has expired', async () => {
    const w = await world();
    const invite = inviteOf(w);
    const guess = joinRequest({ ...invite, token: new Uint8Array(16) }, '');
    expect(await answerOf(w.authority, w.alice, guess)).toMatchObject({ reason: 'invite_unknown' });
    expect(await answerOf(w.authority, w.alice, pack([1, 'join']))).toMatchObject({ reason: 'malformed' });
    const issuing = issuingOf(w, ['node'], 5 * MINUTE);
    const late = joinRequest(inviteOf(w, issuing), '');
    expect(await answerOf(issuing, w.alice, late, NOW + 5 * MINUTE)).toMatchObject({ reason: 'authority_unfit' });
    const twin = { ...w.alice, publicKey: twinOf(w.alice.publicKey) };
    expect(await answerOf(w.authority, twin, joinRequest(inviteOf(w), ''))).toMatchObject({ reason: 'key_unusable' });
    w.authority.revoke([w.alice.publicKey]);
    expect(await answerOf(w.authority, w.alice, joinRequest(invite, ''))).toMatchObject({ reason: 'key_revoked' });
    expect(w.authority.admits(w.alice.publicKey, joinRequest(invite, ''), NOW)).toBe(false);
  });

  test('leaves no open invite behind when it has expired', async () => {
    const w = await world();
    inviteOf(w);
    inviteOf(w, w.authority, NOW + INVITE_LIFE_MS);
    expect(w.authority.state().invites).toHaveLength(1);
  });

  test('believes no answer that does not hold', async () => {
    const w = await world();
    const invite = inviteOf(w);
    const granted = await answerOf(w.authority, w.alice, joinRequest(invite, ''));
    if (granted.type !== 'granted') throw new Error('not granted');
    const other = networkOf({ ...w.network, caKeys: [w.mallory.publicKey] });
    const accept = (
      answer: Uint8Array,
      expected: { networkId: Uint8Array; caKey?: Uint8Array } = invite,
    ): readonly [string, string] => codeOf(() => acceptAnswer(answer, expected, w.alice.publicKey, NOW));
    const refusals = [
      accept(pack([1, 'granted'])),
      accept(joinAnswer({ ...granted, descriptor: other.bytes })),
      accept(joinAnswer({ ...granted, descriptor: granted.descriptor.subarray(1) })),
      accept(joinAnswer({ ...granted, descriptor: pack([2, 'n', [], 'cheap', 1, [1, 1, 1]]) })),
      accept(joinAnswer(granted), { ...invite, caKey: w.mallory.publicKey }),
      accept(joinAnswer({ ...granted, denyLists: [signDenyList(w.mallory, w.network.networkId, 1, [])] })),
      accept(joinAnswer({ ...granted, denyLists: [signDenyList(w.ca, w.network.networkId, 1, [w.alice.publicKey])] })),
      accept(joinAnswer({ ...granted, certificate: await w.authority.issue(w.relay.publicKey, {}, NOW) })),
      accept(joinAnswer({ type: 'refused', reason: 'invite_used' })),
      accept(joinAnswer({ type: 'refused', reason: 'constructor' })),
    ];
    expect(refusals.map(([code]) => code)).toEqual(refusals.map(() => 'NET_JOIN_REFUSED'));
    expect(refusals.map(([, message]) => message)).toEqual([
      'the answer cannot be read',
      'the answer describes another network',
      'the answer describes another network',
      'the network needs a newer version of Reprise',
      'the CA key of the invite is none of the network',
      'a deny list in the answer does not hold: its key is no CA key of the network',
      'the certificate in the answer does not hold: the key, or the key that issued it, was revoked',
      'the certificate in the answer does not hold: it is of another key',
      'the authority of the network refuses: the invite was used by another key',
      'the authority of the network refuses: constructor',
    ]);
  });
});

describe('a member', () => {
  test('renews its certificate, with its roles and its name', async () => {
    const w = await world();
    const old = await w.authority.issue(w.alice.publicKey, { roles: ['relay'], name: 'alice' }, NOW);
    const later = NOW + 12 * HOUR;
    const answer = await issuingOf(w).answer(w.alice.publicKey, renewRequest(old), later);
    expect(acceptAnswer(answer, w.network, w.alice.publicKey, later).certificate).toMatchObject({
      roles: ['relay'],
      name: 'alice',
      notAfterMs: later - 5 * MINUTE + DAY,
    });
  });

  test('comes back and renews a month after its certificate has expired, and not later', async () => {
    const w = await world();
    const old = await w.authority.issue(w.alice.publicKey, {}, NOW);
    const end = NOW - 5 * MINUTE + DAY + RENEWAL_GRACE_MS;
    for (const [at, isIn] of [
      [NOW + 2 * DAY, true],
      [end - 1, true],
      [end, false],
      [Number.NaN, false],
    ] as const) {
      expect(w.authority.admits(w.alice.publicKey, old, at), `${at}`).toBe(isIn);
      expect((await answerOf(w.authority, w.alice, renewRequest(old), at)).type).toBe(isIn ? 'granted' : 'refused');
    }
  });

  test('A20: does not renew with a revoked key, with the certificate of another, or with one that never held', async () => {
    const w = await world();
    const old = await w.authority.issue(w.alice.publicKey, {}, NOW);
    const at = NOW + 2 * DAY;
    expect(await answerOf(w.authority, w.mallory, renewRequest(old), at)).toMatchObject({ reason: 'certificate_refused' });
    const forged = old.with(old.length - 1, (old.at(-1) as number) ^ 1);
    expect(await answerOf(w.authority, w.alice, renewRequest(forged), at)).toMatchObject({ reason: 'certificate_refused' });
    expect(w.authority.admits(w.alice.publicKey, forged, at)).toBe(false);
    w.authority.revoke([w.alice.publicKey]);
    expect(await answerOf(w.authority, w.alice, renewRequest(old), at)).toMatchObject({ reason: 'key_revoked' });
    expect(w.authority.admits(w.alice.publicKey, old, at)).toBe(false);
  });
});

describe('requests and answers', () => {
  test('are read back', async () => {
    const { ca } = await world();
    const granted = { type: 'granted', descriptor: ca.publicKey, certificate: ca.publicKey, denyLists: [ca.publicKey] } as const;
    expect(parseJoinAnswer(joinAnswer(granted))).toEqual(granted);
    expect(parseJoinAnswer(joinAnswer({ type: 'refused', reason: 'no' }))).toEqual({ type: 'refused', reason: 'no' });
    expect(parseJoinRequest(renewRequest(ca.publicKey))).toEqual({ type: 'renew', certificate: ca.publicKey });
  });

  test('have one form: what is made of them reads as something else or not at all, and nothing throws', async () => {
    const { ca } = await world();
    const token = new Uint8Array(16);
    const join = { networkId: ca.publicKey, relayKey: ca.publicKey, endpoints: [], caKey: ca.publicKey, token, expiresMs: 0 };
    const isJoin = (bytes: Uint8Array): boolean => {
      const request = parseJoinRequest(bytes);
      return request?.type === 'join' && request.name === 'alice' && request.token.every((byte) => byte === 0);
    };
    assertOnlyTakes(joinRequest(join, 'alice'), isJoin);
    const refused = joinAnswer({ type: 'refused', reason: 'no' });
    assertOnlyTakes(refused, (bytes) => {
      const answer = parseJoinAnswer(bytes);
      return answer?.type === 'refused' && answer.reason === 'no';
    });
    const short = Uint8Array.from([1, 2, 3]);
    const granted = joinAnswer({ type: 'granted', descriptor: short, certificate: short, denyLists: [short] });
    assertOnlyTakes(granted, (bytes) => {
      const answer = parseJoinAnswer(bytes);
      const parts = answer?.type === 'granted' ? [answer.descriptor, answer.certificate, ...answer.denyLists] : [];
      return parts.length === 3 && parts.every((part) => Buffer.compare(part, short) === 0);
    });
  });
});
