/** Which of two paths is the better one. Slow to change its mind: each change costs the connection its round-trip time and congestion state. */
import type { PathKind } from './endpoint.ts';
import { SAMPLES_MIN, type Path } from './path.ts';
import type { SwitchReason } from './ports.ts';

const RANKS: Record<PathKind, number> = { direct: 0, tcp: 1, relayed: 2 };
/** A path that loses much comes behind all that do not. */
const LOSSY_RANK = 3;
/** By how much a path of the same kind must be faster. */
const FASTER_MS = 5;
const FASTER_SHARE = 0.2;
/** Between switches for speed alone. */
const FASTER_EVERY_MS = 15_000;

export interface Situation {
  readonly active: Path | undefined;
  /** All, with the active one. */
  readonly paths: readonly Path[];
  /** When another path became active. */
  readonly switchedAt: number;
  /** The connection gave the active path up. */
  readonly isGivenUp: boolean;
}

/** `path` undefined: none is left. */
export interface Change {
  readonly path: Path | undefined;
  readonly reason: SwitchReason;
}

/** Where the traffic belongs. Undefined: all stays as it is. */
export function choose(now: number, { active, paths, switchedAt, isGivenUp }: Situation): Change | undefined {
  const valid = paths.filter((path) => path !== active && path.state === 'valid');
  const free = valid.filter((path) => !path.isHeld(now));
  if (active === undefined || active.state === 'dead') {
    const path = bestOf(free) ?? bestOf(valid) ?? bestOf(paths.filter(({ state }) => state === 'suspect'));
    return path === active ? undefined : { path, reason: 'lost' };
  }
  if (active.state === 'probing') return valid.length === 0 ? undefined : { path: bestOf(valid), reason: 'better' };
  // One that was heard since the doubt is known to work.
  const heard = active.state === 'suspect' ? valid.filter(({ heardAt }) => heardAt >= active.since) : [];
  if (isGivenUp && valid.length > 0) return { path: bestOf(heard) ?? bestOf(valid), reason: 'timeouts' };
  if (active.isSilent(now) && heard.length > 0) return { path: bestOf(heard), reason: 'silent' };
  const better = bestOf(free.filter((path) => rankOf(path) < rankOf(active)));
  if (better !== undefined) return { path: better, reason: 'better' };
  const faster = now - switchedAt < FASTER_EVERY_MS ? undefined : bestOf(free.filter((path) => isFaster(path, active)));
  return faster === undefined ? undefined : { path: faster, reason: 'faster' };
}

/** Lower is better. */
export const rankOf = (path: Path): number => RANKS[path.kind] + (path.loss.isLossy ? LOSSY_RANK : 0);

/** Of the same rank, and faster by enough, as far as both were measured. */
function isFaster(path: Path, than: Path): boolean {
  if (rankOf(path) !== rankOf(than) || path.rttMs === undefined || than.rttMs === undefined) return false;
  if (Math.min(path.samples, than.samples) < SAMPLES_MIN) return false;
  return path.rttMs <= than.rttMs - FASTER_MS && path.rttMs <= than.rttMs * (1 - FASTER_SHARE);
}

/** By rank, then by round-trip time. Undefined: there is none. */
function bestOf(paths: readonly Path[]): Path | undefined {
  const [first, ...rest] = paths;
  if (first === undefined) return undefined;
  return rest.reduce((best, path) => {
    const order = rankOf(path) - rankOf(best) || (path.rttMs ?? Infinity) - (best.rttMs ?? Infinity);
    return order < 0 ? path : best;
  }, first);
}
