/**
 * All pairs of NATs, boxes behind boxes and two behind one; each pair through a rebinding and a change of IP: what `npm test` does with a few of
 * them.
 */
import { describe, expect, test } from 'vitest';
import { CALLED, callAcross, SEEN, surroundings } from '../natlab/machines.ts';
import { expectedOf, labelOf, PAIRS, runPair, TOPOLOGIES, type RunOptions } from '../natlab/matrix.ts';
import { NAT_KINDS } from '../natlab/nat.ts';
import { Pair } from '../natlab/pair.ts';
import { exchangeWhile, move } from '../natlab/scenarios.ts';
import { labTools, type Tools } from '../natlab/tools.ts';
import type { LabNet } from '../natlab/topology.ts';

const tools = labTools();
const USUAL: RunOptions = { birthday: false, impairment: undefined, seconds: 15 };

const named = (nets: readonly LabNet[]): readonly (readonly [string, LabNet])[] => nets.map((net) => [labelOf(net), net]);
const { stacked, same, carrier } = TOPOLOGIES;
const MOVING: readonly LabNet[] = [
  { a: 'port/port', b: 'port/port' },
  { a: 'port/sym', b: 'addr' },
  { a: 'full/port', b: 'sym/port' },
  { a: 'port', b: 'port', shares: 'home' },
  { a: 'port', b: 'port', shares: 'home', isolated: true, hairpin: true },
  { a: 'port/port', b: 'port/port', shares: 'carrier', hairpin: true },
  { a: 'port/sym', b: 'port/sym', shares: 'carrier' },
];

/** Mappings live longer than the time between two keepalives, and shorter than this node is silent. */
const MAPPING = { youngSeconds: 20, seconds: 20 };
const SILENT_MS = 45_000;

describe.skipIf(tools === undefined)('the overlay in the NAT lab', () => {
  test.each(PAIRS)('%s x %s', async (a, b) => {
    expect(await runPair(tools as Tools, { a, b }, USUAL)).toMatchObject({ isAsExpected: true, faults: [] });
  });

  test.each(PAIRS)('%s x %s with birthday', async (a, b) => {
    expect(await runPair(tools as Tools, { a, b }, { ...USUAL, birthday: true })).toMatchObject({
      isAsExpected: true,
      faults: [],
    });
  });

  test.each(named([...stacked, ...same, ...carrier]))('%s', async (_, net) => {
    expect(await runPair(tools as Tools, net, USUAL)).toMatchObject({ isAsExpected: true, faults: [] });
  });

  test.each(named(stacked))('%s with birthday', async (_, net) => {
    expect(await runPair(tools as Tools, net, { ...USUAL, birthday: true })).toMatchObject({ isAsExpected: true, faults: [] });
  });

  test.each(NAT_KINDS)(
    '%s: what a node says it is behind, with a relay of two addresses, and with one of two ports',
    async (kind) => {
      for (const relay of ['addresses', 'ports'] as const)
        expect([relay, await surroundings(tools as Tools, kind, relay)]).toEqual([relay, SEEN[kind]]);
    },
  );

  test.each([...PAIRS.map(([a, b]) => [`${a} x ${b}`, { a, b }] as const), ...named(MOVING)])(
    '%s: 10,000 messages each way, 5 in 100 lost, over a rebinding and a change of IP',
    async (_, net) => {
      await using pair = await Pair.open(tools as Tools, net);
      await pair.connect();
      await pair.lab.lose(5);
      expect(await exchangeWhile(pair, { count: 10_000, perSecond: 4_000, limitMs: 120_000 }, () => move(pair))).toEqual([]);
    },
  );

  test.each(PAIRS)(
    '%s x %s: an MCP server of one machine, and its client on the other, by the CLI from init and join on',
    async (a, b) => {
      const kind = expectedOf({ a, b }, true);
      expect(await callAcross(tools as Tools, a, b, kind)).toMatchObject({ answers: CALLED, kinds: [kind, expect.any(String)] });
    },
  );

  test('a silent node is reached as long as its keepalives are more frequent than mappings expire', async () => {
    await using pair = await Pair.open(tools as Tools, { a: 'port', b: 'port' });
    await pair.connect();
    for (const side of ['a', 'b'] as const) await pair.lab.expireMappings(side, MAPPING);
    await new Promise((resolve) => setTimeout(resolve, SILENT_MS));
    const exchange = pair.nextExchange();
    pair.say('a', { do: 'expect', exchange, count: 1 });
    pair.say('b', { do: 'send', peer: 'a', exchange, count: 1, bytes: 100, perSecond: 1_000 });
    expect(await pair.answer('a', 'received', 5_000)).toMatchObject({ count: 1, faults: [] });
  });
});

describe.skipIf(tools?.hasTun !== true)('the overlay in the NAT lab, far and lossy', () => {
  test.each([2, 5, 20])('30 ms, doubles, jitter, %s in 100 lost: port x port', async (lossPercent) => {
    const impairment = { delayMs: 15, jitterMs: 3, dupPercent: 5, lossPercent };
    expect(await runPair(tools as Tools, { a: 'port', b: 'port' }, { ...USUAL, impairment })).toMatchObject({
      isAsExpected: true,
    });
  });

  test.each([
    ['poison', 'poison'],
    ['poison', 'port'],
  ] as const)('30 ms one way: %s x %s', async (a, b) => {
    const impairment = { delayMs: 30, jitterMs: 3 };
    expect(await runPair(tools as Tools, { a, b }, { ...USUAL, impairment })).toMatchObject({ isAsExpected: true });
  });
});
