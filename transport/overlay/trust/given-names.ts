/**
 * The names that an authority has given, and to which key: each to one key only, so that a name in a certificate says who it is. Names that
 * differ in nothing but capitals count as one, for people take them for one. A name is free again when its key was revoked.
 *
 * It is what one authority knows: where several keys of a network certify, each knows its own.
 */
import { hexOf } from '../key-text.ts';

/** Plain JSON. */
export interface GivenName {
  readonly name: string;
  /** Ed25519, hex. */
  readonly publicKey: string;
}

export const NAMES_MAX = 16_384;
/** A key may be certified again under another name, and its older certificates hold on for a while. More than this many is somebody at play. */
export const NAMES_OF_KEY_MAX = 4;

export class GivenNames {
  private readonly given: Map<string, GivenName>;

  constructor(given: readonly GivenName[]) {
    this.given = new Map(given.map((each) => [folded(each.name), each]));
  }

  all(): readonly GivenName[] {
    return [...this.given.values()];
  }

  /**
   * Gives this name to this key. `taken`: another key has it, which `isDenied` does not name; `full`: no more is kept, in all or of this key.
   * Then nothing has changed.
   */
  give(name: string, publicKey: Uint8Array, isDenied: (publicKey: Uint8Array) => boolean): 'given' | 'taken' | 'full' {
    const key = hexOf(publicKey);
    const isFree = (each: GivenName): boolean => isDenied(Buffer.from(each.publicKey, 'hex'));
    const held = this.given.get(folded(name));
    if (held !== undefined && held.publicKey !== key && !isFree(held)) return 'taken';
    if (held === undefined && this.given.size >= NAMES_MAX)
      for (const [text, each] of this.given) if (isFree(each)) this.given.delete(text);
    const isNew = held?.publicKey !== key;
    const own = this.all().filter((each) => each.publicKey === key).length;
    if ((held === undefined && this.given.size >= NAMES_MAX) || (isNew && own >= NAMES_OF_KEY_MAX)) return 'full';
    this.given.set(folded(name), { name, publicKey: key });
    return 'given';
  }
}

const folded = (name: string): string => name.toLowerCase();
