import { describe, expect, test } from 'vitest';
import { Targets } from '../../../transport/overlay/host/targets.ts';
import type { PeerSummary } from '../../../transport/overlay/node/ports.ts';
import type { SignedRecord } from '../../../transport/overlay/trust/record.ts';

const KEY = 'ab'.repeat(32);

test('who connects while the relays are asked for its name is not known before those who wait for the answer', async () => {
  const connected: PeerSummary[] = [];
  const { promise: records, resolve } = Promise.withResolvers<readonly SignedRecord[]>();
  const targets = new Targets({
    relays: () => 'registered',
    known: [],
    profile: 'cheap',
    isCertified: true,
    peer: (key) => connected.find(({ publicKey }) => publicKey === key),
    peers: () => connected,
    resolve: () => records,
  });
  const order: string[] = [];
  /** As `send` does. */
  const send = (what: string): void => {
    if (targets.known('bob') !== undefined) order.push(what);
    else void targets.keyOf('bob').then(() => order.push(what));
  };

  send('first');
  connected.push({ publicKey: KEY, name: 'bob' } as PeerSummary);
  send('second');
  resolve([]);
  expect(await targets.keyOf('bob')).toBe(KEY);
  send('third');
  expect(order).toEqual(['first', 'second', 'third']);
  expect(targets.known('bob')).toBe(KEY);
});

test('a name that nobody knew is asked for again', async () => {
  let asked = 0;
  const resolve = (): Promise<readonly SignedRecord[]> => {
    asked++;
    return Promise.resolve([]);
  };
  const targets = new Targets({
    known: [],
    profile: 'cheap',
    relays: () => 'registered',
    isCertified: true,
    peer: () => undefined,
    peers: () => [],
    resolve,
  });
  for (let n = 0; n < 2; n++) await expect(targets.keyOf('bob')).rejects.toMatchObject({ code: 'NET_NAME_UNKNOWN' });
  expect(asked).toBe(2);
});

describe('who says to be somebody else', () => {
  const ADDRESS = 'ABCD.EF01.2345';
  const peer = (name: string, address = '1111.2222.3333'): PeerSummary => ({ publicKey: KEY, name, address }) as PeerSummary;
  const targetsOf = (isCertified: boolean, connected: readonly PeerSummary[] = []): Targets =>
    new Targets({
      known: [],
      profile: 'cheap',
      relays: () => 'registered',
      isCertified,
      peer: (key) => connected.find(({ publicKey }) => publicKey === key),
      peers: () => connected,
      resolve: () => Promise.resolve([]),
    });

  test('a certificate without a name bears out no name; of who is pinned nobody has said how it is called', () => {
    expect(() => targetsOf(true).check('bob', peer(''))).toThrow(expect.objectContaining({ code: 'NET_NAME_UNKNOWN' }));
    expect(() => targetsOf(true).check('bob', peer('mallory'))).toThrow(expect.objectContaining({ code: 'NET_NAME_UNKNOWN' }));
    targetsOf(true).check('bob', peer('bob'));
    targetsOf(false).check('bob', peer(''));
  });

  test('a name that looks like an address is not taken for one', async () => {
    const targets = targetsOf(true, [peer(ADDRESS)]);
    for (const text of [ADDRESS, ADDRESS.toLowerCase()]) {
      expect(targets.known(text)).toBeUndefined();
      await expect(targets.keyOf(text)).rejects.toMatchObject({ code: 'NET_NAME_UNKNOWN' });
    }
    expect(targetsOf(true, [peer('bob', ADDRESS)]).known(ADDRESS.toLowerCase())).toBe(KEY);
  });
});

test('where no relay answers, that is said, and not that nobody has the name', async () => {
  const targets = new Targets({
    known: [],
    profile: 'cheap',
    relays: () => 'cut off',
    isCertified: true,
    peer: () => undefined,
    peers: () => [],
    resolve: () => Promise.resolve([]),
  });
  await expect(targets.keyOf('nas')).rejects.toMatchObject({ code: 'NET_PEER_UNREACHABLE' });
});

test('who sent a message is looked up by its key, however many are connected', () => {
  const targets = new Targets({
    known: [],
    profile: 'cheap',
    relays: () => 'registered',
    isCertified: true,
    peer: (publicKey) => ({ publicKey, name: 'bob', address: undefined, state: 'up' }),
    peers: () => {
      throw new Error('all were looked at');
    },
    resolve: () => Promise.resolve([]),
  });
  expect(targets.refOf(KEY)).toEqual({ publicKey: KEY, name: 'bob', address: undefined });
});
