/**
 * The rules of a `Directory` over plain maps. `memory()` is nothing more; `sqlite()` gives it what the file holds and writes each
 * change down before it counts.
 */
import type { Shard } from '../core/address.ts';
import { isImported } from '../core/address.ts';
import type { Claim, Directory, Renewal, SessionState } from '../core/ports/directory.ts';

/** Sessions that ended are remembered, so that none of them is opened again; only the last ones, because ids are unique. */
const ENDED_MAX = 1_000;
const ENDED: Renewal = { outcome: 'ended' };

export interface DirectoryState {
  readonly sessions: Map<string, SessionState>;
  /** Oldest first. */
  readonly ended: Set<string>;
  readonly claims: Map<Shard, Claim>;
  readonly constants: Map<string, string>;
}
/** Makes a change durable; when it throws, nothing has changed. A renewal that only raises the counter is not written. */
export interface DirectoryLog {
  session(session: SessionState): void;
  ended(session: string): void;
  claim(claim: Claim): void;
  constant(name: string, value: string): void;
}

export const emptyDirectory = (): DirectoryState => ({
  sessions: new Map(),
  ended: new Set(),
  claims: new Map(),
  constants: new Map(),
});

const UNWRITTEN: DirectoryLog = {
  session: () => undefined,
  ended: () => undefined,
  claim: () => undefined,
  constant: () => undefined,
};

export class LocalDirectory implements Directory {
  private readonly clock: () => number;
  private readonly state: DirectoryState;
  private readonly log: DirectoryLog;
  private readonly watchers = new Set<() => void>();

  /** `clock`: ms since 1970. */
  constructor(clock: () => number, state: DirectoryState = emptyDirectory(), log: DirectoryLog = UNWRITTEN) {
    this.clock = clock;
    this.state = state;
    this.log = log;
  }

  /** The epoch that the fence lets pass; -1: nobody holds the shard. */
  epochOf(shard: Shard): number {
    const claim = this.state.claims.get(shard);
    return claim?.session === undefined ? -1 : claim.epoch;
  }

  async renew(session: SessionState): Promise<Renewal> {
    const { sessions, ended } = this.state;
    const known = sessions.get(session.session);
    // A counter that observers have seen already would prolong nothing in their eyes: its holder may not count on it.
    if (ended.has(session.session) || session.counter <= (known?.counter ?? 0)) return ENDED;
    if (known === undefined && session.counter !== 1) return ENDED;
    const differs = known === undefined || !same(known, session);
    if (differs) this.log.session(session);
    sessions.set(session.session, copy(session));
    if (differs) this.changed();
    return { outcome: 'renewed', now: this.clock() };
  }

  async end(session: string, counter: number): Promise<'ended' | 'moved'> {
    const { sessions, ended } = this.state;
    const known = sessions.get(session);
    if (known !== undefined && known.counter !== counter) return 'moved';
    if (known === undefined) return 'ended';
    this.log.ended(session);
    sessions.delete(session);
    ended.add(session);
    for (const oldest of ended) {
      if (ended.size <= ENDED_MAX) break;
      ended.delete(oldest);
    }
    this.changed();
    return 'ended';
  }

  async sessions(): Promise<readonly SessionState[]> {
    return [...this.state.sessions.values()].map(copy);
  }

  async claims(): Promise<readonly Claim[]> {
    return [...this.state.claims.values()].map((claim) => ({ ...claim }));
  }

  async claim(claim: Claim, expectedEpoch: number): Promise<'claimed' | 'refused'> {
    const present = this.state.claims.get(claim.shard)?.epoch ?? 0;
    if (present !== expectedEpoch || claim.epoch <= present || isImported(claim.shard)) return 'refused';
    this.log.claim(claim);
    this.state.claims.set(claim.shard, { ...claim });
    this.changed();
    return 'claimed';
  }

  watch(changed: () => void): () => void {
    const watcher = (): void => changed();
    this.watchers.add(watcher);
    return () => this.watchers.delete(watcher);
  }

  async constant(name: string, value: string): Promise<string> {
    const { constants } = this.state;
    const stored = constants.get(name);
    if (stored !== undefined) return stored;
    this.log.constant(name, value);
    constants.set(name, value);
    return value;
  }

  private changed(): void {
    for (const watcher of [...this.watchers]) watcher();
  }
}

const copy = (session: SessionState): SessionState => ({ ...session, groups: [...session.groups] });

const same = (a: SessionState, b: SessionState): boolean =>
  a.node === b.node &&
  a.endpoint === b.endpoint &&
  a.suspect === b.suspect &&
  a.groups.length === b.groups.length &&
  a.groups.every((group, i) => group === b.groups[i]);
