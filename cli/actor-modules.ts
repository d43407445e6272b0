/** User code from files: machines, schemas, model ports. Node strips the types itself (22.18 and newer). */
import { access } from 'node:fs/promises';
import { isAbsolute, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { AnyActorLogic } from 'xstate';
import { errorData, MeshError } from '../core/errors.ts';
import type { StandardSchema } from '../core/standard-schema.ts';
import { type Fault, faultOf, imported } from './fault.ts';

/** What an actor is in code: a machine, and what guards its door. */
export interface ActorDefinition {
  readonly machine: AnyActorLogic;
  /** Of keyed actors: makes the machine's input from `{ key, event }`. */
  readonly input?: StandardSchema;
  /** What events from outside must pass. */
  readonly events?: StandardSchema;
}
export type ActorLike = AnyActorLogic | ActorDefinition;

const isLogic = (value: unknown): value is AnyActorLogic =>
  typeof value === 'object' && value !== null && 'transition' in value && 'getInitialSnapshot' in value;

export function definitionOf(value: unknown, what: string): ActorDefinition {
  if (isLogic(value)) return { machine: value };
  if (typeof value === 'object' && value !== null && 'machine' in value && isLogic(value.machine))
    return value as ActorDefinition;
  throw new MeshError(
    'CONFIG_INVALID',
    `${what} is no machine: export what setup().createMachine() returns, or { machine, input?, events? }`,
  );
}

/** `file` relative to `folder`. `version` makes a changed file load anew. Throws CONFIG_INVALID, naming file, line and export. */
export async function loadExport(
  file: string,
  name: string | undefined,
  folder: string,
  where: string,
  version?: number,
): Promise<{ readonly value: unknown; readonly exports: Readonly<Record<string, unknown>> }> {
  const path = isAbsolute(file) ? file : resolve(folder, file);
  await access(path).catch(() => {
    throw new MeshError('CONFIG_INVALID', `${where}: there is no file ${file} in ${folder}`);
  });
  const url = `${pathToFileURL(path).href}${version === undefined ? '' : `?v=${version}`}`;
  let exports: Record<string, unknown>;
  try {
    exports = await imported(url);
  } catch (error) {
    const { message } = errorData(error);
    const place = placeText(await faultOf(error, url), path, folder);
    throw new MeshError('CONFIG_INVALID', `${where}: ${file}${place} cannot be loaded: ${message}`, { cause: error });
  }
  const key = name ?? 'default';
  const value = exports[key] ?? (name === undefined && Object.keys(exports).length === 1 ? Object.values(exports)[0] : undefined);
  if (value === undefined) {
    throw new MeshError(
      'CONFIG_INVALID',
      `${where}: ${file} has no export '${key}'; it has ${Object.keys(exports).join(', ') || 'none'}${name === undefined ? ' (name one with #NAME)' : ''}`,
    );
  }
  return { value, exports };
}

/** `:2:24` in the module itself, or ` (lib/other.ts:7:1)` in one that it imports; nothing where nothing tells. */
function placeText(fault: Fault | undefined, path: string, folder: string): string {
  if (fault === undefined) return '';
  const { file, line, column } = fault;
  const at = `${line}${column === undefined ? '' : `:${column}`}`;
  return file === path ? `:${at}` : ` (${relative(folder, file)}:${at})`;
}

/** The actor that a module defines; `input` and `events` may be exports beside the machine. */
export async function loadActor(
  file: string,
  name: string | undefined,
  folder: string,
  where: string,
  version?: number,
): Promise<ActorDefinition> {
  const { value, exports } = await loadExport(file, name, folder, where, version);
  const definition = definitionOf(value, `${where}: export '${name ?? 'default'}' of ${file}`);
  return {
    ...definition,
    ...(definition.input === undefined && exports['input'] !== undefined && { input: exports['input'] as StandardSchema }),
    ...(definition.events === undefined && exports['events'] !== undefined && { events: exports['events'] as StandardSchema }),
  };
}
