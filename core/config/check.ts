/**
 * What a mesh file means, checked across its places: names, sources, stores, policies. The shape is `schema.ts`'s business;
 * entries whose shape is broken are left out here, so that one mistake is not reported twice.
 */
import type { ActorConfig, MeshConfig, WorkerEntry } from './schema.ts';
import { meshSchema } from './schema.ts';
import { shapeProblems } from './issues.ts';
import { type ConfigPath, type ConfigProblem, suggest } from './problems.ts';
import { secretProblems } from './secrets.ts';
import { durationMs } from './units.ts';

/** Top-level names of actors that Reprise itself makes. */
const RESERVED: Readonly<Record<string, string>> = { tools: 'the gateways of MCP servers', models: 'the gateways of models' };
const STORES = ['sqlite', 'memory'];
const LATER_STORES = ['postgres', 'nats', 'redis', 'remote'];

/** Everything that is wrong. `logics`: names given in code; undefined: they are not checked. */
export function meshProblems(value: unknown, logics?: ReadonlySet<string>): ConfigProblem[] {
  const shape = shapeProblems(meshSchema, value);
  return [...shape, ...secretProblems(value), ...new Check(shape, logics).mesh(value)];
}

class Check {
  private readonly broken: readonly string[];
  private readonly logics: ReadonlySet<string> | undefined;
  private readonly found: ConfigProblem[] = [];

  constructor(shape: readonly ConfigProblem[], logics: ReadonlySet<string> | undefined) {
    this.broken = shape.map((p) => JSON.stringify(p.path).slice(0, -1));
    this.logics = logics;
  }

  mesh(value: unknown): ConfigProblem[] {
    if (typeof value !== 'object' || value === null) return this.found;
    const config = value as Partial<MeshConfig>;
    if (this.isSound(['store']) && config.store !== undefined) this.store(config.store);
    for (const [name, of] of Object.entries(RESERVED))
      if (config.actors?.[name] !== undefined)
        this.add(['actors', name], `"${name}" is reserved for ${of}: choose another name`, true);
    this.entries(['actors'], config.actors);
    for (const [name, server] of this.each(['tools'], config.tools)) this.server(['tools', name], server);
    for (const [name, model] of this.each(['models'], config.models)) {
      if (model.kind === 'scripted') this.oneOf(['models', name], model, ['replies', 'file']);
    }
    return this.found;
  }

  private add(path: ConfigPath, message: string, atKey?: true): void {
    this.found.push({ path, message, ...(atKey && { atKey }) });
  }

  /** Nothing at, below or above the path is broken. */
  private isSound(path: ConfigPath): boolean {
    const prefix = JSON.stringify(path).slice(0, -1);
    return !this.broken.some((b) => b === prefix || b.startsWith(`${prefix},`) || b === '[' || prefix.startsWith(`${b},`));
  }

  private each<T>(path: ConfigPath, map: Readonly<Record<string, T>> | undefined): [string, T][] {
    return typeof map === 'object' && map !== null ? Object.entries(map).filter(([name]) => this.isSound([...path, name])) : [];
  }

  private store(text: string): void {
    const scheme = /^([a-z]+):/.exec(text)?.[1];
    if (scheme === 'sqlite' && text.length === 'sqlite:'.length)
      return this.add(['store'], 'names no file: write sqlite:./mesh.db');
    if (scheme === 'memory' && text !== 'memory:') return this.add(['store'], 'takes nothing after the colon: write memory:');
    if (scheme !== undefined && STORES.includes(scheme)) return;
    if (scheme !== undefined && LATER_STORES.includes(scheme))
      return this.add(
        ['store'],
        `the store ${scheme}: is not in this version; it has ${STORES.map((s) => `${s}:`).join(' and ')}`,
      );
    this.add(
      ['store'],
      scheme === undefined
        ? `"${text}" names no kind of store: write sqlite:PATH or memory:`
        : `unknown store "${scheme}:"${suggest(scheme, STORES)}`,
    );
  }

  private entries(path: ConfigPath, map: Readonly<Record<string, ActorConfig>> | undefined): void {
    if (typeof map !== 'object' || map === null) return;
    for (const [name, entry] of Object.entries(map)) {
      const at = [...path, name];
      if (typeof entry !== 'object' || entry === null) continue;
      if (entry.kind === 'supervisor') this.entries([...at, 'children'], entry.children);
      else if (this.isSound(at)) this.worker(at, entry);
      if (this.isSound([...at, 'backoff'])) this.backoff([...at, 'backoff'], entry.backoff);
    }
  }

  private worker(path: ConfigPath, entry: WorkerEntry): void {
    // An actor of the name of a logic given in code runs that.
    if (entry.module !== undefined || entry.logic !== undefined || this.logics?.has(String(path.at(-1))) !== true)
      this.oneOf(path, entry, ['module', 'logic']);
    const { logic } = entry;
    if (logic?.startsWith('reprise.') === true) this.add([...path, 'logic'], 'names that begin with "reprise." are reserved');
    else if (logic !== undefined && this.logics !== undefined && !this.logics.has(logic)) {
      this.add(
        [...path, 'logic'],
        `unknown logic "${logic}"${suggest(logic, [...this.logics])}${this.logics.size === 0 ? '; name a file with module: instead' : ''}`,
      );
    }
    if (entry.kind === 'pool' && entry.hashOf !== undefined && entry.router !== 'hash')
      this.add([...path, 'hashOf'], 'is only read by router: hash', true);
  }

  private server(path: ConfigPath, server: NonNullable<MeshConfig['tools']>[string]): void {
    this.oneOf(path, server, ['stdio', 'http']);
    this.backoff([...path, 'backoff'], server.backoff);
    for (const [name, tool] of Object.entries(server.tools ?? {})) {
      const at = [...path, 'tools', name];
      if (tool.inDoubt === 'ask' && tool.query === undefined)
        this.add([...at, 'inDoubt'], 'ask needs query: { tool: NAME }, the tool that tells whether a call took effect');
      if (tool.query !== undefined && tool.inDoubt !== 'ask') this.add([...at, 'query'], 'is only read with inDoubt: ask', true);
    }
  }

  private backoff(
    path: ConfigPath,
    backoff: { readonly min?: number | string | undefined; readonly max?: number | string | undefined } | undefined,
  ): void {
    const min = durationMs(backoff?.min ?? 0);
    const max = backoff?.max === undefined ? undefined : durationMs(backoff.max);
    if (min !== undefined && max !== undefined && min > max) this.add([...path, 'min'], 'is longer than max');
  }

  private oneOf(path: ConfigPath, entry: object, keys: readonly string[]): void {
    const present = keys.filter((key) => (entry as Record<string, unknown>)[key] !== undefined);
    if (present.length === 0) this.add(path, `needs ${keys.map((k) => `"${k}"`).join(' or ')}`);
    if (present.length > 1) this.add([...path, present[1] as string], `excludes "${present[0]}": keep one of the two`, true);
  }
}
