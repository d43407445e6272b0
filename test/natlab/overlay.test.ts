/**
 * The overlay across real NATs: a few pairs, and what happens to them on the way. All pairs: `npm run natlab`, and the long tests.
 * Ports and times are the machine's own, so nothing is asserted about speed.
 */
import { describe, expect, test, vi } from 'vitest';
import { exchangeWhile, move, type Exchange } from './scenarios.ts';
import { labelOf, runPair } from './matrix.ts';
import type { NatKind } from './nat.ts';
import { Pair, type PairOptions, type PeerStatus } from './pair.ts';
import { labTools, type Tools } from './tools.ts';
import type { LabNet } from './topology.ts';

// Each has four processes.
vi.setConfig({ maxConcurrency: 3 });

const tools = labTools();
const SETTLE_MS = 15_000;
const EXCHANGE: Exchange = { count: 2_000, perSecond: 1_000, limitMs: 30_000 };
/** "Done when" of issue 4. */
const MANY: Exchange = { count: 10_000, perSecond: 4_000, limitMs: 40_000 };

const isDirect = ({ kind }: PeerStatus): boolean => kind === 'direct';
const isRelayed = ({ kind }: PeerStatus): boolean => kind === 'relayed';

async function connected(a: NatKind, b: NatKind, options: PairOptions = {}): Promise<Pair> {
  const pair = await Pair.open(tools as Tools, { a, b }, options);
  try {
    await pair.connect();
    return pair;
  } catch (error) {
    await pair[Symbol.asyncDispose]();
    throw error;
  }
}

/** Both sides come to such a path; else it says what they have. */
async function expectPath(pair: Pair, isGood: (peer: PeerStatus) => boolean): Promise<void> {
  const settled = await pair.settle(isGood, SETTLE_MS);
  expect(settled.isGood, JSON.stringify([settled.a, settled.b])).toBe(true);
}

/** The path of `a` to the first relay. */
const relayPathKind = async (pair: Pair): Promise<string | undefined> =>
  (await pair.status('a')).peers.find(({ name }) => name === 'relay1')?.kind;

const ALL_ONCE = { a: [], b: [] };

describe.skipIf(tools === undefined).concurrent('the overlay', () => {
  test.each([
    ['port', 'port', false],
    ['poison', 'poison', false],
    ['port', 'sym', true],
  ] as const)('%s x %s: direct (birthday: %s)', async (a, b, birthday) => {
    await using pair = await connected(a, b, { birthday });
    await expectPath(pair, isDirect);
    expect(await pair.exchange({ count: 200 }, EXCHANGE.limitMs)).toEqual(ALL_ONCE);
  });

  test('sym x sym: relayed, and it is said why', async () => {
    await using pair = await connected('sym', 'sym');
    expect(await pair.exchange({ count: 200 }, EXCHANGE.limitMs)).toEqual(ALL_ONCE);
    await expectPath(pair, (peer) => isRelayed(peer) && peer.whyRelayed !== undefined);
  });

  test.each(['block', 'proxy'] as const)('%s x port: relayed, by TCP on the blocked side', async (kind) => {
    await using pair = await connected(kind, 'port');
    expect(await pair.exchange({ count: 200 }, EXCHANGE.limitMs)).toEqual(ALL_ONCE);
    await expectPath(pair, isRelayed);
    expect(await relayPathKind(pair)).toBe('tcp');
  });
});

const NEAR: readonly LabNet[] = [
  { a: 'port/port', b: 'port/port' },
  { a: 'port', b: 'port', shares: 'home' },
  { a: 'port/port', b: 'port/port', shares: 'carrier', hairpin: true },
  { a: 'port/port', b: 'port/port', shares: 'carrier' },
];

describe.skipIf(tools === undefined).concurrent('the overlay behind carriers, and behind one box', () => {
  test.each(NEAR.map((net) => [labelOf(net), net] as const))('%s', async (_, net) => {
    const found = await runPair(tools as Tools, net, { birthday: false, impairment: undefined, seconds: SETTLE_MS / 1_000 });
    expect(found).toMatchObject({ isAsExpected: true, faults: [] });
  });
});

describe.skipIf(tools === undefined).concurrent('messages come once and in order', () => {
  test.each([
    ['port', 'port'],
    ['sym', 'sym'],
    ['block', 'port'],
  ] as const)('%s x %s: 10,000 each way, 5 in 100 lost, over a rebinding and a change of IP', async (a, b) => {
    await using pair = await connected(a, b);
    await pair.lab.lose(5);
    expect(await exchangeWhile(pair, MANY, () => move(pair))).toEqual([]);
  });

  test('the direct way is cut, so the relay takes over', async () => {
    await using pair = await connected('port', 'port');
    await expectPath(pair, isDirect);
    expect(await exchangeWhile(pair, EXCHANGE, () => pair.lab.cutDirect(true))).toEqual([]);
    await expectPath(pair, isRelayed);
  });

  test('UDP is blocked later', async () => {
    await using pair = await connected('port', 'port');
    await expectPath(pair, isDirect);
    expect(await exchangeWhile(pair, EXCHANGE, () => pair.lab.blockUdp('a', true))).toEqual([]);
    expect(await relayPathKind(pair)).toBe('tcp');
  });

  test('the relay of a relayed pair dies, so the other one takes over', async () => {
    await using pair = await connected('sym', 'sym', { relays: ['relay1', 'relay2'] });
    const happens = async (): Promise<void> => {
      const path = (await pair.peer('a'))?.path ?? '';
      const used = path.startsWith(`relay:${pair.publicKey('relay1')}`) ? 'relay1' : 'relay2';
      await pair.kill(used);
    };
    expect(await exchangeWhile(pair, EXCHANGE, happens)).toEqual([]);
  });

  test('the only relay of a direct pair dies, which it does not notice', async () => {
    await using pair = await connected('port', 'port');
    await expectPath(pair, isDirect);
    expect(await exchangeWhile(pair, EXCHANGE, () => pair.kill('relay1'))).toEqual([]);
  });

  test('mappings have expired, and the side behind them speaks first', async () => {
    await using pair = await connected('port', 'port');
    await expectPath(pair, isDirect);
    await pair.lab.expireMappings('a', { youngSeconds: 1, seconds: 1 });
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    expect(await pair.exchange({ count: 200 }, EXCHANGE.limitMs)).toEqual(ALL_ONCE);
  });

  test('a peer starts again with its key: what was under way is told as lost, and the next messages arrive', async () => {
    await using pair = await connected('port', 'port');
    await expectPath(pair, isDirect);
    await pair.kill('b');
    await pair.start('b');
    pair.say('a', { do: 'send', peer: 'b', exchange: pair.nextExchange(), count: 1, bytes: 100, perSecond: 1_000 });
    expect(await pair.agent('a').next('failed')).toMatchObject({ code: 'NET_PEER_RESTARTED' });
    expect(await pair.exchange({ count: 200 }, EXCHANGE.limitMs)).toEqual(ALL_ONCE);
  });
});
