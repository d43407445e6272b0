/**
 * How long it takes: OVERLAY.md §5. What is measured is what people see, the longest time without a message at the receiver of a stream that has
 * one each 10 ms, both ways at once; the worse of the two sides. All packets take 15 ms through the core: 30 ms there and back, 60 ms by the relay.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { AgentLine } from './agent.ts';
import type { NatKind } from './nat.ts';
import { Pair, type PairOptions, type PeerStatus } from './pair.ts';
import type { Tools } from './tools.ts';
import { SIDES, type Side } from './topology.ts';

export interface Timing {
  readonly what: string;
  /** ms; undefined: none was set. */
  readonly goalMs: number | undefined;
  /** ms of each run. */
  readonly runs: readonly number[];
}

interface Scenario {
  readonly what: string;
  readonly goalMs: number | undefined;
  readonly kinds: readonly [NatKind, NatKind];
  readonly options?: PairOptions;
  /** They have not met before; else they are connected, and there is a stream each way. */
  readonly isOfStrangers?: boolean;
  /** What the pair uses before each run. Default: direct. */
  readonly kind?: PeerStatus['kind'];
  /** ms of this run. */
  readonly run: (pair: Pair) => Promise<number>;
  /** Makes things as they were. */
  readonly undo?: (pair: Pair) => Promise<void>;
}

type EventLine = Extract<AgentLine, { readonly type: 'event' }>;

const DELAY_MS = 15;
const RTT_MS = 2 * DELAY_MS;
const RELAY_RTT_MS = 2 * RTT_MS;
const EVERY_MS = 10;
const WATCH_MS = 2_500;
const LONG_WATCH_MS = 6_000;
const SETTLE_MS = 70_000;
const DIRECT_MS = 10_000;

/** The longest silence around what happens. */
const gap =
  (happens: (pair: Pair) => Promise<unknown>, watchMs = WATCH_MS) =>
  async (pair: Pair): Promise<number> => {
    await Promise.all(SIDES.map((side) => watched(pair, side)));
    await happens(pair);
    await wait(watchMs);
    const both = await Promise.all(SIDES.map((side) => watched(pair, side)));
    return Math.max(...both.map(({ longestMs }) => longestMs));
  };

const SCENARIOS: readonly Scenario[] = [
  { what: 'nothing happens', goalMs: undefined, kinds: ['port', 'port'], run: gap(async () => undefined) },
  {
    what: 'the NAT forgets (port x port)',
    goalMs: 200 + RTT_MS,
    kinds: ['port', 'port'],
    run: gap(({ lab }) => lab.rebind('a')),
  },
  {
    what: 'another public address (port x none)',
    goalMs: 200 + RTT_MS,
    kinds: ['port', 'none'],
    run: gap(({ lab }) => lab.renumber('a')),
  },
  {
    what: 'another public address (port x port)',
    goalMs: 600,
    kinds: ['port', 'port'],
    run: gap(({ lab }) => lab.renumber('a')),
  },
  { what: 'change of IP (port x port)', goalMs: 500, kinds: ['port', 'port'], run: gap(({ lab }) => lab.changeAddress('a')) },
  {
    what: 'change of IP, relayed (sym x sym)',
    goalMs: 500,
    kinds: ['sym', 'sym'],
    kind: 'relayed',
    run: gap(({ lab }) => lab.changeAddress('a'), LONG_WATCH_MS),
  },
  {
    what: 'change of IP, by TCP (block x port)',
    goalMs: 500,
    kinds: ['block', 'port'],
    kind: 'relayed',
    run: gap(({ lab }) => lab.changeAddress('a'), LONG_WATCH_MS),
  },
  {
    what: 'the direct path dies (port x port)',
    goalMs: 600,
    kinds: ['port', 'port'],
    run: gap(({ lab }) => lab.cutDirect(true)),
    undo: ({ lab }) => lab.cutDirect(false),
  },
  {
    what: 'the relay dies (sym x sym)',
    goalMs: undefined,
    kinds: ['sym', 'sym'],
    options: { relays: ['relay1', 'relay2'] },
    kind: 'relayed',
    run: gap(async (pair) => pair.lab.silence(await relayOf(pair), true), LONG_WATCH_MS),
    undo: async ({ lab }) => {
      await lab.silence('relay1', false);
      await lab.silence('relay2', false);
      await wait(LONG_WATCH_MS);
    },
  },
  {
    what: 'UDP is blocked (port x port)',
    goalMs: undefined,
    kinds: ['port', 'port'],
    run: gap(({ lab }) => lab.blockUdp('a', true), LONG_WATCH_MS),
    undo: ({ lab }) => lab.blockUdp('a', false),
  },
  { what: 'a peer starts again', goalMs: 1_000, kinds: ['port', 'port'], run: restart },
  {
    what: 'first byte to a new peer',
    goalMs: 2 * RELAY_RTT_MS,
    kinds: ['port', 'port'],
    isOfStrangers: true,
    run: async (pair) => (await meet(pair)).firstMs,
  },
  {
    what: 'direct, from there on',
    goalMs: 3 * RELAY_RTT_MS + 250,
    kinds: ['port', 'port'],
    isOfStrangers: true,
    run: async (pair) => (await meet(pair)).directMs,
  },
];

/** Each scenario so many times. `select`: only those whose text has this. */
export async function* timings(tools: Tools, times: number, select: string): AsyncGenerator<Timing> {
  for (const scenario of SCENARIOS.filter(({ what }) => what.includes(select))) {
    const { what, goalMs } = scenario;
    yield { what, goalMs, runs: await runsOf(tools, scenario, times) };
  }
}

async function runsOf(tools: Tools, scenario: Scenario, times: number): Promise<readonly number[]> {
  if (scenario.isOfStrangers !== true) return runsOn(tools, scenario, times);
  const runs: number[] = [];
  for (let n = 0; n < times; n++) {
    await using pair = await opened(tools, scenario);
    runs.push(await scenario.run(pair));
  }
  return runs;
}

async function runsOn(tools: Tools, scenario: Scenario, times: number): Promise<readonly number[]> {
  await using pair = await opened(tools, scenario);
  await pair.connect();
  for (const side of SIDES) stream(pair, side);
  const runs: number[] = [];
  for (let n = 0; n < times; n++) {
    const wanted = scenario.kind ?? 'direct';
    const settled = await pair.settle(({ kind }) => kind === wanted, SETTLE_MS);
    if (!settled.isGood) throw new Error(`${scenario.what}: no ${wanted} path: ${JSON.stringify([settled.a, settled.b])}`);
    // So that the paths have been measured a few times.
    await wait(WATCH_MS);
    runs.push(await scenario.run(pair));
    await scenario.undo?.(pair);
  }
  return runs;
}

async function opened(tools: Tools, { kinds: [a, b], options }: Scenario): Promise<Pair> {
  const pair = await Pair.open(tools, { a, b }, options);
  await pair.lab.impair({ delayMs: DELAY_MS });
  return pair;
}

/** From the time at which `b` is there again to the first message of `a`, which has not stopped. */
async function restart(pair: Pair): Promise<number> {
  await pair.kill('b');
  await pair.start('b');
  await wait(WATCH_MS);
  const { longestMs } = await watched(pair, 'b');
  stream(pair, 'b');
  return longestMs;
}

/** `a` says something to `b`, whom it does not know, by its key. */
async function meet(pair: Pair): Promise<{ readonly firstMs: number; readonly directMs: number }> {
  stream(pair, 'a');
  const { ms } = await pair.answer('a', 'streaming');
  await pair.settle(({ kind }) => kind === 'direct', DIRECT_MS);
  const isDirect = ({ event }: EventLine): boolean =>
    event.type === 'path_changed' && event.peer === pair.publicKey('b') && event.kind === 'direct';
  const direct = pair.agent('a').drain('event').find(isDirect);
  const { firstMs = Infinity } = await watched(pair, 'b');
  return { firstMs, directMs: (direct?.ms ?? Infinity) - ms };
}

function stream(pair: Pair, side: Side): void {
  pair.say(side, { do: 'stream', peer: pair.publicKey(side === 'a' ? 'b' : 'a'), everyMs: EVERY_MS });
}

function watched(pair: Pair, side: Side): Promise<{ readonly longestMs: number; readonly firstMs: number | undefined }> {
  pair.say(side, { do: 'watch' });
  return pair.answer(side, 'watched');
}

/** The relay by which `a` sends. */
async function relayOf(pair: Pair): Promise<'relay1' | 'relay2'> {
  const path = (await pair.peer('a'))?.path ?? '';
  return path.startsWith(`relay:${pair.publicKey('relay1')}`) ? 'relay1' : 'relay2';
}
