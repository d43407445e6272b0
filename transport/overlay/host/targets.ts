/** Whom users mean: a key in hex, an address, a name. */
import { MeshError } from '../../../core/errors.ts';
import { addressOf, parseAddress, type AddressProfile, type OverlayAddress } from '../identity/address.ts';
import type { KnownPeer, PeerSummary } from '../node/ports.ts';
import type { PeerRef } from './ports.ts';
import type { Query } from '../relay/ports.ts';
import { hexOf, type PublicKey } from '../key-text.ts';
import { NAME } from '../trust/encoding.ts';
import type { SignedRecord } from '../trust/record.ts';

export interface TargetsOptions {
  readonly known: readonly KnownPeer[];
  readonly profile: AddressProfile;
  /** Members have certificates: their names are those in there, and no others. */
  readonly isCertified: boolean;
  /** Whether this node has relays; `cut off`: it is registered at none of them at present. */
  readonly relays: () => 'none' | 'cut off' | 'registered';
  /** Undefined: it is not here. */
  readonly peer: (publicKey: PublicKey) => PeerSummary | undefined;
  readonly peers: () => readonly PeerSummary[];
  /** Asks the relays; none: nobody knows. */
  readonly resolve: (query: Query) => Promise<readonly SignedRecord[]>;
}

const KEY = /^[0-9a-f]{64}$/i;
const ADDRESS = /^[0-9a-f]{4}\.[0-9a-f]{4}\.[0-9a-f]{4}$/i;

export class Targets {
  private readonly o: TargetsOptions;
  /** What was proved, until the peer comes or goes: nothing that records only claim. */
  private readonly keys = new Map<string, PublicKey>();
  private readonly refs = new Map<PublicKey, PeerRef>();
  /** Who is asked for, and how to end that. */
  private readonly asking = new Map<string, { readonly key: Promise<PublicKey>; readonly came: (key: PublicKey) => void }>();

  constructor(o: TargetsOptions) {
    this.o = o;
  }

  /**
   * The key, where nobody has to be asked. Undefined also where more than one is meant, and as long as an answer is waited for: what was sent
   * before waits for it, and is not to be overtaken.
   */
  known(target: string): PublicKey | undefined {
    if (KEY.test(target)) return target.toLowerCase();
    if (this.asking.has(target)) return undefined;
    const found = this.keys.get(target) ?? single(this.here(target));
    if (found !== undefined) this.keys.set(target, found);
    return found;
  }

  /** Rejects with NET_NAME_UNKNOWN, NET_ADDRESS_CONFLICT. */
  keyOf(target: string): Promise<PublicKey> {
    const known = this.known(target);
    if (known !== undefined) return Promise.resolve(known);
    return this.asking.get(target)?.key ?? this.beginToAsk(target);
  }

  /** This peer is connected, and has this name: who asks for it need not wait for the relays, nor for what others claim there. */
  came(publicKey: PublicKey, name: string): void {
    this.asking.get(name)?.came(publicKey);
  }

  /**
   * A connected peer that was found by a name has to have it in its certificate. Where members are pinned, one to whom the configuration gives
   * no name is believed. Throws NET_NAME_UNKNOWN.
   */
  check(target: string, { name, publicKey }: PeerSummary): void {
    if (KEY.test(target)) return;
    if (ADDRESS.test(target) || name === target || (name === '' && !this.o.isCertified)) {
      this.keys.set(target, publicKey);
      return;
    }
    this.keys.delete(target);
    throw new MeshError(
      'NET_NAME_UNKNOWN',
      `${publicKey} claims the name '${target}', but its certificate ${name === '' ? 'has none' : `says '${name}'`}`,
    );
  }

  refOf(publicKey: PublicKey): PeerRef {
    const known = this.refs.get(publicKey);
    if (known !== undefined) return known;
    const view = this.o.peer(publicKey);
    const ref: PeerRef = { publicKey, name: view?.name ?? '', address: view?.address };
    if (ref.address !== undefined) this.refs.set(publicKey, ref);
    return ref;
  }

  /** What was known of it may be another now. */
  forget(publicKey: PublicKey): void {
    this.refs.delete(publicKey);
    for (const [target, key] of this.keys) if (key === publicKey) this.keys.delete(target);
  }

  /** Keys that are known here by this name or address. */
  private here(target: string): readonly PublicKey[] {
    const isAddress = ADDRESS.test(target);
    const isMeant = ({ name, address }: Pick<PeerSummary, 'name' | 'address'>): boolean =>
      isAddress ? address === target.toUpperCase() : name === target;
    const connected = this.o.peers().filter(isMeant);
    const configured = isAddress ? [] : this.o.known.filter(({ name }) => name === target);
    return [...new Set([...connected, ...configured].map(({ publicKey }) => publicKey))];
  }

  /** It is over for `known` just before those who wait are told, and they are told at once and in order. */
  private beginToAsk(target: string): Promise<PublicKey> {
    const { promise, resolve, reject } = Promise.withResolvers<PublicKey>();
    this.asking.set(target, { key: promise, came: resolve });
    const over = (): boolean => this.asking.delete(target);
    promise.then(over, over);
    this.ask(target).then(resolve, reject);
    return promise;
  }

  private async ask(target: string): Promise<PublicKey> {
    const isAddress = ADDRESS.test(target);
    if (!isAddress && !NAME.test(target))
      throw new MeshError('NET_NAME_UNKNOWN', `${JSON.stringify(target)} is no name, address or key of a node`);
    const query: Query = isAddress ? { address: parseAddress(target) } : { name: target };
    const records = await this.o.resolve(query);
    const checked = await Promise.all(
      records.map(async (record) => ((await this.isTrue(record)) ? hexOf(record.publicKey) : undefined)),
    );
    const keys = [...new Set([...this.here(target), ...checked.filter((key) => key !== undefined)])];
    const [key] = keys;
    if (key === undefined) {
      const relays = this.o.relays();
      if (relays === 'registered') throw new MeshError('NET_NAME_UNKNOWN', `no relay of this node knows '${target}'`);
      if (relays === 'none')
        throw new MeshError('NET_NAME_UNKNOWN', `no node called '${target}' is known here, and there is no other relay to ask`);
      throw new MeshError('NET_PEER_UNREACHABLE', `no relay of this node answers, so nobody can be asked for '${target}'`);
    }
    if (keys.length > 1)
      throw new MeshError('NET_ADDRESS_CONFLICT', `'${target}' is one of ${keys.length} nodes: ${keys.join(', ')}`, {
        data: { keys },
      });
    return key;
  }

  /** A relay may have made the address up. */
  private async isTrue({ publicKey, address }: SignedRecord): Promise<boolean> {
    return (await addressOf(publicKey, this.o.profile)) === (address satisfies OverlayAddress);
  }
}

const single = (keys: readonly PublicKey[]): PublicKey | undefined => (keys.length === 1 ? keys[0] : undefined);
