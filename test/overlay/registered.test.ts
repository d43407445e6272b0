/** What relays know of members, as users of an overlay are told it. */
import { describe, expect, test } from 'vitest';
import { registered, PAGES_MAX } from '../../transport/overlay/host/registered.ts';
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

  test('that a relay makes up without an end come to an end', async () => {
    const identity = await holderOf('a');
    const signed = signRecord(identity, network, { seq: 1, ttlMs: 1_000, relays: [], name: 'a' });
    const records = [openRecord(signed, network) as SignedRecord];
    const asked: string[] = [];
    const ask = (after: string): Promise<{ records: readonly SignedRecord[]; next: string }> => {
      asked.push(after);
      return Promise.resolve({ records, next: `${asked.length}`.padStart(16, '0') });
    };
    expect(names(await registered('ab'.repeat(32), ask))).toEqual(['a']);
    expect([asked.length, asked[0], asked[1]]).toEqual([PAGES_MAX, FIRST_HASH, '1'.padStart(16, '0')]);
    // Who asks is not among the others.
    expect(await registered(keyOf(identity), () => Promise.resolve({ records, next: undefined }))).toEqual([]);
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
