/**
 * What stands between the hosts of a lab and its Internet, as data: `lab.ts` makes it.
 *
 *   { a: 'port', b: 'sym' }                                             a home each
 *   { a: 'port/sym', b: 'port' }                                        the home of `a` is behind a NAT of its carrier
 *   { a: 'port', b: 'port', shares: 'home' }                            two hosts in one home
 *   { a: 'port/full', b: 'port/full', shares: 'carrier', hairpin: true }  two homes of one carrier
 */
import type { NatKind } from './nat.ts';

export type Side = 'a' | 'b';
export type RelayName = 'relay1' | 'relay2';
export type Place = Side | RelayName;

export const SIDES: readonly Side[] = ['a', 'b'];
export const RELAYS: readonly RelayName[] = ['relay1', 'relay2'];

/** Addresses of the relays: of the link first. */
export const RELAY_ADDRESSES: Readonly<Record<RelayName, readonly [string, string]>> = {
  relay1: ['203.0.113.2', '203.0.113.33'],
  relay2: ['203.0.113.6', '203.0.113.37'],
};

/** The NATs of a side, from the inside out: of its home, or of its home and its carrier. */
export type Chain = NatKind | `${NatKind}/${NatKind}`;

export interface LabNet {
  readonly a: Chain;
  readonly b: Chain;
  /** The outermost box is the same for both sides: of a chain of one 'home', of a chain of two 'carrier'. Its kind is to be the same. */
  readonly shares?: 'home' | 'carrier';
  /** Hosts behind the shared box reach each other by its public address, too. */
  readonly hairpin?: boolean;
  /** What is behind the shared box can send to the box only, as clients of a guest Wi-Fi. */
  readonly isolated?: boolean;
}

export type BoxName = 'natA' | 'natB' | 'carrierA' | 'carrierB';

export interface Box {
  readonly name: BoxName;
  readonly kind: NatKind;
  readonly hairpin: boolean;
  readonly isolated: boolean;
  /** First three numbers of the addresses of its local network: the box has .1. */
  readonly lan: string;
  /** Its address outside, and the one after `renumber`. */
  readonly wan: readonly [string, string];
  /** Of the network outside. */
  readonly bits: 24 | 30;
  readonly gateway: string;
  readonly behind: BoxName | 'core';
}

export interface Topology {
  readonly boxes: readonly Box[];
  readonly chains: Readonly<Record<Side, SideChain>>;
}

/** From the inside out. */
type SideChain = readonly [Box, ...Box[]];
type Outside = Pick<Box, 'wan' | 'bits' | 'gateway' | 'behind'>;

const PUBLIC: Readonly<Record<Side, Outside>> = {
  a: { wan: ['203.0.113.10', '203.0.113.41'], bits: 30, gateway: '203.0.113.9', behind: 'core' },
  b: { wan: ['203.0.113.22', '203.0.113.42'], bits: 30, gateway: '203.0.113.21', behind: 'core' },
};
/** All homes have the same addresses inside, as most do, and all carriers; only those behind a router are their own. */
const HOME_LAN = '192.168.1';
const CARRIER_LAN = '100.64.0';
const ROUTED_LAN: Readonly<Record<Side, string>> = { a: '198.18.1', b: '198.18.2' };
/** Last numbers of the addresses of a side, in whatever network: the first one, and the one after a change. */
export const HOST_NUMBERS: Readonly<Record<Side, readonly [number, number]>> = { a: [2, 3], b: [4, 5] };

type Kinds = readonly [home: NatKind, carrier?: NatKind];

export const kindsOf = (chain: Chain): Kinds => chain.split('/') as unknown as Kinds;

/** The kind of the NAT that the home of a side has. */
export const homeKind = (chain: Chain): NatKind => kindsOf(chain)[0];

/** Throws where a box is to be shared that is not the same for both sides. */
export function topologyOf(net: LabNet): Topology {
  const outer = outermost(net, 'a');
  const a = chainOf(net, 'a', outer);
  if (net.shares === undefined) return topology(a, chainOf(net, 'b', outermost(net, 'b')));
  const b = chainOf(net, 'b', outer);
  const isShared =
    outermost(net, 'b').kind === outer.kind && [a, b].every(({ length }) => length === LENGTHS[net.shares ?? 'home']);
  if (!isShared) throw new Error(`${net.a} and ${net.b} cannot share a ${net.shares}`);
  return topology(a, b);
}

const LENGTHS = { home: 1, carrier: 2 } as const;

const topology = (a: SideChain, b: SideChain): Topology => ({ boxes: [...new Set([...a, ...b])], chains: { a, b } });

function outermost({ hairpin = false, isolated = false, ...chains }: LabNet, side: Side): Box {
  const [home, carrier] = kindsOf(chains[side]);
  if (carrier === undefined) return { ...homeOf(side, home), ...PUBLIC[side], hairpin, isolated };
  return { name: side === 'a' ? 'carrierA' : 'carrierB', kind: carrier, lan: CARRIER_LAN, ...PUBLIC[side], hairpin, isolated };
}

function chainOf(net: LabNet, side: Side, outer: Box): SideChain {
  const [home, carrier] = kindsOf(net[side]);
  if (carrier === undefined) return [outer];
  const [first, second] = HOST_NUMBERS[side].map((number) => `${outer.lan}.${number}`) as [string, string];
  const outside: Outside = { wan: [first, second], bits: 24, gateway: `${outer.lan}.1`, behind: outer.name };
  return [{ ...homeOf(side, home), ...outside, hairpin: false, isolated: false }, outer];
}

const homeOf = (side: Side, kind: NatKind): Pick<Box, 'name' | 'kind' | 'lan'> => ({
  name: side === 'a' ? 'natA' : 'natB',
  kind,
  lan: kind === 'none' ? ROUTED_LAN[side] : HOME_LAN,
});
