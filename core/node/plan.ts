/**
 * A mesh plan as a node asks it: which logic a name stands for, which group an address belongs to, how a message creates a keyed
 * actor. Addresses below a declared one (pool members, keyed actors) follow it.
 */
import { type Address, ROOT, topOf } from '../address.ts';
import { AddressBook } from '../operator/address-book.ts';
import type { MeshPlan } from '../config/plan.ts';
import type { EventObject } from '../effect.ts';
import { MeshError } from '../errors.ts';
import type { Logic } from '../logic.ts';
import type { InitData } from '../record.ts';
import { type StandardSchema, validated } from '../standard-schema.ts';
import { supervisorOf } from '../supervisor.ts';

/** How an actor that has no stream yet is born by a message. */
export interface Birth {
  readonly logic: string;
  readonly input: unknown;
  readonly supervisor?: InitData['supervisor'];
}

/** What the node knows of the actors: `nodePlan` makes it from a mesh plan, tests by hand. */
export interface NodePlan {
  readonly shards: number;
  readonly horizonMs: number;
  /** Throws LOGIC_NOT_FOUND. */
  logicOf(name: string, address: Address): Logic;
  groupOf(top: Address): string;
  /** The address with its keys left out: a name of few values, for traces. */
  templateOf(address: Address): string;
  /** Somebody starts this address: what comes before that waits. */
  isSupervised(address: Address): boolean;
  /** Throws EVENT_REJECTED when the message does not pass the schema. Undefined: messages do not create this address. */
  birth(address: Address, event: EventObject): Birth | undefined;
  /** Checks an event from outside. Throws EVENT_REJECTED. */
  admit(address: Address, event: EventObject): void;
  passivateAfterMs(address: Address): number;
  /** Messages a lane of its mailbox holds; undefined: as the node's limits say. */
  mailboxMax(address: Address): number | undefined;
  retriesOf(address: Address): boolean;
  atMostOnce(address: Address, action: string): boolean;
}

/** A logic and what guards its door. */
export interface Registered {
  readonly logic: Logic;
  /** Of keyed actors: makes the input from `{ key, event, ...input }`. */
  readonly input?: StandardSchema;
  /** What events from outside must pass. */
  readonly events?: StandardSchema;
}

export function nodePlan(plan: MeshPlan, registry: ReadonlyMap<string, Registered>): NodePlan {
  const book = new AddressBook(plan);
  // By the plan: who only reads a log has registered no more than that log should need.
  const unregistered = (name: string, address: Address): MeshError => {
    const known = Object.entries(plan.logics).flatMap(([k, { from }]) => (from === 'reprise' ? [] : [k]));
    const others = known.length === 0 ? 'nor is any other' : `registered are ${known.join(', ')}`;
    const now = book.at(address)?.logic;
    const cure =
      now === undefined || now === name
        ? ''
        : `. It is declared as '${now}' now: declare it as it was, or begin anew with \`reprise reset ${address}\``;
    return new MeshError('LOGIC_NOT_FOUND', `${address} runs '${name}', which is not registered; ${others}${cure}`);
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
    throw unregistered(name, address);
  };
  return {
    shards: plan.shards,
    horizonMs: plan.horizonMs,
    logicOf,
    groupOf: (top) => book.at(top)?.group ?? 'default',
    templateOf(address): string {
      const top = topOf(address);
      const keyed = book.keyed(top);
      const below = address.slice(top.length).replaceAll(/@\d+\.\d+/g, '');
      return keyed === undefined ? top + below : `${keyed.plan.address}/{key}${below}`;
    },
    isSupervised: (address) => book.isSupervised(address),
    birth(address, event): Birth | undefined {
      const keyed = event.type.startsWith('reprise.') || event.type.startsWith('xstate.') ? undefined : book.keyed(address);
      if (keyed === undefined) return undefined;
      const { plan: kind, key } = keyed;
      const { input } = registry.get(kind.logic) ?? {};
      const given = { ...(typeof kind.input === 'object' && kind.input !== null && kind.input), key, event };
      return {
        logic: kind.logic,
        input: input === undefined ? given : passed(input, given, `the first message of ${address}`),
        supervisor: { address: supervisorOf(kind.address) ?? ROOT, run: `${address}#0` },
      };
    },
    admit(address, event: EventObject): void {
      const { events } = registry.get(book.receiver(address).logic) ?? {};
      if (events !== undefined) passed(events, event, `'${event.type}' for ${address}`);
    },
    mailboxMax: (address) => book.at(address)?.mailbox,
    passivateAfterMs: (address) => book.at(address)?.passivateAfterMs ?? 30_000,
    retriesOf: (address) => book.at(address)?.childrenRetry ?? false,
    atMostOnce: (address, action) => book.at(address)?.atMostOnce.includes(action) ?? false,
  };
}

/** Throws EVENT_REJECTED. */
function passed(schema: StandardSchema, value: unknown, what: string): unknown {
  const result = validated(schema, value, what);
  if (result.issues === undefined) return result.value;
  throw new MeshError('EVENT_REJECTED', `${what} does not pass its schema: ${result.issues.join('; ')}`, {
    data: { issues: result.issues },
  });
}
