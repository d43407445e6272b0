/** What each pair of NATs is to come to, and what a run of a pair has found. */
import type { Impairment } from './impairment.ts';
import { NAT_KINDS, type NatKind } from './nat.ts';
import { Pair, type PeerStatus, type Status } from './pair.ts';
import type { Tools } from './tools.ts';

export interface RunOptions {
  readonly birthday: boolean;
  readonly impairment: Impairment | undefined;
  /** How long a direct path is waited for. */
  readonly seconds: number;
}

export interface Result {
  readonly a: NatKind;
  readonly b: NatKind;
  readonly expected: 'direct' | 'relayed';
  readonly isAsExpected: boolean;
  /** From `connect` to keys. */
  readonly connectMs: number | undefined;
  /** From `connect` to a direct path at both sides; undefined: there is none. */
  readonly directMs: number | undefined;
  /** Why it failed, or what did not come once and in order. */
  readonly faults: readonly string[];
  readonly sides: Readonly<Record<'a' | 'b', SideResult | undefined>>;
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

/** OVERLAY.md §3.2. */
export function expectedOf(a: NatKind, b: NatKind, birthday: boolean): 'direct' | 'relayed' {
  const has = (kind: NatKind): boolean => a === kind || b === kind;
  if (has('block') || has('proxy')) return 'relayed';
  if (!has('sym')) return 'direct';
  const other = a === 'sym' ? b : a;
  if (other === 'sym') return 'relayed';
  return other === 'port' || other === 'poison' ? (birthday ? 'direct' : 'relayed') : 'direct';
}

/** Connects the pair, lets it find its path, and exchanges messages both ways at once, while it does and after. */
export async function runPair(tools: Tools, a: NatKind, b: NatKind, options: RunOptions): Promise<Result> {
  const expected = expectedOf(a, b, options.birthday);
  const failed = (error: unknown): Result => ({
    a,
    b,
    expected,
    isAsExpected: false,
    connectMs: undefined,
    directMs: undefined,
    faults: [error instanceof Error ? error.message : String(error)],
    sides: { a: undefined, b: undefined },
  });
  try {
    await using pair = await Pair.open(tools, { a, b }, { birthday: options.birthday });
    if (options.impairment !== undefined) await pair.lab.impair(options.impairment);
    return await measure(pair, a, b, options);
  } catch (error) {
    return failed(error);
  }
}

async function measure(pair: Pair, a: NatKind, b: NatKind, options: RunOptions): Promise<Result> {
  const expected = expectedOf(a, b, options.birthday);
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
  const isAsExpected = (directMs !== undefined) === (expected === 'direct') && faults.length === 0;
  return { a, b, expected, isAsExpected, connectMs, directMs, faults, sides: { a: sideA, b: sideB } };
}

async function sideOf(pair: Pair, side: 'a' | 'b'): Promise<SideResult> {
  const { nat, relays, drops } = await pair.status(side);
  const counted = Object.fromEntries(Object.entries(drops).filter(([, count]) => count > 0));
  return { nat, peer: await pair.peer(side), relays, drops: counted };
}
