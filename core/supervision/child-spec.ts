/**
 * What a supervisor is told about its children and about itself, as plain data, with OTP's names and defaults.
 * Knows no state and no message: `supervision.ts` decides with it.
 */
import type { Address } from '../address.ts';

export type Strategy = 'one_for_one' | 'one_for_all' | 'rest_for_one';
export type RestartType = 'permanent' | 'transient' | 'temporary';
export type ChildKind = 'worker' | 'supervisor' | 'keyed' | 'pool';

/** Waits between restarts of one child: `minMs * factor ** (restarts in a row - 1)`, at most `maxMs`, less up to the share `jitter` of it. */
export interface Backoff {
  /** ms; 0: no wait at all, as in OTP. @default 100 */
  readonly minMs: number;
  /** ms. Keep it below the 30 s after which a child without orders acts alone. @default 15000 */
  readonly maxMs: number;
  /** At least 1. @default 2 */
  readonly factor: number;
  /** 0 to 1. @default 0.2 */
  readonly jitter: number;
}

export interface SupervisorFlags {
  /** @default 'one_for_one' */
  readonly strategy: Strategy;
  /** Restarts that are allowed within `periodMs`; one more spends the budget. @default 1 */
  readonly intensity: number;
  /** ms. @default 5000 */
  readonly periodMs: number;
  readonly backoff: Backoff;
  /** `park`: the failing child waits for a person, its siblings go on. `escalate`: the supervisor fails upward, as in OTP. @default 'park' */
  readonly whenSpent: 'park' | 'escalate';
  /** ms that an ordered start waits for one child before it goes on to the next; the order itself stands. @default 30000 */
  readonly startMs: number;
}

export const defaultFlags: SupervisorFlags = {
  strategy: 'one_for_one',
  intensity: 1,
  periodMs: 5_000,
  backoff: { minMs: 100, maxMs: 15_000, factor: 2, jitter: 0.2 },
  whenSpent: 'park',
  startMs: 30_000,
};

export interface ChildSpec {
  /** Unique under its supervisor. */
  readonly id: string;
  /** Of the actor; of `keyed`, the prefix that all its actors have. */
  readonly address: Address;
  /** Name under which the logic is registered. @default 'reprise.supervisor' or 'reprise.pool' for these kinds */
  readonly logic: string;
  /** For a supervisor its `SupervisorConfig`, for a pool its `PoolConfig`. */
  readonly input: unknown;
  /** @default 'permanent'; 'transient' for keyed actors, which may end normally */
  readonly restart: RestartType;
  /** ms to stop in; later it is killed. A supervisor's is the sum of its children's. @default 5000 */
  readonly shutdownMs: number;
  /** @default 'worker' */
  readonly kind: ChildKind;
  /** In a group restart: `fresh`: a new `init`; `with`: it goes on where it was. @default 'fresh' */
  readonly history: 'with' | 'fresh';
  /** Replaces those of the flags, member by member. */
  readonly backoff?: Partial<Backoff>;
  /** The child tells its supervisor what it has taken (`reprise.taken`): a pool counts with it. */
  readonly marks?: true;
}

/** A child spec as a config writes it: what has a default may be left out. */
export type ChildSpecInput = Pick<ChildSpec, 'id' | 'address'> & Partial<Omit<ChildSpec, 'id' | 'address'>>;
export type FlagsInput = Partial<Omit<SupervisorFlags, 'backoff'>> & { readonly backoff?: Partial<Backoff> };

/** Input of a supervisor, and payload of `reprise.configure`. */
export interface SupervisorConfig {
  readonly children: readonly ChildSpecInput[];
  readonly flags?: FlagsInput;
  /** Of `reprise.configure`: children that did not start are tried again, also those of the supervisors and pools below. */
  readonly again?: true;
}

/** Names under which a node registers the two logics of this folder. */
export const SUPERVISOR_LOGIC = 'reprise.supervisor';
export const POOL_LOGIC = 'reprise.pool';

const LOGIC_OF_KIND: Partial<Record<ChildKind, string>> = { supervisor: SUPERVISOR_LOGIC, pool: POOL_LOGIC };

export function childSpec(given: ChildSpecInput): ChildSpec {
  const kind = given.kind ?? 'worker';
  return {
    logic: LOGIC_OF_KIND[kind] ?? given.id,
    input: null,
    restart: kind === 'keyed' ? 'transient' : 'permanent',
    shutdownMs: 5_000,
    kind,
    history: 'fresh',
    ...given,
  };
}

export function supervisorFlags(given: FlagsInput = {}): SupervisorFlags {
  return { ...defaultFlags, ...given, backoff: { ...defaultFlags.backoff, ...given.backoff } };
}

/** ms that a stop of this child may take: stops are sequential, so those of a supervisor's children add up. Keyed actors stop all at once. */
export function stopDeadlineMs(spec: ChildSpec): number {
  if (spec.kind === 'supervisor') {
    const { children = [] } = (spec.input ?? {}) as Partial<SupervisorConfig>;
    // Children that were added at run time are not in the config: at least its own deadline is left for them.
    if (children.length === 0) return spec.shutdownMs;
    return children.reduce((sum, child) => sum + stopDeadlineMs(childSpec(child)), 0);
  }
  if (spec.kind === 'pool') {
    const { size = 1, member } = (spec.input ?? {}) as {
      readonly size?: number;
      readonly member?: { readonly shutdownMs?: number };
    };
    return size * (member?.shutdownMs ?? spec.shutdownMs);
  }
  return spec.shutdownMs;
}
