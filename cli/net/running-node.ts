/** One run of a node under `reprise net up`: its folder locked, the overlay started, and opened to the CLI. */
import { errorData, isMeshError, MeshError } from '../../core/errors.ts';
import type { OverlayMcp } from '../../transport/overlay/mcp/overlay-mcp.ts';
import type { OverlayEvent } from '../../transport/overlay/node/ports.ts';
import type { Authority } from '../../transport/overlay/trust/authority.ts';
import { statOf } from '../control/place.ts';
import { type ControlServer, serveControl } from '../control/server.ts';
import { type KnownPeer, knownPeer, type NetConfig } from './config.ts';
import { reachableAt } from './endpoints.ts';
import type { NetFolder, NetState } from './folder.ts';
import { Inbox, type InboxMessage } from './inbox.ts';
import { mcpOperations } from './mcp/operations.ts';
import { overlayMcp } from './mcp/overlay-mcp.ts';
import { Joins } from './joins.ts';
import { goneRows, Met } from './met.ts';
import { type Membership, membershipOf } from './membership.ts';
import { nodeIdOf, REVOKED_CURE, revokedText } from './node-id.ts';
import { netOperations } from './operations.ts';
import { cancelInvites, type InviteTerms, type MadeInvite, makeInvite, revokeNode, withPeer } from './orders.ts';
import type { NetOverlay, StartOverlay } from './port.ts';
import { controlOf } from './reach.ts';
import { type NodePlan, nodePlan, plainWebSocket, startOptions, type TypedPlan } from './start-options.ts';
import { type Names, namesOf, type NetStatus, statusOf } from './status.ts';

export interface RunOptions extends TypedPlan {
  readonly onEvent: (event: OverlayEvent, names: Names) => void;
  /** What a person should know. */
  readonly onNote: (text: string) => void;
  /** A message that waits for `net listen`. */
  readonly onUnheard: (message: InboxMessage) => void;
}

const KEY = /^[0-9a-f]{64}$/i;

export class RunningNode {
  readonly overlay: NetOverlay;
  readonly inbox: Inbox;
  private readonly mcp: OverlayMcp;
  private readonly folder: NetFolder;
  private state: NetState;
  private readonly membership: Membership;
  private readonly plan: NodePlan;
  private readonly startedAt = Date.now();
  private readonly met = new Met();
  /** What changes `config.json`, one after the other. */
  private changing: Promise<unknown> = Promise.resolve();
  private control: ControlServer | undefined;

  private constructor(
    folder: NetFolder,
    state: NetState,
    membership: Membership,
    plan: NodePlan,
    overlay: NetOverlay,
    options: RunOptions,
  ) {
    this.folder = folder;
    this.state = state;
    this.membership = membership;
    this.plan = plan;
    this.overlay = overlay;
    this.inbox = new Inbox(overlay, Date.now, options.onUnheard, (from) => from.name || this.nameOf(from.publicKey));
    this.mcp = overlayMcp(overlay, state.network);
    overlay.onEvent((event) => {
      this.met.heard(event, Date.now());
      if (event.type === 'peer_up') this.learn(event.peer, event.name, options.onNote);
      if (event.type === 'deny_list') this.noteRevocation(options.onNote);
      options.onEvent(event, this.names());
    });
  }

  /**
   * Resolves when it runs. The caller holds the lock of the folder.
   *
   * Throws NET_FOLDER_*, NET_NETWORK_INVALID, NET_KEY_* (NET_KEY_REVOKED, too), NET_CERTIFICATE_INVALID, NET_AUTHORITY_INVALID; USAGE where it must relay and
   * cannot; TRANSPORT_UNAVAILABLE (a port is taken), CONTROL_UNSAFE.
   */
  static async start(folder: NetFolder, options: RunOptions, start: StartOverlay): Promise<RunningNode> {
    const state = await folder.load();
    const config = folder.file('config.json');
    if (statOf(config) === undefined)
      options.onNote(`${config} is not there: this node has no relay, no peers, and any port. Write it anew, or join again`);
    const membership = await membershipOf(folder, state, Date.now());
    const plan = nodePlan(state.config, membership, options);
    const keep = keeping(folder, state, options.onNote);
    const overlay = await start(await startOptions(state, membership, plan, keep)).catch((error: unknown) => {
      throw explained(error);
    });
    const node = new RunningNode(folder, state, membership, plan, overlay, options);
    try {
      node.control = await serveControl(controlOf(folder), netOperations(node, mcpOperations(node.mcp)));
    } catch (error) {
      await node.stop();
      throw error;
    }
    return node;
  }

  /** Another node, as it was typed. Throws USAGE where this one is meant. */
  other(target: string): string {
    const { name, address, key } = this.status().node;
    if (target !== name && target.toUpperCase() !== address && target.toLowerCase() !== key) return target;
    throw new MeshError('USAGE', `${target} is this node itself`);
  }

  /** Of who has no certificate, perhaps; empty: none is known. Looked up for each message: `names` makes a table of all. */
  private nameOf(key: string): string {
    return this.met.names.get(key) ?? this.state.config.peers.find((peer) => peer.key === key)?.name ?? '';
  }

  names(): Names {
    return namesOf(this.overlay.status(), this.state.config, this.met.names);
  }

  status(): NetStatus {
    const { state, membership, plan, met } = this;
    const view = this.overlay.status();
    const names = this.names();
    return statusOf(view, names, {
      pid: process.pid,
      startedAt: this.startedAt,
      node: nodeIdOf({ ...state, certificate: membership.trust.certificate }, Date.now()),
      config: state.config,
      isSecure: plan.webSocket?.tls !== undefined,
      isRelay: plan.isRelay,
      gone: goneRows(met.partings, view.peers, names, (key) => this.isRevoked(key)),
      partings: met.partings,
    });
  }

  /** That every node which is known here by this name or key was revoked; undefined: that is not so. */
  revokedText(target: string): string | undefined {
    const { config, network } = this.state;
    const configured = config.peers.flatMap(({ key, name }) => (name === target ? [key] : []));
    const keys = KEY.test(target) ? [target.toLowerCase()] : [...configured, ...this.met.called(target)];
    const [key] = keys;
    if (key === undefined || !keys.every((each) => this.isRevoked(each))) return undefined;
    return `'${this.names()(key)}' was revoked in '${network.name}', for good`;
  }

  private isRevoked(key: string): boolean {
    return this.state.denyLists.has(Buffer.from(key, 'hex'));
  }

  /** `endpoints`: none: those of the configuration, or where this node is as far as it knows. Throws as `makeInvite`. */
  invite({ roles, endpoints }: InviteTerms): Promise<MadeInvite> {
    const known = endpoints.length > 0 ? endpoints : this.state.config.endpoints;
    const found =
      known.length > 0 ? known : reachableAt(this.overlay.endpoints, plainWebSocket(this.plan, this.overlay.webSocket));
    return makeInvite(this.folder, this.state, { roles, endpoints: found }, this.overlay.endpoints, Date.now());
  }

  /** Throws as `cancelInvites`. */
  cancelInvites(): Promise<number> {
    return cancelInvites(this.folder, this.state, Date.now());
  }

  /** Let in at once, where members are pinned; else known from the next start on. Throws USAGE, NET_KEY_INVALID. */
  async add(given: unknown, isRelay: boolean): Promise<KnownPeer> {
    const peer = knownPeer(given);
    const config = withPeer(this.state.config, { peer, isRelay });
    const { membership } = this;
    if (membership.kind === 'pinned') membership.trust.pin(Buffer.from(peer.key, 'hex'), peer.roles);
    this.state = { ...this.state, config };
    await this.inTurn(() => this.folder.saveConfig(config));
    return peer;
  }

  /** Its sessions end at once. Throws as `revokeNode`. */
  async revoke(target: string): Promise<{ readonly key: string; readonly name: string; readonly isNews: boolean }> {
    const { peers } = this.status();
    const { key, isNews, list, config } = await this.inTurn(() => revokeNode(this.folder, this.state, target, peers));
    const name = this.names()(key);
    this.state = { ...this.state, config };
    const { membership, overlay } = this;
    if (list !== undefined) overlay.installDenyList(list);
    if (membership.kind === 'pinned') {
      membership.trust.unpin(Buffer.from(key, 'hex'));
      overlay.reauthorize();
    }
    return { key, name, isNews };
  }

  /** By a list that others have sent, which is kept: the next run says so at once. */
  private noteRevocation(onNote: (text: string) => void): void {
    const text = revokedText(this.status().node);
    if (text !== undefined) onNote(`${text}: nobody lets it in any more. ${REVOKED_CURE}`);
  }

  /** The name of a relay, which an invite does not say, is kept: it is called so after the next start, too, before it answers. */
  private learn(key: string, name: string, onNote: (text: string) => void): void {
    const isNews = ({ relays }: NetConfig): boolean => relays.some((relay) => relay.key === key && relay.name !== name);
    if (name === '' || !isNews(this.state.config)) return;
    const withName = (config: NetConfig): NetConfig => ({
      ...config,
      relays: config.relays.map((relay) => (relay.key === key ? { ...relay, name } : relay)),
    });
    this.state = { ...this.state, config: withName(this.state.config) };
    // As it is on the disk: a person may have edited it since the start.
    this.inTurn(async () => {
      const kept = await this.folder.config();
      if (isNews(kept)) await this.folder.saveConfig(withName(kept));
    }).catch((error: unknown) => onNote(`the name of a relay could not be kept: ${errorData(error).message}`));
  }

  private inTurn<T>(change: () => Promise<T>): Promise<T> {
    const done = this.changing.then(change);
    this.changing = done.catch(() => undefined);
    return done;
  }

  /** Who asks meanwhile is answered; then peers are told goodbye. */
  async stop(): Promise<void> {
    await this.control?.close();
    this.inbox[Symbol.dispose]();
    await this.mcp.stop();
    await this.changing;
    await this.overlay.stop();
    await this.folder.kept();
  }
}

/** Why a port cannot be had, beside what the system says. */
const PORT_FAULTS: readonly (readonly [code: string, why: string])[] = [
  [
    'EADDRINUSE',
    'another process has this port, perhaps a node of another folder: name another one with --listen, or in config.json, and there in `endpoints`, too, if it has them',
  ],
  ['EADDRNOTAVAIL', 'this machine has no such address: name one of its own with --listen, or in config.json, or 0.0.0.0 for all'],
  ['EACCES', 'this user may not take this port: those from 1024 on are free to all'],
];

function explained(error: unknown): unknown {
  if (!isMeshError(error, 'TRANSPORT_UNAVAILABLE')) return error;
  const why = PORT_FAULTS.find(([code]) => error.message.includes(code))?.[1];
  return why === undefined ? error : new MeshError(error.code, `${error.message}: ${why}`, { data: error.data });
}

/** What the overlay gives to be kept. What cannot be kept is told: the next run would not know it. */
function keeping(folder: NetFolder, { network, authority, authorityLists }: NetState, onNote: (text: string) => void) {
  const kept = (saved: Promise<void>, what: string): void =>
    void saved.catch((error: unknown) => onNote(`${what} could not be kept: ${errorData(error).message}`));
  const joins = new Joins(authority?.state() ?? { invites: [] });
  return {
    // Who asked gets no answer where it throws.
    saveAuthority: async (given: Authority): Promise<void> => {
      const saved = folder.saveAuthority(given);
      kept(saved, 'what the authority has given');
      await saved;
      for (const { name, publicKey } of joins.since(given.state()))
        onNote(`${name} joined by an invite; its key is ${publicKey}`);
    },
    onDenyLists: (lists: readonly Uint8Array[]): void => {
      for (const list of lists) authorityLists.install(list);
      kept(folder.addDenyLists(network, lists), 'a deny list');
    },
    onCertificate: (certificate: Uint8Array): void => kept(folder.saveCertificate(certificate), 'the renewed certificate'),
    onSeq: (seq: number): void => kept(folder.saveSeq(seq), 'the number of a registration'),
  };
}
