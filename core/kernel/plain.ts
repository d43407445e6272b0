/**
 * Plain data: what JSON gives back as it was. Checks it (with the path of what is not), makes it from what users hand over, and turns
 * references to actors into XState's marker and back. It copies only where something has to change.
 */
import { type ErrorCode, errorData, MeshError } from '../errors.ts';

/** How JSON holds a reference to an actor. XState's own marker. */
export interface RefMarker {
  readonly xstate$$type: 1;
  /** An address; or an effect, `actor!12.0`, whose reply is awaited. In a persisted context without `at`: the id of a child. */
  readonly id: string;
  readonly at?: 'address';
}

/** An XState actor reference, or one of ours: what XState itself looks for. */
export const isRef = (v: object): boolean => 'sessionId' in v && 'send' in v && 'ref' in v;
export const isMarker = (v: object): v is RefMarker => 'xstate$$type' in v && (v as RefMarker).xstate$$type === 1;

const PATH_KEY = /^[A-Za-z_$][\w$]*$/;
const at = (path: string, key: string | number): string =>
  typeof key === 'number' || !PATH_KEY.test(key) ? `${path}[${JSON.stringify(key)}]` : `${path}.${key}`;

const article = (name: string): string => `${/^[AEIO]/i.test(name) ? 'an' : 'a'} ${name}`;

/** How a value that JSON cannot give back is called in messages. */
function nameOf(v: unknown): string {
  if (typeof v === 'function') return `a function${v.name === '' ? '' : ` (${v.name})`}`;
  if (typeof v === 'object' && v !== null)
    return article((v.constructor as { name?: string } | undefined)?.name ?? 'object without prototype');
  return typeof v === 'number' ? String(v) : `a ${typeof v}`;
}

function isPlainObject(v: object): boolean {
  const prototype = Object.getPrototypeOf(v) as object | null;
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null;
}

export interface NotPlain {
  readonly path: string;
  /** `a Map`, `a function`, `NaN`, `a reference to another actor`. */
  readonly what: string;
  readonly ref?: true;
}

/** The first part of `value` that JSON would not give back; undefined: all of it is plain. `isOwn` tells the references that may stay. */
export function notPlain(
  value: unknown,
  path: string,
  isOwn: (ref: object) => boolean,
  known?: WeakSet<object>,
): NotPlain | undefined {
  return find(value, path, isOwn, known, []);
}

function find(
  v: unknown,
  path: string,
  isOwn: (ref: object) => boolean,
  known: WeakSet<object> | undefined,
  open: object[],
): NotPlain | undefined {
  if (v === null || v === undefined || typeof v === 'string' || typeof v === 'boolean') return undefined;
  if (typeof v === 'number') return Number.isFinite(v) ? undefined : { path, what: String(v) };
  if (typeof v !== 'object') return { path, what: nameOf(v) };
  if (known?.has(v) === true) return undefined;
  if (isRef(v)) return isOwn(v) ? undefined : { path, what: 'a reference to an actor that is not its child', ref: true };
  if (open.includes(v)) return { path, what: 'an object that contains itself' };
  if (!Array.isArray(v) && !isPlainObject(v)) return { path, what: nameOf(v) };
  open.push(v);
  const keys: readonly (string | number)[] = Array.isArray(v) ? v.map((_, i) => i) : Object.keys(v);
  for (const key of keys) {
    const x = (v as Record<string | number, unknown>)[key];
    const found =
      x === undefined && Array.isArray(v)
        ? { path: at(path, key), what: 'undefined in a list' }
        : find(x, at(path, key), isOwn, known, open);
    if (found !== undefined) return found;
  }
  open.pop();
  known?.add(v);
  return undefined;
}

/** Where the value contains itself; undefined: nowhere. Looks at what JSON would see. */
export const pathOfCycle = (value: unknown): string | undefined => (isPlain(value, 0) ? undefined : cycle(value, '', []));

function cycle(v: unknown, path: string, open: object[]): string | undefined {
  if (typeof v !== 'object' || v === null || isRef(v)) return undefined;
  if (open.includes(v)) return withoutDot(path);
  const { toJSON } = v as { toJSON?: unknown };
  open.push(v);
  const seen = typeof toJSON === 'function' ? (v as { toJSON(): unknown }).toJSON() : v;
  if (seen !== v) {
    const found = cycle(seen, path, open);
    open.pop();
    return found;
  }
  for (const [key, x] of Object.entries(v)) {
    const found = cycle(x, at(path, Array.isArray(v) ? Number(key) : key), open);
    if (found !== undefined) return found;
  }
  open.pop();
  return undefined;
}

/** Freezes what is reached, once: a machine that changes its context in place then throws where it does so. */
export function freezeDeep(v: unknown): void {
  if (typeof v !== 'object' || v === null || Object.isFrozen(v) || isRef(v)) return;
  Object.freeze(v);
  for (const key in v) freezeDeep((v as Record<string, unknown>)[key]);
}

export interface PlainOptions {
  /** For errors: `event 'PAID'`, `output of llm`. */
  readonly what: string;
  readonly code: ErrorCode;
  /** Undefined: the reference cannot be carried. */
  marker(ref: object): RefMarker | undefined;
  /** Always a copy, so that nobody else holds a part of it. */
  readonly copy?: boolean;
}

/**
 * The same data as JSON keeps it: dates and others with `toJSON` as that gives, errors as ErrorData, references as markers, members
 * that are undefined left out. Gives the value itself when nothing has to change.
 * Throws `options.code` for functions, symbols, bigints, maps, sets, promises, bytes and cycles: JSON would lose them without a word. And
 * for what is deeper than 200 levels.
 */
export function toPlain<T>(value: T, options: PlainOptions): T {
  return options.copy !== true && isPlain(value, 0) ? value : (convert(value, '', options, []) as T);
}

/** Nearly everything is plain already: that is found out without paths and copies. False for what only might not be. */
function isPlain(v: unknown, depth: number): boolean {
  if (typeof v === 'string' || typeof v === 'boolean') return true;
  if (typeof v === 'number') return Number.isFinite(v);
  if (typeof v !== 'object') return v === undefined && depth === 0;
  if (v === null) return true;
  if (depth > 100 || vetted.has(v)) return depth <= 100;
  if (Array.isArray(v)) {
    for (let i = 0; i < v.length; i++) if (!isPlain(v[i], depth + 1)) return false;
    if (v.length > 8) vetted.add(v);
    return true;
  }
  if (Object.getPrototypeOf(v) !== Object.prototype || 'toJSON' in v) return false;
  for (const key in v) if (!isPlain((v as Record<string, unknown>)[key], depth + 1)) return false;
  return true;
}
/** Long lists that were looked through: they count as immutable. */
const vetted = new WeakSet<object>();

/** Objects and lists in one another. JSON has no bound, but what reads it again has. */
const DEPTH_MAX = 200;
/** Characters of a path that are shown: it is as long as the data are deep. */
const PATH_MAX = 200;

function refuse(what: string, path: string, options: PlainOptions): never {
  const where = shown(path);
  const why = `${options.what} holds ${what}${where === '' ? '' : ` at ${where}`}, which JSON cannot carry: hand over plain data`;
  throw new MeshError(options.code, why, { data: { path: where } });
}
function refuseDepth(path: string, options: PlainOptions): never {
  const where = shown(path);
  const why = `${options.what} is deeper than ${DEPTH_MAX} levels at ${where}: hand over flatter data, or the deep part as text`;
  throw new MeshError(options.code, why, { data: { path: where } });
}
const shown = (path: string): string => {
  const where = withoutDot(path);
  return where.length <= PATH_MAX ? where : `${where.slice(0, PATH_MAX)}…`;
};
const withoutDot = (path: string): string => (path.startsWith('.') ? path.slice(1) : path);

const LOST = [Map, Set, WeakMap, WeakSet, Promise, ArrayBuffer] as const;

function convert(v: unknown, path: string, options: PlainOptions, open: object[]): unknown {
  switch (typeof v) {
    case 'string':
    case 'boolean':
    case 'undefined':
      return v;
    case 'number':
      return Number.isFinite(v) ? v : null;
    case 'bigint':
    case 'symbol':
    case 'function':
      return refuse(nameOf(v), path, options);
    case 'object':
      break;
  }
  if (v === null) return null;
  const object = v;
  if (isRef(object)) {
    return options.marker(object) ?? refuse('a reference to no actor of this mesh', path, options);
  }
  if (typeof (object as { toJSON?: unknown }).toJSON === 'function')
    return convert((object as { toJSON(): unknown }).toJSON(), path, options, open);
  if (object instanceof Error) return convert(errorData(object), path, options, open);
  if (open.includes(object)) return refuse('an object that contains itself', path, options);
  if (open.length >= DEPTH_MAX) return refuseDepth(path, options);
  if (ArrayBuffer.isView(object) || LOST.some((type) => object instanceof type)) return refuse(nameOf(v), path, options);
  open.push(object);
  const out = Array.isArray(object)
    ? convertList(object, path, options, open)
    : convertObject(object as Record<string, unknown>, path, options, open);
  open.pop();
  return out;
}

function convertList(list: readonly unknown[], path: string, options: PlainOptions, open: object[]): readonly unknown[] {
  let copy: unknown[] | undefined = options.copy === true ? [] : undefined;
  for (let i = 0; i < list.length; i++) {
    const x = list[i];
    const y = x === undefined ? null : convert(x, at(path, i), options, open);
    if (copy === undefined && y !== x) copy = list.slice(0, i);
    copy?.push(y);
  }
  return copy ?? list;
}

function convertObject(
  object: Readonly<Record<string, unknown>>,
  path: string,
  options: PlainOptions,
  open: object[],
): Readonly<Record<string, unknown>> {
  let copy: Record<string, unknown> | undefined = options.copy === true || !isPlainObject(object) ? {} : undefined;
  const keys = Object.keys(object);
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as string;
    const x = object[key];
    const y = convert(x, at(path, key), options, open);
    if (copy === undefined && (y !== x || y === undefined)) {
      copy = {};
      for (let j = 0; j < i; j++) put(copy, keys[j] as string, object[keys[j] as string]);
    }
    if (copy !== undefined && y !== undefined) put(copy, key, y);
  }
  return copy ?? object;
}

/** `__proto__` is a key like any other in JSON. */
function put(target: Record<string, unknown>, key: string, value: unknown): void {
  if (key === '__proto__') Object.defineProperty(target, key, { value, enumerable: true, writable: true, configurable: true });
  else target[key] = value;
}

/** Markers become what `revive` makes of them. Gives the value itself when it holds none. */
export function reviveRefs<T>(value: T, revive: (marker: RefMarker) => unknown): T {
  return restore(value, revive) as T;
}

function restore(v: unknown, revive: (marker: RefMarker) => unknown): unknown {
  if (typeof v !== 'object' || v === null) return v;
  if (isMarker(v)) return revive(v);
  if (Array.isArray(v)) {
    let copy: unknown[] | undefined;
    for (let i = 0; i < v.length; i++) {
      const y = restore(v[i], revive);
      if (copy === undefined && y !== v[i]) copy = v.slice();
      if (copy !== undefined) copy[i] = y;
    }
    return copy ?? v;
  }
  let copy: Record<string, unknown> | undefined;
  for (const key in v) {
    const x = (v as Record<string, unknown>)[key];
    if (typeof x !== 'object') continue;
    const y = restore(x, revive);
    if (y === x) continue;
    copy ??= { ...v };
    put(copy, key, y);
  }
  return copy ?? v;
}
