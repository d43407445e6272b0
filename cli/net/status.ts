/** What is known of a node that runs: JSON for `--json`, with fields that do not change their meaning, and what the tables are made of. */
import { endpointText, kindOfPath, parseRelayPath, parseUdpPath, type PathKind } from '../../transport/overlay/paths/endpoint.ts';
import type { NodeView, PeerView } from '../../transport/overlay/node/ports.ts';
import type { DialFault } from '../../transport/overlay/host/dials.ts';
import type { OverlayStatus } from '../../transport/overlay/overlay.ts';
import type { PathView } from '../../transport/overlay/paths/paths.ts';
import type { NatKind } from '../../transport/overlay/punch/candidates.ts';
import type { PunchView } from '../../transport/overlay/punch/output.ts';
import type { RelayStatus } from '../../transport/overlay/relay/ports.ts';
import type { NetConfig } from './config.ts';
import { elsewhere } from './endpoints.ts';
import type { GoneRow, Parting } from './met.ts';
import type { NodeId } from './node-id.ts';

export interface NetStatus {
  readonly pid: number;
  /** ms since 1970. */
  readonly startedAt: number;
  readonly node: NodeId;
  /** Where it takes UDP. */
  readonly endpoints: readonly string[];
  /** Of the endpoints that others are told, those at whose port it does not listen. */
  readonly elsewhere: readonly string[];
  /** Where it takes the same packets over WebSocket. */
  readonly webSocket: string | undefined;
  readonly isRelay: boolean;
  /** Undefined: it does not relay. */
  readonly serves: NodeView['serves'];
  readonly nat: { readonly kind: NatKind; /** How others see this node. */ readonly reflexive: readonly string[] };
  readonly relays: readonly RelayRow[];
  readonly peers: readonly PeerRow[];
  /** Who was here since the start, and is not any more; no relays. */
  readonly gone: readonly GoneRow[];
  /** Who has said that this node is no member any more, and did not let it in since: their word alone. */
  readonly expelledBy: readonly { readonly name: string; readonly key: string }[];
  /** Packets, by reason. */
  readonly drops: Readonly<Record<string, number>>;
  /** Why the last try to renew the certificate failed; undefined: it went well, or was not due. */
  readonly renewalFailed: string | undefined;
}

export interface RelayRow {
  readonly name: string;
  readonly key: string;
  readonly endpoints: readonly string[];
  readonly state: RelayStatus['state'];
  readonly isHome: boolean;
  /** How it is reached; undefined: it is not. */
  readonly kind: PathKind | undefined;
  readonly rttMs: number | undefined;
  /** Why it does not serve this node; empty where it does. */
  readonly why: string;
  /** With what the last connection has ended, in words; undefined: there is one, or there was none. */
  readonly parted: string | undefined;
  /** Of its endpoints: why their WebSockets could not be opened. */
  readonly dialFaults: readonly DialFault[];
}

export interface PeerRow {
  readonly name: string;
  readonly address: string | undefined;
  readonly key: string;
  readonly roles: readonly string[];
  readonly state: PeerView['state'];
  readonly kind: PathKind | undefined;
  /** Its endpoint, or the relay. */
  readonly via: string | undefined;
  readonly rttMs: number | undefined;
  readonly loss: number | undefined;
  readonly datagram: number | undefined;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly queuedBytes: number;
  /** Of looking for a direct path; undefined: none was looked for. */
  readonly punching: PunchView | undefined;
  readonly whyRelayed: string | undefined;
  readonly paths: readonly PathRow[];
  /** Where it was told to be, and is looked for. */
  readonly tried: readonly string[];
}

/** A member that a relay knows of, and that this node is not connected to: as it says itself. */
export interface MemberRow {
  readonly name: string;
  readonly address: string | undefined;
  readonly key: string;
}

/** What the node answers to `peers`. */
export type PeersAnswer = NetStatus & { readonly members: readonly MemberRow[] };

export interface PathRow {
  readonly kind: PathKind;
  readonly via: string;
  readonly state: PathView['state'];
  readonly rttMs: number | undefined;
  readonly loss: number;
  readonly datagram: number;
  readonly isActive: boolean;
}

/** What the overlay does not know of itself. */
export interface StatusParts {
  readonly node: NodeId;
  readonly config: NetConfig;
  /** Its WebSockets go by TLS. */
  readonly isSecure: boolean;
  readonly isRelay: boolean;
  readonly pid: number;
  readonly startedAt: number;
  readonly gone: readonly GoneRow[];
  /** By key. */
  readonly partings: ReadonlyMap<string, Parting>;
}

export function statusOf(
  view: OverlayStatus,
  names: Names,
  { config, isSecure, node, isRelay, pid, startedAt, gone, partings }: StatusParts,
): NetStatus {
  return {
    pid,
    startedAt,
    node,
    endpoints: view.endpoints.map(endpointText),
    elsewhere: elsewhere(config.endpoints, view.endpoints),
    webSocket: view.webSocket === undefined ? undefined : `${isSecure ? 'wss' : 'ws'}://${endpointText(view.webSocket)}`,
    isRelay,
    serves: view.serves,
    nat: { kind: view.nat, reflexive: view.reflexive.map(endpointText) },
    relays: view.relays.map((relay) => relayRow(relay, view, config, names, partings.get(relay.relay)?.why)),
    peers: view.peers.map((peer) => peerRow(peer, names)),
    gone: gone.filter(({ key }) => !view.relays.some(({ relay }) => relay === key)),
    expelledBy: view.expelledBy.map((key) => ({ name: names(key), key })),
    drops: view.drops,
    renewalFailed: view.certificate?.renewalFailed,
  };
}

/** How keys are called here. */
export type Names = (key: string) => string;

/** A name, else an address, else the beginning of the key. `met`: names of those who are not here any more. */
export function namesOf(view: Pick<NodeView, 'peers'>, config: NetConfig, met: ReadonlyMap<string, string>): Names {
  const configured = [...config.relays, ...config.peers].flatMap(({ key, name }) =>
    name === undefined ? [] : [[key, name] as const],
  );
  const addresses = new Map(view.peers.map(({ publicKey, address }) => [publicKey, address]));
  const known = new Map([...configured, ...met]);
  for (const { publicKey, name } of view.peers) if (name !== '') known.set(publicKey, name);
  return (key) => known.get(key) ?? addresses.get(key) ?? `${key.slice(0, KEY_SHOWN)}${CUT}`;
}

const KEY_SHOWN = 12;
const CUT = '…';

/** Whether a key is called so because of a name or an address, and not for want of one. */
export const isName = (name: string): boolean => !name.endsWith(CUT);

export function peerRow(peer: PeerView, names: Names): PeerRow {
  const { publicKey: key, address, roles, state, kind, path, paths, tried, ...rest } = peer;
  return {
    name: names(key),
    address,
    key,
    roles,
    state,
    kind,
    via: path === undefined ? undefined : viaOf(path, names),
    rttMs: rest.rttMs,
    loss: rest.loss,
    datagram: rest.datagram,
    sentBytes: rest.sentBytes,
    receivedBytes: rest.receivedBytes,
    queuedBytes: rest.queuedBytes,
    punching: rest.punching,
    whyRelayed: rest.whyRelayed,
    paths: paths.map(({ path: id, ...view }) => ({ ...view, via: viaOf(id, names) })),
    tried: [...new Set(tried.map((id) => viaOf(id, names)))],
  };
}

/** Where a path goes: `192.0.2.1:4000`, the name of the relay, `WebSocket`. */
export function viaOf(path: string, names: Names): string {
  const udp = parseUdpPath(path);
  if (udp !== undefined) return endpointText(udp.endpoint);
  const relay = parseRelayPath(path);
  return relay === undefined ? 'WebSocket' : names(relay.relay);
}

function relayRow(
  relay: RelayStatus,
  view: OverlayStatus,
  config: NetConfig,
  names: Names,
  parted: string | undefined,
): RelayRow {
  const { relay: key, state, isHome, rttMs, why } = relay;
  const path = view.peers.find((peer) => peer.publicKey === key && peer.state === 'up')?.path;
  const endpoints = config.relays.find((known) => known.key === key)?.endpoints ?? [];
  return {
    name: names(key),
    key,
    endpoints,
    state,
    isHome,
    kind: path === undefined ? undefined : kindOfPath(path),
    rttMs,
    why,
    parted,
    dialFaults: view.dialFaults.filter(({ url }) => endpoints.includes(url)),
  };
}
