/** All members that are registered: at one relay in pages, and at several, each of which has others. */
import { describe, expect, test } from 'vitest';
import type { Identity } from '../../../transport/overlay/identity/identity.ts';
import { buildFinds, buildResolve, parseRecordBody, RECORDS_MAX } from '../../../transport/overlay/relay/bodies.ts';
import type { PublicKey } from '../../../transport/overlay/key-text.ts';
import { keyHash } from '../../../transport/overlay/relay/hash.ts';
import { HashOrder } from '../../../transport/overlay/relay/hash-order.ts';
import { FIRST_HASH } from '../../../transport/overlay/relay/ports.ts';
import { RESOLVE_MS } from '../../../transport/overlay/relay/question.ts';
import { openRecord, signRecord, type SignedRecord } from '../../../transport/overlay/trust/record.ts';
import { CONTROL } from '../../../transport/overlay/wire/frames.ts';
import { identityOf } from '../identities.ts';
import { randomOf } from '../session/lab.ts';
import { identities, keyOf, Lab, network, WALL, type Client, type Relay } from './relay-lab.ts';

const [asker, , , ...places] = identities as [Identity, Identity, Identity, ...Identity[]];
const crowd = await Promise.all(Array.from({ length: 20 }, (_, i) => identityOf(`member ${i}`)));
const byHash = (keys: Iterable<PublicKey>): PublicKey[] => [...keys].toSorted((a, b) => (keyHash(a) < keyHash(b) ? -1 : 1));
const everyone = byHash([asker, ...crowd].map(keyOf));

/** Records that relay `relay` gives in answer to one question, in the order in which they come. */
function pageOf(lab: Lab, relay: Relay, after: string): readonly SignedRecord[] {
  const body = buildResolve({ id: 1, type: 'after', value: Buffer.from(after, 'hex') });
  return relay.server.control(lab.now, 'ab'.repeat(32), CONTROL.resolve, body, asker.address).flatMap(({ bytes }) => {
    const found = parseRecordBody(bytes);
    return found?.type === 'found' ? found.records.map((each) => openRecord(each, network) as SignedRecord) : [];
  });
}

/** All pages, as they come. */
function list(lab: Lab, client: Client): PublicKey[][] {
  const pages: PublicKey[][] = [];
  for (let after: string | undefined = FIRST_HASH; after !== undefined;) {
    const { records, next } = lab.find(client, { after });
    pages.push(records.map(keyOf));
    after = next;
  }
  return pages;
}
/** Who was told, twice if so. */
const told = (pages: readonly (readonly PublicKey[])[]): PublicKey[] => byHash(pages.flat());

/** Relays, members that are registered at one or two of them, and one who knows all relays. */
function mesh(relayCount: number, seed = 1): { lab: Lab; relays: Relay[]; a: Client; members: Client[] } {
  const lab = new Lab(seed);
  const chance = randomOf(seed);
  const relays = Array.from({ length: relayCount }, (_, i) => lab.addRelay(places[i] as Identity, 20 + 10 * i));
  const a = lab.addClient(asker, relays, 'asker');
  const members = crowd.map((identity, i) => {
    const [one, other] = [0, 1].map(() => relays[Math.floor(chance() * relayCount)] as Relay);
    return lab.addClient(identity, [...new Set([one as Relay, other as Relay])], `m${i}`);
  });
  lab.runFor(5_000);
  return { lab, relays, a, members };
}

describe('one relay', () => {
  test('tells its members in the order of hashes, four at a time, those who are gone not', () => {
    const { lab, relays, members } = mesh(1);
    const [relay] = relays as [Relay];
    const walk = (): PublicKey[] => {
      const all: PublicKey[] = [];
      for (let page = pageOf(lab, relay, FIRST_HASH); page.length > 0;) {
        expect(page.length).toBeLessThanOrEqual(RECORDS_MAX);
        all.push(...page.map(keyOf));
        page = pageOf(lab, relay, keyHash(all.at(-1) as PublicKey));
      }
      return all;
    };
    expect(walk()).toEqual(everyone);
    const [left, silent] = members as [Client, Client];
    relay.server.gone(left.key);
    expect(walk()).toEqual(everyone.filter((key) => key !== left.key));
    lab.remove(silent);
    lab.runFor(1_000);
    expect(walk()).not.toContain(silent.key);
  });

  test('leaves out whose registration is over, and tells nobody twice after a renewal', () => {
    const { lab, relays, members } = mesh(1);
    const [relay] = relays as [Relay];
    // It is gone, and the relay does not know of it.
    const [mute] = members as [Client];
    mute.sessions.clear();
    lab.remove(mute);
    lab.runFor(2 * network.limits.recordTtlMs);
    const all = told(
      [0, 1, 2, 3, 4, 5].map((i) => pageOf(lab, relay, i === 0 ? FIRST_HASH : hashAt(lab, relay, 4 * i - 1)).map(keyOf)),
    );
    expect(all).toEqual(everyone.filter((key) => key !== mute.key));
  });
});

/** The hash of the member at this place. */
function hashAt(lab: Lab, relay: Relay, place: number): string {
  let after = FIRST_HASH;
  for (let i = 0; i < place; i += 1) after = keyHash(keyOf(pageOf(lab, relay, after)[0] as SignedRecord));
  return keyHash(keyOf(pageOf(lab, relay, after)[0] as SignedRecord));
}

describe('several relays', () => {
  test.each([1, 2, 3, 5, 6])('%i of them: everybody, once', (count) => {
    for (const seed of [1, 2, 3]) {
      const { lab, a } = mesh(count, seed);
      expect(told(list(lab, a))).toEqual(everyone);
    }
  });

  test('with frames lost and doubled too', () => {
    const { lab, a } = mesh(2);
    Object.assign(lab, { loss: 0.1, doubled: 0.1 });
    const lists = Array.from({ length: 5 }, () => told(list(lab, a)));
    expect(new Set(lists.flat())).toEqual(new Set(everyone));
    for (const each of lists) expect(new Set(each).size).toBe(each.length);
  });

  test('an old record that one of them still has is not the end of the others', () => {
    const { lab, relays, a } = mesh(1);
    const [relay] = relays as [Relay];
    // Everybody of the first page has registered anew elsewhere, and the asker has seen it.
    const first = pageOf(lab, relay, FIRST_HASH);
    const renewed = first.map(({ publicKey }) => {
      const identity = [asker, ...crowd].find((one) => keyOf(one) === keyOf({ publicKey })) as Identity;
      return signRecord(identity, network, { seq: WALL + lab.now, ttlMs: 60_000, relays: [], name: 'new' });
    });
    const honest = relay.answer;
    relay.answer = (_, replies) =>
      replies.flatMap((reply) => {
        const body = parseRecordBody(reply.bytes);
        if (body?.type !== 'found') return [reply];
        return buildFinds(body.id, { records: renewed, relays: [] }).map((bytes) => ({ code: reply.code, bytes }));
      });
    expect(lab.find(a, { after: FIRST_HASH }).records.map(({ name }) => name)).toEqual(['new', 'new', 'new', 'new']);
    relay.answer = honest;
    const [page, ...others] = list(lab, a);
    expect(page).toEqual([]);
    expect(told(others)).toEqual(everyone.slice(RECORDS_MAX));
  });

  test('nobody behind the cursor: the end, at once; and nothing where nobody answers', () => {
    const { lab, relays, a } = mesh(2);
    const end = lab.find(a, { after: 'ff'.repeat(8) });
    expect(end).toMatchObject({ records: [], answers: 2, next: undefined });
    expect(end.tookMs).toBeLessThan(100);
    for (const relay of relays) relay.answer = () => [];
    expect(lab.find(a, { after: FIRST_HASH })).toMatchObject({ records: [], answers: 0, next: undefined, tookMs: RESOLVE_MS });
  });
});

describe('a relay that lies', () => {
  /** What it tells in place of its members. */
  function lies(relay: Relay, records: (after: number) => readonly Uint8Array[]): void {
    let asked = 0;
    relay.answer = (_, replies) =>
      replies.flatMap((reply) => {
        const body = parseRecordBody(reply.bytes);
        if (body?.type !== 'found') return [reply];
        return buildFinds(body.id, { records: records(asked++), relays: [] }).map((bytes) => ({ code: reply.code, bytes }));
      });
  }

  test('with no records, forged ones or those of before the cursor: what the others have is told', () => {
    for (const make of [
      () => [1, 2, 3, 4].map((i) => new Uint8Array(200).fill(i)),
      () => [],
      (of: readonly SignedRecord[]) => of.map(({ bytes }) => bytes),
    ]) {
      const { lab, relays, a } = mesh(2);
      const [liar, honest] = relays as [Relay, Relay];
      const first = pageOf(lab, liar, FIRST_HASH);
      lies(liar, () => make(first));
      const known: PublicKey[] = [];
      for (
        let page = pageOf(lab, honest, FIRST_HASH);
        page.length > 0;
        page = pageOf(lab, honest, keyHash(known.at(-1) as string))
      )
        known.push(...page.map(keyOf));
      expect(told(list(lab, a))).toEqual(expect.arrayContaining(known));
    }
  });

  test('with members of its own making: they come too, and each page goes further', async () => {
    const { lab, relays, a } = mesh(2);
    const made = await Promise.all(Array.from({ length: 24 }, (_, i) => identityOf(`made ${i}`)));
    const sorted = byHash(made.map(keyOf)).map((key) => made.find((one) => keyOf(one) === key) as Identity);
    lies(relays[0] as Relay, (asked) =>
      sorted
        .slice(asked)
        .slice(0, 4)
        .map((one) => signRecord(one, network, { seq: WALL + lab.now, ttlMs: 60_000, relays: [], name: 'asker' })),
    );
    const pages = list(lab, a);
    expect(pages.length).toBeLessThanOrEqual(everyone.length + made.length);
    expect(new Set(pages.flat()).size).toBe(pages.flat().length);
  });

  test('A15: who it is that makes pages without an end is known, and the others are asked without it', async () => {
    const { lab, relays, a } = mesh(2);
    const [liar, honest] = relays as [Relay, Relay];
    const made = await Promise.all(Array.from({ length: 60 }, (_, i) => identityOf(`made ${i}`)));
    const sorted = byHash(made.map(keyOf)).map((key) => made.find((one) => keyOf(one) === key) as Identity);
    const signed = sorted.map((one) => signRecord(one, network, { seq: WALL, ttlMs: 60_000, relays: [], name: '' }));
    lies(liar, () => signed.slice(0, 4));
    const first = lab.find(a, { after: FIRST_HASH });
    expect(first).toMatchObject({ endedBy: liar.key, next: keyHash(keyOf(sorted[3] as Identity)) });
    const [alone, both] = [{ after: FIRST_HASH, without: new Set([liar.key]) }, { after: FIRST_HASH }];
    const before = pageOf(lab, honest, FIRST_HASH).map(keyOf);
    expect(lab.find(a, alone)).toMatchObject({ endedBy: honest.key, answers: 1 });
    expect(lab.find(a, alone).records.map(keyOf)).toEqual(before);
    expect(lab.find(a, both).endedBy).toBe(liar.key);
    // Nobody is left to ask: it ends by itself.
    expect(lab.find(a, { ...alone, without: new Set(relays.map(({ key }) => key)) })).toMatchObject({
      answers: 0,
      tookMs: RESOLVE_MS,
    });
  });
});

test('hashes stay in order, whatever comes and goes', () => {
  const chance = randomOf(7);
  const order = new HashOrder();
  const model = new Set<string>();
  for (let i = 0; i < 2_000; i++) {
    const hash = keyHash(`${Math.floor(chance() * 60)}`.padStart(64, '0'));
    if (chance() < 0.5) {
      order.add(hash);
      model.add(hash);
    } else {
      order.delete(hash);
      model.delete(hash);
    }
    const cursor = chance() < 0.5 ? hash : FIRST_HASH;
    expect([...order.after(cursor)]).toEqual([...model].filter((each) => each > cursor).toSorted());
  }
});
