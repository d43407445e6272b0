/**
 * A pool: an actor that forwards each message to one of its members, under its own id, and supervises them one_for_one. Whom it
 * chose follows from its log alone, so a message that it has taken is never routed again. It holds nothing back and replies to
 * nobody: a member replies to whoever asked.
 */
import { type Address, hash32 } from './address.ts';
import { canonical } from './canonical.ts';
import { type ChildSpecInput, type FlagsInput, POOL_LOGIC } from './supervision/child-spec.ts';
import type { Effect, EventObject } from './effect.ts';
import { MeshError } from './errors.ts';
import type { Logic } from './logic.ts';
import { reducer, type ReducerContext } from './reducer.ts';
import { emptySupervision, supervise, SUPERVISION_EVENTS, type SupervisionState } from './supervision/supervision.ts';

/**
 * `round_robin`: one after the other. `least_mailbox`: the member with the fewest messages that it has not taken yet, as far as
 * the pool has heard. `hash`: always the same member for the same `field` (or the same event).
 */
export type Router = 'round_robin' | 'least_mailbox' | 'hash';

export interface PoolConfig {
  /** Members, at least 1. They stand at `<address>/1` to `<address>/<size>`. */
  readonly size: number;
  /** @default 'round_robin' */
  readonly router?: Router;
  /** For `hash`: a field of the event, or a path of fields joined by dots. Without it the whole event but for `replyTo`. */
  readonly field?: string;
  readonly member: Partial<Omit<ChildSpecInput, 'id' | 'address'>>;
  /** The strategy is always one_for_one. */
  readonly flags?: Omit<FlagsInput, 'strategy'>;
  /** As of a supervisor. */
  readonly again?: true;
}

export interface PoolState {
  readonly supervision: SupervisionState;
  readonly config: PoolConfig | null;
  /** Messages forwarded so far. */
  readonly routed: number;
  /** Member of the last message. */
  readonly last: Address | null;
  /** By member: forwarded, and not heard to be taken. */
  readonly untaken: Readonly<Record<Address, number>>;
}

interface Turned {
  readonly state: PoolState;
  readonly effects: Effect[];
}

function begin(input: PoolConfig | null | undefined, ctx: ReducerContext): Turned {
  const state: PoolState = {
    supervision: emptySupervision(ctx.address, ctx.ts, ctx.random()),
    config: null,
    routed: 0,
    last: null,
    untaken: {},
  };
  return input?.size === undefined ? { state, effects: [] } : configure(state, input, ctx);
}

function step(state: PoolState, event: EventObject, ctx: ReducerContext): Turned {
  if (event.type === 'reprise.configure') return configure(state, event as unknown as PoolConfig, ctx);
  if (event.type === 'reprise.taken')
    return { state: taken(state, String(event['child']), Number(event['count'] ?? 1)), effects: [] };
  if (SUPERVISION_EVENTS.has(event.type)) {
    const { state: supervision, effects } = supervise(state.supervision, event, ctx);
    return { state: { ...state, supervision }, effects };
  }
  return forward(state, event);
}

function configure(state: PoolState, given: PoolConfig, ctx: ReducerContext): Turned {
  const { size, router = 'round_robin', member } = given;
  if (!Number.isInteger(size) || size < 1)
    throw new MeshError('CONFIG_INVALID', `the pool ${ctx.address} has the size ${size}: give it at least one member`);
  const config: PoolConfig = {
    size,
    router,
    member,
    ...(given.field !== undefined && { field: given.field }),
    ...(given.flags !== undefined && { flags: given.flags }),
  };
  const children = Array.from({ length: size }, (_, i): ChildSpecInput => ({
    ...member,
    id: String(i + 1),
    address: `${ctx.address}/${i + 1}`,
    ...(router === 'least_mailbox' && { marks: true as const }),
  }));
  const { state: supervision, effects } = supervise(
    state.supervision,
    {
      type: 'reprise.configure',
      children,
      flags: { ...config.flags, strategy: 'one_for_one' },
      ...(given.again === true && { again: true }),
    },
    ctx,
  );
  const untaken = Object.fromEntries(
    Object.entries(state.untaken).filter(([address]) => children.some((c) => c.address === address)),
  );
  return { state: { ...state, supervision, config, untaken }, effects };
}

// ---- routes ------------------------------------------------------------------------------------------------------------

function forward(state: PoolState, event: EventObject): Turned {
  const to = choose(state, event);
  const untaken =
    state.config?.router === 'least_mailbox' ? { ...state.untaken, [to]: (state.untaken[to] ?? 0) + 1 } : state.untaken;
  return {
    state: { ...state, routed: state.routed + 1, last: to, untaken },
    effects: [{ kind: 'send', to: { kind: 'address', address: to }, event }],
  };
}

function choose(state: PoolState, event: EventObject): Address {
  const {
    config,
    supervision: { address },
  } = state;
  if (config === null) throw new MeshError('ACTOR_NOT_FOUND', `the pool ${address} has no members yet: it was not configured`);
  const all = Array.from({ length: config.size }, (_, i) => `${address}/${i + 1}`);
  if (config.router === 'hash') return all[hash32(keyOf(event, config.field)) % config.size] as Address;
  const candidates = able(state, all);
  if (config.router === 'least_mailbox')
    return candidates.reduce((least, one) => ((state.untaken[one] ?? 0) < (state.untaken[least] ?? 0) ? one : least));
  const last = state.last === null ? -1 : all.indexOf(state.last);
  return candidates.find((one) => all.indexOf(one) > last) ?? (candidates[0] as Address);
}

/** Those that work or soon will. When none does, mail waits at a parked one rather than with one that was stopped. */
function able(state: PoolState, all: readonly Address[]): readonly Address[] {
  const statusOf = (address: Address): string => state.supervision.children.find((c) => c.address === address)?.status ?? 'idle';
  const working = all.filter((a) => ['running', 'starting', 'restarting'].includes(statusOf(a)));
  if (working.length > 0) return working;
  const parked = all.filter((a) => statusOf(a) === 'parked');
  return parked.length > 0 ? parked : all;
}

/** Text that is equal for events that belong together, whatever the order of their fields. */
function keyOf(event: EventObject, field: string | undefined): string {
  if (field === undefined) {
    const { replyTo: _replyTo, ...rest } = event;
    return sorted(rest);
  }
  let value: unknown = event;
  for (const name of field.split('.')) value = (value as Record<string, unknown> | null | undefined)?.[name];
  return typeof value === 'string' ? value : sorted(value);
}

const sorted = (value: unknown): string => (value === undefined ? 'undefined' : canonical(value));

function taken(state: PoolState, member: Address, count: number): PoolState {
  const left = (state.untaken[member] ?? 0) - count;
  const { [member]: _before, ...others } = state.untaken;
  return { ...state, untaken: left > 0 ? { ...others, [member]: left } : others };
}

/** Input: `PoolConfig`, or nothing until the first `reprise.configure`. */
export const pool: Logic = reducer<PoolState, PoolConfig | null | undefined>({
  id: POOL_LOGIC,
  version: '1',
  controls: true,
  init: begin,
  step,
});
