/**
 * The two keys that one handshake gave, one for each direction, and how long they may be used.
 *
 * From 120 s or 2^22 packets on its initiator makes a new pair; after 180 s or 2^32 packets neither side uses it any more.
 */
import { createSecretKey, type KeyObject } from 'node:crypto';
import { counterNonce, open, putCounter, sealBehind } from '../aead.ts';
import type { Transport } from '../noise.ts';
import { DATA_HEADER_BYTES, putDataHeader, type DataPacket } from '../wire/packets.ts';
import { ReplayWindow } from './replay-window.ts';

export interface KeyLimits {
  readonly rekeyMs: number;
  readonly rekeyPackets: number;
  readonly stopMs: number;
  readonly stopPackets: number;
  /** Wrong tags after which a new pair is made. */
  readonly wrongTags: number;
}

export const KEY_LIMITS: KeyLimits = {
  rekeyMs: 120_000,
  rekeyPackets: 2 ** 22,
  stopMs: 180_000,
  stopPackets: 2 ** 32,
  wrongTags: 2 ** 20,
};

export interface PacketKeysOptions {
  /** Its keys are wiped. */
  readonly transport: Transport;
  readonly localIndex: number;
  readonly remoteIndex: number;
  readonly isInitiator: boolean;
  readonly createdAt: number;
  readonly limits: KeyLimits;
}

export class PacketKeys {
  /** By which packets to this node name it. */
  readonly localIndex: number;
  readonly remoteIndex: number;
  /** Whether this node sent the INIT. */
  readonly isInitiator: boolean;
  readonly createdAt: number;
  private readonly sendKey: KeyObject;
  private readonly receiveKey: KeyObject;
  private readonly limits: KeyLimits;
  private readonly window = new ReplayWindow();
  /** Written anew for each packet. */
  private readonly header = Buffer.alloc(DATA_HEADER_BYTES);
  private readonly nonce = counterNonce(0);
  private sealed = 0;
  private wrongTags = 0;

  constructor(options: PacketKeysOptions) {
    const { transport } = options;
    this.localIndex = options.localIndex;
    this.remoteIndex = options.remoteIndex;
    this.isInitiator = options.isInitiator;
    this.createdAt = options.createdAt;
    this.limits = options.limits;
    this.sendKey = createSecretKey(transport.sendKey);
    this.receiveKey = createSecretKey(transport.receiveKey);
    transport.sendKey.fill(0);
    transport.receiveKey.fill(0);
  }

  /** When they are too old. */
  get stopAt(): number {
    return this.createdAt + this.limits.stopMs;
  }

  isSpent(now: number): boolean {
    return now >= this.stopAt || this.sealed >= this.limits.stopPackets;
  }

  wantsSuccessor(now: number): boolean {
    const { rekeyMs, rekeyPackets, wrongTags } = this.limits;
    return now - this.createdAt >= rekeyMs || this.sealed >= rekeyPackets || this.wrongTags >= wrongTags;
  }

  /** A DATA packet. `pn` is used once with these keys. */
  seal(pn: number, payload: Uint8Array): Uint8Array {
    this.sealed += 1;
    putDataHeader(this.header, this.remoteIndex, pn);
    return sealBehind(this.sendKey, putCounter(this.nonce, pn), this.header, payload);
  }

  /** The payload; `bytes` are those of `packet`. Only one whose tag holds moves the window, and each number is taken once. */
  open(now: number, packet: DataPacket, bytes: Uint8Array): Uint8Array | 'key_expired' | 'pn_replayed' | 'tag_wrong' {
    if (now >= this.stopAt) return 'key_expired';
    if (!this.window.isNew(packet.pn)) return 'pn_replayed';
    const payload = open(this.receiveKey, putCounter(this.nonce, packet.pn), bytes.subarray(0, DATA_HEADER_BYTES), packet.sealed);
    if (payload === undefined) {
      this.wrongTags += 1;
      return 'tag_wrong';
    }
    this.window.take(packet.pn);
    return payload;
  }
}
