/** What each pair of NATs is to come to, and what a run of a pair has found. */
import type { Impairment } from './impairment.ts';
import { HAIRPIN_KINDS, NAT_KINDS, type NatKind } from './nat.ts';
import { Pair, type PeerStatus, type Status } from './pair.ts';
import type { Tools } from './tools.ts';
import { kindsOf, SIDES, type Chain, type LabNet, type Side } from './topology.ts';

export interface RunOptions {
  readonly birthday: boolean;
  readonly impairment: Impairment | undefined;
  /** How long a direct path is waited for. */
  readonly seconds: number;
}

export interface Result {
  readonly net: LabNet;
  readonly expected: 'direct' | 'relayed';
  readonly isAsExpected: boolean;
  /** From `connect` to keys. */
  readonly connectMs: number | undefined;
  /** From `connect` to a direct path at both sides; undefined: there is none. */
  readonly directMs: number | undefined;
  /** Why it failed, or what did not come once and in order. */
  readonly faults: readonly string[];
  readonly sides: Readonly<Record<Side, SideResult | undefined>>;
}

interface SideResult {
  readonly nat: Status['nat'];
  readonly peer: PeerStatus | undefined;
  readonly relays: Status['relays'];
  /** That were counted. */
  readonly drops: Readonly<Record<string, number>>;
}

const MESSAGES = 100;
const EXCHANGE_MS = 20_000;
/** After this long a pair that is to stay relayed is believed to have tried. */
const RELAYED_MS = 3_000;

/** Upper triangle. */
export const PAIRS: readonly (readonly [NatKind, NatKind])[] = NAT_KINDS.flatMap((a, i) =>
  NAT_KINDS.slice(i).map((b) => [a, b] as const),
);

/** A NAT of the home behind one of the carrier. */
const STACKED: readonly LabNet[] = [
  { a: 'full/full', b: 'port' },
  { a: 'port/full', b: 'port' },
  { a: 'port/addr', b: 'port' },
  { a: 'port/port', b: 'port' },
  { a: 'port/port', b: 'port/port' },
  { a: 'poison/port', b: 'poison' },
  { a: 'port/port', b: 'sym' },
  { a: 'port/sym', b: 'none' },
  { a: 'port/sym', b: 'full' },
  { a: 'port/sym', b: 'addr' },
  { a: 'port/sym', b: 'port' },
  { a: 'port/sym', b: 'port/port' },
  { a: 'sym/port', b: 'addr' },
  { a: 'sym/port', b: 'port' },
  { a: 'sym/full', b: 'port' },
  { a: 'port/sym', b: 'sym' },
  { a: 'port/sym', b: 'sym/port' },
  { a: 'port/block', b: 'port' },
  { a: 'block/port', b: 'port/sym' },
];

/** Two hosts in one home. What the box does matters only where they cannot see each other. */
const SAME: readonly LabNet[] = [
  ...NAT_KINDS.map((kind): LabNet => ({ a: kind, b: kind, shares: 'home' })),
  ...HAIRPIN_KINDS.flatMap((kind): LabNet[] => [
    { a: kind, b: kind, shares: 'home', hairpin: true },
    { a: kind, b: kind, shares: 'home', isolated: true },
    { a: kind, b: kind, shares: 'home', isolated: true, hairpin: true },
  ]),
  { a: 'sym', b: 'sym', shares: 'home', isolated: true },
];

/** Two homes of one carrier. */
const CARRIER: readonly LabNet[] = [
  ...HAIRPIN_KINDS.flatMap((kind): LabNet[] => [
    { a: `port/${kind}`, b: `port/${kind}`, shares: 'carrier' },
    { a: `port/${kind}`, b: `port/${kind}`, shares: 'carrier', hairpin: true },
  ]),
  { a: 'full/port', b: 'addr/port', shares: 'carrier', hairpin: true },
  { a: 'poison/port', b: 'poison/port', shares: 'carrier', hairpin: true },
  { a: 'sym/port', b: 'addr/port', shares: 'carrier', hairpin: true },
  { a: 'port/sym', b: 'port/sym', shares: 'carrier' },
];

export const TOPOLOGIES: Readonly<Record<'stacked' | 'same' | 'carrier', readonly LabNet[]>> = {
  stacked: STACKED,
  same: SAME,
  carrier: CARRIER,
};

/** `port/sym x port`; `port x port, one home, hairpin`. */
export const labelOf = (net: LabNet): string => [`${net.a} x ${net.b}`, ...inCommon(net)].join(', ');

/** What is to be said of the box that both sides are behind. */
export function inCommon({ shares, hairpin = false, isolated = false }: LabNet): readonly string[] {
  return shares === undefined ? [] : [`one ${shares}`, ...(isolated ? ['isolated'] : []), ...(hairpin ? ['hairpin'] : [])];
}

/** Two in one network find each other by their own addresses, whatever is around it. */
const areNear = ({ shares, isolated = false }: LabNet): boolean => shares === 'home' && !isolated;

/** OVERLAY.md §3.2; and who is behind one box without seeing each other needs its hairpin. */
export function expectedOf(net: LabNet, birthday: boolean): 'direct' | 'relayed' {
  if (areNear(net)) return 'direct';
  if (net.shares !== undefined && net.hairpin !== true) return 'relayed';
  return expectedOfKinds(wholeKind(net.a), wholeKind(net.b), birthday);
}

/** What a chain is like as one box. What a box takes in that nobody asked for (`poison`) has passed the one before it. */
function wholeKind(chain: Chain): NatKind {
  const [home, carrier = 'none'] = kindsOf(chain);
  if (carrier === 'none') return home;
  const isIn = (kind: NatKind): boolean => home === kind || carrier === kind;
  return (['proxy', 'block', 'sym', 'port', 'addr'] as const).find(isIn) ?? carrier;
}

function expectedOfKinds(a: NatKind, b: NatKind, birthday: boolean): 'direct' | 'relayed' {
  const has = (kind: NatKind): boolean => a === kind || b === kind;
  if (has('block') || has('proxy')) return 'relayed';
  if (!has('sym')) return 'direct';
  const other = a === 'sym' ? b : a;
  if (other === 'sym') return 'relayed';
  return other === 'port' || other === 'poison' ? (birthday ? 'direct' : 'relayed') : 'direct';
}

/** Connects the pair, lets it find its path, and exchanges messages both ways at once, while it does and after. */
export async function runPair(tools: Tools, net: LabNet, options: RunOptions): Promise<Result> {
  const expected = expectedOf(net, options.birthday);
  const failed = (error: unknown): Result => ({
    net,
    expected,
    isAsExpected: false,
    connectMs: undefined,
    directMs: undefined,
    faults: [error instanceof Error ? error.message : String(error)],
    sides: { a: undefined, b: undefined },
  });
  try {
    await using pair = await Pair.open(tools, net, { birthday: options.birthday });
    if (options.impairment !== undefined) await pair.lab.impair(options.impairment);
    return await measure(pair, net, options);
  } catch (error) {
    return failed(error);
  }
}

async function measure(pair: Pair, net: LabNet, options: RunOptions): Promise<Result> {
  const expected = expectedOf(net, options.birthday);
  const begun = performance.now();
  const connectMs = await pair.connect();
  const before = await pair.exchange({ count: MESSAGES }, EXCHANGE_MS);
  const waitMs = expected === 'direct' ? options.seconds * 1_000 : Math.min(RELAYED_MS, options.seconds * 1_000);
  const settled = await pair.settle(({ kind }) => kind === 'direct', waitMs);
  const directMs = settled.isGood ? Math.round(performance.now() - begun) : undefined;
  const after = await pair.exchange({ count: MESSAGES }, EXCHANGE_MS);
  const faults = [before, after].flatMap((exchange) => [
    ...exchange.a.map((fault) => `at a: ${fault}`),
    ...exchange.b.map((fault) => `at b: ${fault}`),
  ]);
  const [sideA, sideB] = await Promise.all([sideOf(pair, 'a'), sideOf(pair, 'b')]);
  if (areNear(net)) faults.push(...detours(pair, { a: sideA.peer, b: sideB.peer }));
  const isAsExpected = (directMs !== undefined) === (expected === 'direct') && faults.length === 0;
  return { net, expected, isAsExpected, connectMs, directMs, faults, sides: { a: sideA, b: sideB } };
}

/** Paths that do not lead to the other's own address. */
function detours(pair: Pair, peers: Readonly<Record<Side, PeerStatus | undefined>>): readonly string[] {
  return SIDES.flatMap((side) => {
    const [path = 'none', own] = [peers[side]?.path, pair.lab.address(side === 'a' ? 'b' : 'a')];
    return path.includes(`/${own}:`) ? [] : [`at ${side}: the path is ${path}, not one to ${own}`];
  });
}

async function sideOf(pair: Pair, side: Side): Promise<SideResult> {
  const { nat, relays, drops } = await pair.status(side);
  const counted = Object.fromEntries(Object.entries(drops).filter(([, count]) => count > 0));
  return { nat, peer: await pair.peer(side), relays, drops: counted };
}
