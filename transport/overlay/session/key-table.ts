/**
 * Keys by what packets name: the index of this node in DATA, the INIT that they came of, and the index of the other side in a HINT. And handshakes
 * that this node has begun, by the index in their answers.
 */
import type { PacketKeys } from './keys.ts';
import type { Peer } from './peer.ts';

interface Entry {
  readonly peer: Peer;
  readonly keys: PacketKeys;
  /** The INIT of the peer that they came of. */
  readonly init: string | undefined;
}

export class KeyTable {
  private readonly byIndex = new Map<number, Entry>();
  private readonly byInit = new Map<string, Entry>();
  private readonly byRemoteIndex = new Map<number, Peer>();
  private readonly begun = new Map<number, Peer>();

  add(peer: Peer, keys: PacketKeys, init?: string): void {
    const entry = { peer, keys, init };
    this.byIndex.set(keys.localIndex, entry);
    if (init !== undefined) this.byInit.set(init, entry);
  }

  find(localIndex: number): Entry | undefined {
    return this.byIndex.get(localIndex);
  }

  /** The keys that this INIT made, as long as they are here: so each makes one pair. */
  ofInit(init: string): Entry | undefined {
    return this.byInit.get(init);
  }

  forget(keys: PacketKeys): void {
    const init = this.byIndex.get(keys.localIndex)?.init;
    this.byIndex.delete(keys.localIndex);
    if (init !== undefined) this.byInit.delete(init);
  }

  /** Packets to `peer` are sealed with `keys` from now on, or with none. `old`: with what they were. */
  sealWith(peer: Peer, old: PacketKeys | undefined, keys: PacketKeys | undefined): void {
    // Two peers may have drawn one number; a HINT then reaches only one of them.
    if (old !== undefined && this.byRemoteIndex.get(old.remoteIndex) === peer) this.byRemoteIndex.delete(old.remoteIndex);
    if (keys !== undefined) this.byRemoteIndex.set(keys.remoteIndex, peer);
  }

  /** To whom packets with this index go. */
  sealedFor(remoteIndex: number): Peer | undefined {
    return this.byRemoteIndex.get(remoteIndex);
  }

  /** This index is in an INIT to `peer`, and answers will name it. */
  expect(localIndex: number, peer: Peer): void {
    this.begun.set(localIndex, peer);
  }

  expected(localIndex: number): Peer | undefined {
    return this.begun.get(localIndex);
  }

  unexpect(localIndex: number): void {
    this.begun.delete(localIndex);
  }

  /** Whether packets to this node may name something by this index. */
  isTaken(localIndex: number): boolean {
    return this.byIndex.has(localIndex) || this.begun.has(localIndex);
  }
}
