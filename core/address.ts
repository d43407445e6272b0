/**
 * Addresses and the ids that are made from them.
 *
 *   desk/intake              a named actor: its path in the supervision tree
 *   desk/case/A-17           a keyed actor: path and key (the key percent-encoded)
 *   desk/case/A-17/llm@4.0   a child that a chart spawned: its id and, behind `@`, seq.index of the effect that spawned it
 *   tools/files models/main  gateways; `@root` is the root supervisor; `@outside` is who sends from outside
 *   desk/intake!12.0         an effect (and so a message, and the address that a reply to it goes to)
 */
import { MeshError } from './errors.ts';

export type Address = string;
/** `actor!seq.index`: idempotency key, dedup key and incarnation token in one. Never used twice, and grows. */
export type EffectId = string;

export const ROOT: Address = '@root';
export const OUTSIDE: Address = '@outside';

const ADDRESS_MAX = 512;
const ADDRESS = /^[\w.~%+=-]+(?:@\d+\.\d+)?(?:\/[\w.~%+=-]+(?:@\d+\.\d+)?)*$/;

/** Throws ADDRESS_INVALID. */
export function checkAddress(text: string): Address {
  if (text === ROOT || (typeof text === 'string' && text.length <= ADDRESS_MAX && ADDRESS.test(text))) return text;
  throw new MeshError(
    'ADDRESS_INVALID',
    `'${shown(text)}' is no actor address: use letters, digits and ._~%+=- in segments joined by '/'`,
  );
}

/**
 * What a message may be sent to: an actor; an effect that waits for a reply (`actor!12.0`); a client outside (`@outside!id`).
 *
 * Throws ADDRESS_INVALID.
 */
export function checkTarget(text: string): void {
  const effect = typeof text === 'string' ? EFFECT.exec(text)?.[1] : undefined;
  if (text !== OUTSIDE && effect !== OUTSIDE) checkAddress(effect ?? text);
}
const EFFECT = /^(@outside(?=!)|[^!]+(?=!\d+\.\d+$))/;

/** On one line, whatever it is. */
const shown = (text: unknown): string => {
  const line = JSON.stringify(String(text)).slice(1, -1);
  return line.length <= 100 ? line : `${line.slice(0, 100)}…`;
};

/** Any text as one segment, so that user keys are safe in addresses. */
export const segment = (key: string): string =>
  encodeURIComponent(key).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

export const effectId = (actor: Address, seq: number, index: number): EffectId => `${actor}!${seq}.${index}`;

/** Effects a step may have: one position is one number, seq * EFFECTS_MAX + index. */
export const EFFECTS_MAX = 65_536;

/** Where an id stands among all ids of its actor: a number that grows. -1 for an id from outside. */
export function positionOf(id: EffectId): number {
  const bang = id.lastIndexOf('!');
  if (bang < 0) return -1;
  const dot = id.indexOf('.', bang);
  return Number(id.slice(bang + 1, dot)) * EFFECTS_MAX + Number(id.slice(dot + 1));
}

export const childAddress = (parent: Address, child: string, spawnedBy: EffectId): Address =>
  `${parent}/${segment(child)}@${spawnedBy.slice(spawnedBy.lastIndexOf('!') + 1)}`;

/** The actor that decides where `address` lives: children that a chart spawned live with it. */
export function topOf(address: Address): Address {
  const at = address.indexOf('@', 1);
  return at < 0 ? address : address.slice(0, address.lastIndexOf('/', at));
}

/** A shard, the unit of placement, as text: `group/number`. */
export type Shard = string;

/** FNV-1a over UTF-16 units: part of the format, so it never changes. */
export function hash32(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0;
}

export const shardOf = (group: string, address: Address, shards: number): Shard => `${group}/${hash32(topOf(address)) % shards}`;

/** Logs that were imported, to be replayed and never run: `@imported/name`. No group has such a name, and no store lets it be claimed. */
const IMPORTED = '@imported/';
export const importedShard = (name: string): Shard => `${IMPORTED}${segment(name)}`;
export const isImported = (shard: Shard): boolean => shard.startsWith(IMPORTED);
