/** What a node keeps of one peer: the reliable layer, the paths, and who it is. Who moves what is node.ts. */
import { Connection } from '../channels/connection.ts';
import type { CongestionController } from '../congestion/controller.ts';
import type { KeptBudget } from '../channels/kept.ts';
import { CONNECTION_LIMITS, type ConnectionLimits } from '../channels/limits.ts';
import type { OverlayAddress } from '../identity/address.ts';
import { parseUdpPath } from '../paths/endpoint.ts';
import type { Paths, PathView } from '../paths/paths.ts';
import type { Punching } from '../punch/punching.ts';
import type { PublicKey } from '../key-text.ts';
import type { PathId } from '../source.ts';
import type { Guest, Member } from '../trust/trust.ts';

/** Paths that are tried of what was looked up, dialled or told; the oldest give way. */
export const HINTS_MAX = 32;

/** Nothing was said to a peer whose keys have ended. */
const FORGET_MS = 600_000;

export interface RemotePeerOptions {
  readonly random: (bytes: number) => Uint8Array;
  readonly limits: ConnectionLimits;
  readonly controller: () => CongestionController;
  readonly budget: KeptBudget;
  /** A number that no other connection of this node has. */
  readonly newGeneration: () => number;
}

/** Assumed until there is a sample. */
const INITIAL_RTT_MS = 100;

export class RemotePeer {
  /** Ed25519 in hex. */
  readonly key: PublicKey;
  readonly publicKey: Uint8Array;
  /** By which relays name it (`relay/hash.ts`). */
  readonly hash: string;
  connection: Connection;
  /** Of the connection: numbers of messages begin anew with each. */
  generation = 0;
  /** Undefined: there were no keys yet. */
  paths: Paths | undefined;
  punching: Punching | undefined;
  authorization: Member | Guest | undefined;
  /** Of the sessions; 0: none yet. */
  association = 0;
  /** There are keys. */
  isUp = false;
  /** A handshake is wanted, or under way. */
  isConnecting = false;
  /** Where it may be, as far as this node was told: paths by UDP and by WebSocket. */
  readonly hints = new Set<PathId>();
  /** Somebody wants to speak to it, and there are keys but no way: so long it is looked for. -Infinity: nobody, or there is one. */
  wishedUntil = Number.NEGATIVE_INFINITY;
  /** When the user last sent something or got something. */
  trafficAt: number;
  /**
   * When it was first asked for an answer, by data or by a challenge on the path in use (on any, where there is none), since anything came of it.
   * Infinity: it owes none.
   */
  askedSince = Number.POSITIVE_INFINITY;
  /** When keys ended, Infinity while there are any. */
  restsSince = Number.POSITIVE_INFINITY;
  sentBytes = 0;
  receivedBytes = 0;
  /** A wish to connect ends then. */
  connectBy = Number.POSITIVE_INFINITY;
  /** The association has ended, and is forgotten then. */
  endsAt = Number.POSITIVE_INFINITY;
  endReason = '';
  /** It was waited for beyond that, since it had begun to come again. */
  isAwaited = false;
  /** Then it is to be asked whether it is a member still. */
  holdsUntil = Number.POSITIVE_INFINITY;
  /** WebSockets that were told as proved, the last one last. */
  readonly proved = new Set<PathId>();
  /** The last path that was in use. */
  lastPath: PathId | undefined;
  /** Of the connection, when it was moved last. */
  timeouts = 0;
  /** Challenges of `ping`, by their data in hex. */
  readonly pings = new Map<string, { readonly path: PathId; readonly at: number }>();
  /** When paths are tried anew, because none is left. */
  retryAt = Number.POSITIVE_INFINITY;
  retries = 0;
  private readonly options: RemotePeerOptions;

  constructor(now: number, key: PublicKey, hash: string, options: RemotePeerOptions) {
    this.key = key;
    this.publicKey = Uint8Array.from(Buffer.from(key, 'hex'));
    this.hash = hash;
    this.options = options;
    this.trafficAt = now;
    this.connection = this.newConnection();
  }

  get isMember(): boolean {
    return this.authorization?.type === 'member';
  }

  /** It has shown a certificate. */
  get isCertified(): boolean {
    return this.authorization?.type === 'member' && this.authorization.certificate !== undefined;
  }

  /** Of its certificate; empty: it has none. */
  get certifiedName(): string {
    return this.authorization?.type === 'member' ? (this.authorization.certificate?.name ?? '') : '';
  }

  /** Of its certificate. */
  get certifiedAddress(): OverlayAddress | undefined {
    return this.authorization?.type === 'member' ? this.authorization.certificate?.address : undefined;
  }

  get activePath(): PathView | undefined {
    return this.paths?.view().find(({ isActive }) => isActive);
  }

  /** Its paths that are this one, or, if it is undefined, of this socket. */
  pathsOf(path: PathId | undefined, socket: string): readonly PathId[] {
    if (path !== undefined) return this.hints.has(path) || this.paths?.has(path) === true ? [path] : [];
    return (this.paths?.view() ?? []).map((view) => view.path).filter((each) => parseUdpPath(each)?.socket === socket);
  }

  /** It may be there. */
  hint(path: PathId): void {
    this.hints.delete(path);
    this.hints.add(path);
    if (this.hints.size > HINTS_MAX) this.hints.delete(this.hints.values().next().value as PathId);
  }

  /** It is to answer. */
  asked(now: number): void {
    this.askedSince = Math.min(this.askedSince, now);
  }

  /** When it is given up, because nothing came of it since it was asked. */
  get silentAt(): number {
    return this.isUp ? this.askedSince + CONNECTION_LIMITS.silenceMs : Infinity;
  }

  /** When it is forgotten, because nothing was said since its keys ended. */
  get idleAt(): number {
    return this.isConnecting ? Infinity : this.restsSince + FORGET_MS;
  }

  /** When something is to be done for it; Infinity: not before an input. */
  nextAt(): number {
    const active = this.paths?.active;
    // Where no more may be sent before an answer comes, the answer wakes it.
    const isDriven = this.isUp && active !== undefined && this.paths?.isOpen(active) === true;
    return Math.min(
      isDriven ? this.connection.nextAt() : Infinity,
      this.paths?.nextAt() ?? Infinity,
      this.punching?.nextAt() ?? Infinity,
      this.retryAt,
      this.endsAt,
      this.connectBy,
      this.holdsUntil,
      this.idleAt,
      this.silentAt,
    );
  }

  /** Another association: nothing of the one before holds. */
  renewConnection(): void {
    this.connection.dispose();
    this.connection = this.newConnection();
  }

  private newConnection(): Connection {
    const { controller, random, limits, budget, newGeneration } = this.options;
    this.generation = newGeneration();
    return new Connection({ controller: controller(), random, limits, initialRttMs: INITIAL_RTT_MS, budget });
  }
}
