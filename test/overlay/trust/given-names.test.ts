import { describe, expect, test } from 'vitest';
import { isMeshError } from '../../../core/errors.ts';
import { Authority } from '../../../transport/overlay/trust/authority.ts';
import { parseInvite } from '../../../transport/overlay/trust/invite.ts';
import { joinRequest, parseJoinAnswer, renewRequest, type JoinAnswer } from '../../../transport/overlay/trust/join.ts';
import { GivenNames, NAMES_MAX, NAMES_OF_KEY_MAX } from '../../../transport/overlay/trust/given-names.ts';
import type { Identity } from '../../../transport/overlay/identity/identity.ts';
import { fixedRandom, NOW, world, type World } from './world.ts';

const keyOf = (i: number): Uint8Array => new Uint8Array(32).with(0, i & 0xff).with(1, i >> 8);
const none = (): boolean => false;

describe('a name', () => {
  test('is of the first key that it was given to, whatever its capitals, and of another when that was revoked', () => {
    const names = new GivenNames([]);
    expect(names.give('Alice', keyOf(1), none)).toBe('given');
    expect(names.give('alice', keyOf(2), none)).toBe('taken');
    expect(names.give('alice', keyOf(1), none)).toBe('given');
    expect(names.all()).toEqual([{ name: 'alice', publicKey: Buffer.from(keyOf(1)).toString('hex') }]);
    expect(names.give('ALICE', keyOf(2), (key) => key[0] === 1)).toBe('given');
    expect(names.give('alice', keyOf(1), none)).toBe('taken');
    expect(names.all()).toHaveLength(1);
  });

  test('is kept with at most three others of its key', () => {
    const names = new GivenNames([]);
    for (let i = 0; i < NAMES_OF_KEY_MAX; i++) expect(names.give(`n${i}`, keyOf(1), none)).toBe('given');
    expect(names.give('more', keyOf(1), none)).toBe('full');
    expect(names.give('n0', keyOf(1), none)).toBe('given');
    expect(names.give('more', keyOf(2), none)).toBe('given');
    // Nor is one taken over beyond that.
    expect(names.give('more', keyOf(1), (key) => key[0] === 2)).toBe('full');
  });

  test('is one of at most 16,384, and those of revoked keys make room', () => {
    const names = new GivenNames(
      Array.from({ length: NAMES_MAX }, (_, i) => ({ name: `n${i}`, publicKey: Buffer.from(keyOf(i)).toString('hex') })),
    );
    const late = new Uint8Array(32).fill(9);
    expect(names.give('late', late, none)).toBe('full');
    expect(names.give('n5', keyOf(5), none)).toBe('given');
    expect(names.all()).toHaveLength(NAMES_MAX);
    expect(names.give('late', late, (key) => key[0] === 7)).toBe('given');
    expect(names.all()).toHaveLength(NAMES_MAX - NAMES_MAX / 256 + 1);
  });
});

describe('an authority', () => {
  const codeOf = async (promise: Promise<unknown>): Promise<unknown> =>
    promise.then(
      () => 'given',
      (error: unknown) => (isMeshError(error) ? error.code : error),
    );
  const request = (w: World, name: string): Uint8Array =>
    joinRequest(parseInvite(w.authority.invite({ relayKey: w.relay.publicKey, endpoints: ['192.0.2.7:4000'] }, NOW), NOW), name);
  const ask = async (from: Authority, who: Identity, bytes: Uint8Array): Promise<JoinAnswer | undefined> =>
    parseJoinAnswer(await from.answer(who.publicKey, bytes, NOW));

  test('certifies no second key under a name, over a restart, until the first was revoked; none needs a name', async () => {
    const w = await world();
    const { authority, alice, mallory, network, ca, denyLists } = w;
    await authority.issue(alice.publicKey, { name: 'alice' }, NOW);
    expect(await codeOf(authority.issue(mallory.publicKey, { name: 'alice' }, NOW))).toBe('NET_NAME_TAKEN');
    const state = JSON.parse(JSON.stringify(authority.state())) as ReturnType<Authority['state']>;
    const again = new Authority({ network, signer: ca, denyLists, random: fixedRandom(), state });
    expect(await codeOf(again.issue(mallory.publicKey, { name: 'Alice' }, NOW))).toBe('NET_NAME_TAKEN');
    expect(await codeOf(again.issue(alice.publicKey, { name: 'alice' }, NOW))).toBe('given');
    for (const { publicKey } of [alice, mallory]) expect(await codeOf(again.issue(publicKey, {}, NOW))).toBe('given');
    again.revoke([alice.publicKey]);
    expect(await codeOf(again.issue(mallory.publicKey, { name: 'alice' }, NOW))).toBe('given');
  });

  test('refuses a newcomer with the name of another, who may ask again with another name; of two at once one has it', async () => {
    const w = await world();
    const invite = parseInvite(w.authority.invite({ relayKey: w.relay.publicKey, endpoints: ['192.0.2.7:4000'] }, NOW), NOW);
    const answers = await Promise.all([
      ask(w.authority, w.alice, request(w, 'editor')),
      ask(w.authority, w.mallory, joinRequest(invite, 'editor')),
    ]);
    expect(answers).toMatchObject([{ type: 'granted' }, { type: 'refused', reason: 'name_taken' }]);
    expect(await ask(w.authority, w.mallory, joinRequest(invite, 'writer'))).toMatchObject({ type: 'granted' });
  });

  test('gives one newcomer a few names, not all of them', async () => {
    const w = await world();
    const invite = parseInvite(w.authority.invite({ relayKey: w.relay.publicKey, endpoints: ['192.0.2.7:4000'] }, NOW), NOW);
    const types: (string | undefined)[] = [];
    for (let i = 0; i <= NAMES_OF_KEY_MAX; i++)
      types.push((await ask(w.authority, w.mallory, joinRequest(invite, `n${i}`)))?.type);
    expect(types).toEqual([...Array.from({ length: NAMES_OF_KEY_MAX }, () => 'granted'), 'refused']);
  });

  test('renews a certificate with its name, and not where another key has come to it since', async () => {
    const w = await world();
    const elsewhere = new Authority({ ...w, signer: w.ca, random: fixedRandom('elsewhere') });
    const held = await elsewhere.issue(w.alice.publicKey, { name: 'alice' }, NOW);
    expect(await ask(w.authority, w.alice, renewRequest(held))).toMatchObject({ type: 'granted' });
    expect(await ask(w.authority, w.mallory, request(w, 'alice'))).toMatchObject({ reason: 'name_taken' });
    const late = new Authority({ ...w, signer: w.ca, random: fixedRandom('late') });
    await late.issue(w.mallory.publicKey, { name: 'alice' }, NOW);
    expect(await ask(late, w.alice, renewRequest(held))).toMatchObject({ reason: 'name_taken' });
  });
});
