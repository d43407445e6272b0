/** Why there is no direct path, in words for people. */
import type { Offer } from './candidates.ts';

export interface Attempted {
  readonly mine: Offer | undefined;
  readonly theirs: Offer | undefined;
  /** Probes went out. */
  readonly fired: boolean;
  /** Ports were guessed. */
  readonly guessed: boolean;
  /** This side may guess ports at all. */
  readonly birthday: boolean;
}

export function whyRelayed({ mine, theirs, fired, guessed, birthday }: Attempted): string {
  if (mine === undefined || theirs === undefined) return 'the peer did not answer with its candidates';
  if (!sees(mine)) return 'UDP does not get out on this side';
  if (!sees(theirs)) return 'UDP does not get out on the side of the peer';
  if (!fired) return 'the peer gave no sign to start, or no candidate that may be probed';
  if (mine.kind === 'sym' && theirs.kind === 'sym') return 'both sides are behind symmetric NATs';
  if (mine.kind !== 'sym' && theirs.kind !== 'sym')
    return 'no probe came through, though neither side is known to be behind a symmetric NAT';
  const side = `${mine.kind === 'sym' ? 'this side' : 'the peer'} is behind a symmetric NAT`;
  if (guessed) return `${side}, and its ports were guessed in vain`;
  if (!birthday) return `${side}, and this side is set not to guess ports`;
  if (!theirs.birthday) return `${side}, and the peer does not guess ports, or not now`;
  if (mine.kind === 'unknown' || theirs.kind === 'unknown') return `${side}, and what the other side is behind is not known`;
  return `${side}; ports are guessed for one peer at a time, and for each once in 10 minutes`;
}

/** A relay has seen it by UDP. */
const sees = (offer: Offer): boolean => offer.candidates.some(({ isReflexive }) => isReflexive);
