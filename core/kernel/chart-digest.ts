/**
 * Digest of a definition: config, implementations and the source text of its functions, so that an edit changes it. What functions
 * close over is not seen.
 */
import type { AnyActorLogic, AnyStateMachine } from 'xstate';
import { digestOf } from '../digest.ts';

/** Types and prose: they change nothing that a machine does. */
const IGNORED = new Set(['types', 'schemas', 'description', 'toJSON']);

export function chartDigest(logic: AnyActorLogic, version: string | undefined): string {
  return digestOf({ version, logic: describe(logic, new Map()) });
}

/** Plain JSON that shows each part once; later sights of it by number. */
function describe(v: unknown, seen: Map<object, number>): unknown {
  if (typeof v === 'function') return describeFunction(v, seen);
  if (typeof v === 'symbol' || typeof v === 'bigint') return String(v);
  if (typeof v !== 'object' || v === null) return v;
  const known = seen.get(v);
  if (known !== undefined) return `@${known}`;
  seen.set(v, seen.size);
  if (Array.isArray(v)) return v.map((x) => describe(x, seen));
  if (v instanceof Map || v instanceof Set) return [...v].map((x) => describe(x, seen));
  const machine = v as Partial<AnyStateMachine>;
  if (machine.root !== undefined && machine.implementations !== undefined)
    return { config: describe(machine.config, seen), implementations: members(machine.implementations, seen) };
  return members(v, seen);
}

function describeFunction(f: object, seen: Map<object, number>): unknown {
  const text = Function.prototype.toString.call(f);
  // XState's own actions and guards are functions that carry what they do as properties.
  return Object.keys(f).length === 0 ? text : { text, ...members(f, seen) };
}

function members(v: object, seen: Map<object, number>): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const key of Object.keys(v)) if (!IGNORED.has(key)) out[key] = describe((v as Record<string, unknown>)[key], seen);
  return out;
}
