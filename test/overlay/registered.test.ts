/** What relays know of members, as users of an overlay are told it. */
import { describe, expect, test } from 'vitest';
import { PAGES_OF_RELAY_MAX, registered, REGISTERED_MS } from '../../transport/overlay/host/registered.ts';
import type { Overlay } from '../../transport/overlay/overlay.ts';
import { FIRST_HASH } from '../../transport/overlay/relay/ports.ts';
import { openRecord, signRecord, type SignedRecord } from '../../transport/overlay/trust/record.ts';
import { eventually } from '../servers.ts';
import { certified, holderOf, keyOf, network, placeOf, relayNode } from './certified.ts';

const names = (members: readonly { readonly name: string }[]): readonly string[] => members.map(({ name }) => name).toSorted();

describe('members', () => {
  test('are all others that are registered at any of the relays, and nobody who has left', async () => {
    await using relay = await relayNode();
    await using other = await relayNode('other');
    const [both, one] = [[placeOf(relay), placeOf(other)], [placeOf(other)]];
    await using a = await certified('a', { relays: both });
    const many: Overlay[] = [];
    for (let i = 0; i < 9; i++) many.push(await certified(`m${i}`, { relays: i % 2 === 0 ? both : one }));
    const wanted = many.map((_, i) => `m${i}`);
    await eventually('all are told', async () => (await a.members()).length === many.length);
    expect(names(await a.members())).toEqual(wanted);
    const [first] = await a.members();
    expect(first).toEqual({
      publicKey: keyOf(await holderOf(first?.name ?? '')),
      name: first?.name,
      address: (await holderOf(first?.name ?? '')).address,
    });
    await many[0]?.stop();
    await eventually('it is not told any more', async () => (await a.members()).length === many.length - 1);
    expect(names(await a.members())).toEqual(wanted.slice(1));
    await Promise.all(many.map((each) => each.stop()));
  });

  test('are none without relays, and after the stop nobody is asked', async () => {
    const a = await certified('a');
    expect(await a.members()).toEqual([]);
    await a.stop();
    await expect(a.members()).rejects.toMatchObject({ code: 'NET_CLOSED' });
  });

  test('A15: that a relay makes up without an end come to an end, and the members of others are told all the same', async () => {
    const [liar, honest, asker] = ['cd', 'ef', 'ab'].map((byte) => byte.repeat(32)) as [string, string, string];
    const recordOf = async (name: string): Promise<SignedRecord> => {
      const signed = signRecord(await holderOf(name), network, { seq: 1, ttlMs: 1_000, relays: [], name });
      return openRecord(signed, network) as SignedRecord;
    };
    const [made, member] = await Promise.all([recordOf('a'), recordOf('b')]);
    const asked: string[] = [];
    const now = (): number => asked.length * 300;
    // Its members end each page, for as long as it is asked; then comes who is known to another relay.
    const ask: Parameters<typeof registered>[1] = (after, without) => {
      asked.push(after);
      const next = `${asked.length}`.padStart(16, '0');
      if (!without.has(liar)) return Promise.resolve({ records: [made], next, endedBy: liar });
      return Promise.resolve({ records: [member], next: after < FIRST_HASH ? next : undefined, endedBy: honest });
    };
    expect(names(await registered(asker, ask, now))).toEqual(['a', 'b']);
    expect([asked.length, asked[0], asked[1]]).toEqual([PAGES_OF_RELAY_MAX + 1, FIRST_HASH, '1'.padStart(16, '0')]);
    // Who asks is not among the others.
    const own = keyOf(await holderOf('b'));
    expect(await registered(own, () => Promise.resolve({ records: [member], next: undefined, endedBy: undefined }), now)).toEqual(
      [],
    );
  });

  test('of relays that take seconds for each answer are told as far as they are known after five minutes', async () => {
    let at = 0;
    const ask: Parameters<typeof registered>[1] = () => {
      at += 5_000;
      return Promise.resolve({ records: [], next: `${at}`.padStart(16, '0'), endedBy: undefined });
    };
    expect(await registered('ab'.repeat(32), ask, () => at)).toEqual([]);
    expect(at).toBe(REGISTERED_MS);
  });
});

test('the seq of a record is higher than that of the last run, and is told to be kept', async () => {
  await using relay = await relayNode();
  const last = Date.now() + 30_000;
  const told: number[] = [];
  await using a = await certified('a', { relays: [placeOf(relay)], seq: last, onSeq: (seq) => told.push(seq) });
  await eventually('it is told', () => told.length > 0);
  expect(told[0]).toBe(last + 1);
  expect(a.status().relays.length).toBe(1);
});
