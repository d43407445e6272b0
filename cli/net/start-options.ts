/** From a folder, and what was typed, to what an overlay is started with. */
import { readFile } from 'node:fs/promises';
import { errorData, MeshError } from '../../core/errors.ts';
import type { OverlayOptions } from '../../transport/overlay/overlay.ts';
import type { Endpoint } from '../../transport/overlay/paths/endpoint.ts';
import type { NetConfig } from './config.ts';
import { parseListen, reachableAt } from './endpoints.ts';
import type { NetState } from './folder.ts';
import { type Membership, rolesOf } from './membership.ts';

/** What `net up` and `net relay` were called with. */
export interface TypedPlan {
  /** Instead of those of the configuration. */
  readonly listen: readonly Endpoint[];
  /** Instead of that of the configuration. */
  readonly webSocket: WebSocketPlan | undefined;
  /** Refuse to run where it cannot relay. */
  readonly mustRelay: boolean;
  /** By which a WebSocket goes out; read at each dial. */
  readonly proxy: () => string | undefined;
}

export interface WebSocketPlan extends Endpoint {
  /** Files in PEM. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
}

export interface NodePlan extends Omit<TypedPlan, 'mustRelay'> {
  readonly isRelay: boolean;
}

/** Whether it relays follows from its role, and from a port that others can know. Throws USAGE where it must, and cannot. */
export function nodePlan(config: NetConfig, membership: Membership, { mustRelay, ...typed }: TypedPlan): NodePlan {
  const listen = typed.listen.length > 0 ? typed.listen : config.listen.flatMap((text) => parseListen(text) ?? []);
  const hasRole = rolesOf(membership).includes('relay');
  const webSocket = typed.webSocket ?? keptWebSocket(config);
  const hasPort = listen.some(({ port }) => port !== 0) || webSocket !== undefined;
  if (mustRelay && !hasRole)
    throw new MeshError(
      'USAGE',
      'the certificate of this node does not have the role relay: `reprise net invite --role relay`, where the network was made, gives it',
    );
  if (mustRelay && !hasPort) throw new MeshError('USAGE', 'a relay has to be found: name a port with --listen, as 0.0.0.0:7337');
  // Where members are pinned nobody has said that this node shall relay, but for whoever types `net relay`.
  const isRelay = hasRole && hasPort && (mustRelay || membership.kind === 'certified');
  return { ...typed, listen, webSocket, isRelay };
}

function keptWebSocket({ webSocket }: NetConfig): WebSocketPlan | undefined {
  const at = webSocket === undefined ? undefined : parseListen(webSocket.listen);
  if (webSocket === undefined || at === undefined) return undefined;
  const { tlsCert: cert, tlsKey: key } = webSocket;
  return { ...at, tls: cert === undefined || key === undefined ? undefined : { cert, key } };
}

/** The WebSockets of a plan, where they are to be found by an address: the name in a certificate of TLS is not known here. */
export const plainWebSocket = ({ webSocket }: NodePlan, at: Endpoint | undefined = webSocket): Endpoint | undefined =>
  webSocket?.tls === undefined ? at : undefined;

/** `kept`: what the overlay calls with what is to be kept. Throws USAGE where a file of TLS cannot be read. */
export async function startOptions(
  { identity, network, config, denyLists, authority, seq }: NetState,
  membership: Membership,
  plan: NodePlan,
  kept: Pick<OverlayOptions, 'saveAuthority' | 'onDenyLists' | 'onCertificate' | 'onSeq'>,
): Promise<OverlayOptions> {
  const { listen, webSocket, isRelay, proxy } = plan;
  const endpoints = config.endpoints.length > 0 || !isRelay ? config.endpoints : reachableAt(listen, plainWebSocket(plan));
  const named = membership.kind === 'certified' ? membership.certificate?.name : undefined;
  const name = named === undefined || named === '' ? config.name : named;
  return {
    identity,
    network,
    trust: membership.trust,
    ...(membership.kind === 'certified' && { denyLists }),
    ...(name !== undefined && { name }),
    ...(listen.length > 0 && { listen }),
    ...(webSocket !== undefined && { webSocket: await readTls(webSocket) }),
    relay: isRelay,
    endpoints,
    seq,
    relays: config.relays.map(({ key, endpoints }) => ({ publicKey: key, endpoints })),
    peers: knownPeers(config),
    ...(authority !== undefined && { authority }),
    ...kept,
    birthday: config.birthday,
    proxy,
  };
}

/** Relays, too: who names one that does not answer is told that, and not that nobody has this name. */
function knownPeers({ peers, relays }: NetConfig): NonNullable<OverlayOptions['peers']> {
  const others = relays.filter(({ key }) => !peers.some((peer) => peer.key === key));
  return [...peers, ...others].map(({ key, name, endpoints }) => ({
    publicKey: key,
    endpoints,
    ...(name !== undefined && { name }),
  }));
}

async function readTls({ host, port, tls }: WebSocketPlan): Promise<NonNullable<OverlayOptions['webSocket']>> {
  if (tls === undefined) return { host, port };
  return { host, port, tls: { cert: await readPem(tls.cert, '--tls-cert'), key: await readPem(tls.key, '--tls-key') } };
}

async function readPem(path: string, option: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new MeshError('USAGE', `${option}: ${errorData(cause).message}`);
  }
}
