/**
 * A mesh plan as a node asks it: which logic a name stands for, which group an address belongs to, how a message creates a keyed
 * actor. Addresses below a declared one (pool members, keyed actors) follow it.
 */
import { type Address, ROOT } from './address.ts';
import type { ActorPlan, MeshPlan } from './config/plan.ts';
import type { EventObject } from './effect.ts';
import { MeshError } from './errors.ts';
import type { Logic } from './logic.ts';
import type { Birth, NodePlan } from './node.ts';
import { supervisorOf } from './supervisor.ts';

/** Any schema library that speaks Standard Schema (zod, valibot, arktype). Synchronous only. */
export interface Schema {
  readonly '~standard': {
    validate(
      value: unknown,
    ):
      | { readonly value: unknown; readonly issues?: undefined }
      | { readonly issues: readonly { readonly message: string; readonly path?: readonly unknown[] }[] }
      | Promise<unknown>;
  };
}

/** A logic and what guards its door. */
export interface Registered {
  readonly logic: Logic;
  /** Of keyed actors: makes the input from `{ key, event, ...input }`. */
  readonly input?: Schema;
  /** What events from outside must pass. */
  readonly events?: Schema;
}

export function nodePlan(plan: MeshPlan, registry: ReadonlyMap<string, Registered>): NodePlan {
  const byAddress = new Map(plan.actors.map((a) => [a.address, a]));
  const planAt = (address: Address): ActorPlan | undefined => {
    for (
      let at: string | undefined = address;
      at !== undefined && at !== '';
      at = at.includes('/') ? at.slice(0, at.lastIndexOf('/')) : undefined
    ) {
      const found = byAddress.get(at);
      if (found !== undefined && (at === address || found.kind === 'keyed' || found.kind === 'pool' || address.includes('@', 1)))
        return found;
    }
    return undefined;
  };
  const logicOf = (name: string, address: Address): Logic => {
    const child = name.lastIndexOf('>');
    if (child >= 0) {
      const source = logicOf(name.slice(0, child), address).source(name.slice(child + 1));
      if (source?.kind === 'actor') return source.logic;
      throw new MeshError(
        'LOGIC_NOT_FOUND',
        `${address} runs '${name}', but '${name.slice(0, child)}' has no actor '${name.slice(child + 1)}' any more`,
      );
    }
    const found = registry.get(name);
    if (found !== undefined) return found.logic;
    throw new MeshError(
      'LOGIC_NOT_FOUND',
      `${address} runs '${name}', which is not registered; registered are ${[...registry.keys()].filter((k) => !k.startsWith('reprise.')).join(', ')}`,
    );
  };
  const keyedAt = (address: Address): ActorPlan | undefined => {
    const found = address.includes('@', 1) ? undefined : planAt(address);
    return found?.kind === 'keyed' && address.startsWith(`${found.address}/`) ? found : undefined;
  };
  return {
    shards: plan.shards,
    horizonMs: plan.horizonMs,
    logicOf,
    groupOf: (top) => planAt(top)?.group ?? 'default',
    birth(address, event): Birth | undefined {
      const keyed = keyedAt(address);
      if (keyed === undefined || event.type.startsWith('reprise.') || event.type.startsWith('xstate.')) return undefined;
      const { input } = registry.get(keyed.logic) ?? {};
      const key = decodeURIComponent(address.slice(keyed.address.length + 1));
      const given = { ...(typeof keyed.input === 'object' && keyed.input !== null && keyed.input), key, event };
      const supervisor = supervisorOf(keyed.address) ?? ROOT;
      return {
        logic: keyed.logic,
        input: input === undefined ? given : passed(input, given, `the first message of ${address}`),
        supervisor: { address: supervisor, run: `${address}#0` },
      };
    },
    admit(address, event: EventObject): void {
      const known = planAt(address);
      if (known === undefined) throw unknownActor(address, plan);
      if (known.kind === 'keyed' && address === known.address)
        throw new MeshError('ACTOR_NOT_FOUND', `'${address}' is a kind of actors by key: send to ${address}/KEY`);
      const events = registry.get(known.logic)?.events;
      if (events !== undefined) passed(events, event, `'${event.type}' for ${address}`);
    },
    mailboxMax: (address) => planAt(address)?.mailbox,
    passivateAfterMs: (address) => planAt(address)?.passivateAfterMs ?? 30_000,
    retriesOf: (address) => planAt(address)?.childrenRetry ?? false,
    atMostOnce: (address, action) => planAt(address)?.atMostOnce.includes(action) ?? false,
  };
}

function passed(schema: Schema, value: unknown, what: string): unknown {
  const result = schema['~standard'].validate(value);
  if (result instanceof Promise)
    throw new MeshError(
      'EVENT_REJECTED',
      `${what}: its schema is asynchronous, which cannot be checked at the door; use a synchronous one`,
    );
  if (result.issues === undefined) return result.value;
  const issues = result.issues.map(
    (i) =>
      `${(i.path ?? []).map((p) => String(typeof p === 'object' && p !== null && 'key' in p ? p.key : p)).join('.') || 'event'}: ${i.message}`,
  );
  throw new MeshError('EVENT_REJECTED', `${what} does not pass its schema: ${issues.join('; ')}`, { data: { issues } });
}

export function unknownActor(address: Address, plan: MeshPlan): MeshError {
  const known = plan.actors.filter((a) => a.address !== ROOT).map((a) => (a.kind === 'keyed' ? `${a.address}/KEY` : a.address));
  return new MeshError('ACTOR_NOT_FOUND', `no actor '${address}'; the mesh has ${known.join(', ')}`, { data: { known } });
}
