/** Whom a node has met since its start: by which names, and with what connections have ended. Of those who have gone, too. */
import type { OverlayEvent } from '../../transport/overlay/node/ports.ts';
import { partingText } from './render.ts';
import { isName, type Names } from './status.ts';

/** The end of a connection. */
export interface Parting {
  /** ms since 1970. */
  readonly at: number;
  /** With what it has ended, in words. */
  readonly why: string;
}

const MET_MAX = 4_096;

export class Met {
  private readonly known = new Map<string, string>();
  private readonly ends = new Map<string, Parting>();

  /** By key. */
  get names(): ReadonlyMap<string, string> {
    return this.known;
  }
  /** By key, as long as there is no other connection; the last one last. */
  get partings(): ReadonlyMap<string, Parting> {
    return this.ends;
  }

  heard(event: OverlayEvent, wallClockMs: number): void {
    if ('name' in event && event.name !== '') this.known.set(event.peer, event.name);
    if (event.type === 'peer_up' || event.type === 'peer_down') this.ends.delete(event.peer);
    if (event.type === 'peer_down') this.ends.set(event.peer, { at: wallClockMs, why: partingText(event.reason) });
    for (const known of [this.known, this.ends]) if (known.size > MET_MAX) known.delete(known.keys().next().value as string);
  }

  /** Keys that are, or were, called so. */
  called(name: string): readonly string[] {
    return [...this.known].flatMap(([key, known]) => (known === name ? [key] : []));
  }
}

/** A node that was here, and is not any more. */
export interface GoneRow extends Parting {
  readonly name: string;
  readonly key: string;
  readonly isRevoked: boolean;
}

/** Of those who have gone, the last ones. */
const GONE_MAX = 64;

/** The last first; without those that are `here`, those without a name (guests, who ask for a certificate), and those to whom only nothing was said. */
export function goneRows(
  partings: ReadonlyMap<string, Parting>,
  here: readonly { readonly publicKey: string }[],
  names: Names,
  isRevoked: (key: string) => boolean,
): readonly GoneRow[] {
  const isHere = new Set(here.map(({ publicKey }) => publicKey));
  return [...partings]
    .filter(([key, { why }]) => !isHere.has(key) && why !== 'idle' && isName(names(key)))
    .slice(-GONE_MAX)
    .toReversed()
    .map(([key, parting]) => ({ name: names(key), key, ...parting, isRevoked: isRevoked(key) }));
}
