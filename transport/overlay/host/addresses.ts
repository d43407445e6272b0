/**
 * Addresses of keys, for a node that asks for them: each is computed once at a time. It takes scrypt, of which few run at once, and until the
 * answer is there a peer can make its node ask as often as it likes.
 */
import type { OverlayAddress } from '../identity/address.ts';
import type { PublicKey } from '../key-text.ts';

export interface AddressesOptions {
  /** `addressOf`, with the profile of the network. */
  readonly compute: (publicKey: Uint8Array) => Promise<OverlayAddress | undefined>;
  /** Not called for a key that no node may have. */
  readonly found: (publicKey: PublicKey, address: OverlayAddress) => void;
}

export class Addresses {
  private readonly o: AddressesOptions;
  private readonly underWay = new Set<PublicKey>();

  constructor(o: AddressesOptions) {
    this.o = o;
  }

  /** 'found' follows. */
  async want(publicKey: PublicKey): Promise<void> {
    if (this.underWay.has(publicKey)) return;
    this.underWay.add(publicKey);
    const address = await this.o.compute(Buffer.from(publicKey, 'hex'));
    this.underWay.delete(publicKey);
    if (address !== undefined) this.o.found(publicKey, address);
  }
}
