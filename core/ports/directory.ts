/** Who is alive and who owns what. A session is a counter that its holder raises; an observer ends it after a whole TTL without change. */
import type { Shard } from '../address.ts';

export interface SessionState {
  readonly node: string;
  /** Unique per session of a node. */
  readonly session: string;
  /** Raised by each renewal. */
  readonly counter: number;
  /** Where the node's link is reached. */
  readonly endpoint: string;
  /** Groups whose shards it may claim. */
  readonly groups: readonly string[];
  /** The actor in hand when the main loop had not ticked for 1 s. */
  readonly suspect?: string;
}
export interface Claim {
  readonly shard: Shard;
  readonly epoch: number;
  /** Session under which it was made; undefined: released. */
  readonly session: string | undefined;
  readonly node: string | undefined;
}

/** `now`: wall clock of the directory, ms since 1970, by which nodes see how far they are off. */
export type Renewal = { readonly outcome: 'renewed'; readonly now: number } | { readonly outcome: 'ended' };

export interface Directory {
  /** Compare-and-set: 'ended' when an observer has ended this session (it is never renewed then). counter 1 opens it. */
  renew(session: SessionState): Promise<Renewal>;
  /** Ends a session if its counter is still `counter`. */
  end(session: string, counter: number): Promise<'ended' | 'moved'>;
  sessions(): Promise<readonly SessionState[]>;
  claims(): Promise<readonly Claim[]>;
  /** Compare-and-set on the shard: epoch must be the present one + 1 (0 + 1 at first), or higher by `atLeast` rules of the caller. Session undefined releases. */
  claim(claim: Claim, expectedEpoch: number): Promise<'claimed' | 'refused'>;
  /** Calls back when sessions or claims may have changed. Level-triggered scanning is the caller's; this only makes it prompt. */
  watch(changed: () => void): () => void;
  /** Mesh constants, first write wins: 'shards', 'horizonMs'. Returns what is stored. */
  constant(name: string, value: string): Promise<string>;
}
