/** The peers of a node: which keys each has and had, and what is to be sent and told of it. */
import { MeshError } from '../../../core/errors.ts';
import { Agenda } from '../../../core/agenda.ts';
import { exchangeKeyOf } from '../curve.ts';
import type { Datagram, Own, Shown } from './handshake.ts';
import { KeyTable } from './key-table.ts';
import { KEY_LIMITS, PacketKeys, type KeyLimits, type PacketKeysOptions } from './keys.ts';
import { hexOf, type PublicKey } from '../key-text.ts';
import type { SessionOutput, UpOutput } from './output.ts';
import { Peer } from './peer.ts';
import type { PathId } from '../source.ts';

/** How keys were proved. */
export interface Proof {
  readonly keys: PacketKeys;
  readonly shown: Shown;
  readonly from: PathId;
  /** A key that is there is known to be of no use. */
  readonly replaces: boolean;
  readonly handshake: UpOutput['handshake'];
}

export class Peers {
  readonly table = new KeyTable();
  private readonly own: Own;
  private readonly keyLimits: KeyLimits;
  private readonly byName = new Map<PublicKey, Peer>();
  /** Each no later than when something is to be done for it. */
  private readonly agenda = new Agenda<Peer>();
  private outputs: SessionOutput[] = [];
  private associations = 0;

  constructor(own: Own, keyLimits: Partial<KeyLimits> = {}) {
    this.own = own;
    this.keyLimits = { ...KEY_LIMITS, ...keyLimits };
  }

  get(name: PublicKey): Peer | undefined {
    return this.byName.get(name);
  }

  add(peer: Peer): void {
    this.byName.set(peer.name, peer);
  }

  delete(peer: Peer): void {
    this.byName.delete(peer.name);
    this.agenda.delete(peer);
  }

  /** The record of a key that is to be spoken to; undefined, and told: it cannot be. */
  addNamed(name: PublicKey): Peer | undefined {
    const publicKey = Uint8Array.from(Buffer.from(name, 'hex'));
    const exchangeKey = hexOf(publicKey) === name ? exchangeKeyOf(publicKey) : undefined;
    if (exchangeKey !== undefined && hexOf(this.own.identity.publicKey) !== name) {
      const peer = this.newPeer(publicKey, exchangeKey);
      this.add(peer);
      return peer;
    }
    const why = exchangeKey === undefined ? 'no node may have this key' : 'this is the key of the node itself';
    this.emit({ type: 'failed', peer: name, error: new MeshError('NET_KEY_INVALID', `no session with ${name}: ${why}`) });
    return undefined;
  }

  /** A record that is not kept before `add`. */
  newPeer(publicKey: Uint8Array, exchangeKey: Uint8Array): Peer {
    return new Peer(this.own.identity.publicKey, publicKey, exchangeKey, this.own.random);
  }

  newKeys(options: Omit<PacketKeysOptions, 'limits'>): PacketKeys {
    return new PacketKeys({ ...options, limits: this.keyLimits });
  }

  /** An index by which packets may name something here, and none does yet. */
  drawIndex(): number {
    for (;;) {
      const index = Buffer.from(this.own.random(4)).readUInt32LE();
      if (!this.table.isTaken(index)) return index;
    }
  }

  /** Proved keys take their place, and the association begins, goes on, or ends with another instance of the peer. */
  install(peer: Peer, { keys, shown, from, replaces, handshake }: Proof): void {
    for (const old of peer.outdate(keys, shown)) this.table.forget(old);
    const isKnown = peer.instanceId !== undefined;
    const isSameInstance = peer.instanceId !== undefined && Buffer.compare(peer.instanceId, shown.instanceId) === 0;
    const before = peer.current;
    for (const old of peer.place(keys, isSameInstance, replaces)) this.table.forget(old);
    this.table.sealWith(peer, before, peer.current);
    this.schedule(peer);
    if (peer.current === keys) peer.paths = [from];
    const { authorization, maxDatagram, observed } = shown;
    if (isSameInstance && before !== undefined) {
      this.emit({ type: 'renewed', peer: peer.name, authorization });
      return;
    }
    if (!isSameInstance) {
      peer.instanceId = shown.instanceId;
      // It came back while its last association was ending: that one has ended, and this one has not.
      peer.isRetired = false;
      peer.association = ++this.associations;
      peer.highestPn = -1;
    }
    const restarted = isKnown && !isSameInstance;
    const { name, association } = peer;
    const { isInitiator } = keys;
    this.emit({
      type: 'up',
      peer: name,
      association,
      restarted,
      from,
      isInitiator,
      handshake,
      authorization,
      maxDatagram,
      observed,
    });
  }

  /** Its keys ran out. */
  goDown(peer: Peer): void {
    this.dropKeys(peer);
    this.emit({ type: 'down', peer: peer.name, reason: 'keys_spent' });
  }

  dropKeys(peer: Peer): void {
    this.table.sealWith(peer, peer.current, undefined);
    for (const keys of [peer.current, peer.previous]) if (keys !== undefined) this.table.forget(keys);
    peer.current = undefined;
    peer.previous = undefined;
  }

  fail(peer: Peer, error: MeshError): void {
    this.emit({ type: 'failed', peer: peer.name, error });
    if (peer.isForgotten) this.delete(peer);
  }

  send(datagrams: readonly Datagram[]): void {
    for (const { to, bytes } of datagrams) this.emit({ type: 'datagram', to, bytes });
  }

  emit(output: SessionOutput): void {
    this.outputs.push(output);
  }

  /** What was sent and told since the last `take`, in its order. */
  take(): readonly SessionOutput[] {
    const taken = this.outputs;
    this.outputs = [];
    return taken;
  }

  /** It has something else to wait for: a handshake, keys that end. */
  schedule(peer: Peer): void {
    this.agenda.set(peer, peer.nextAt());
  }

  /** When one of them may have something to do; Infinity: never. */
  nextAt(): number {
    return this.agenda.nextAt();
  }

  /** Who may have something to do, each once; `schedule` says when next. */
  due(now: number): readonly Peer[] {
    return this.agenda.due(now);
  }
}
