/**
 * Secrets by reference. Config holds `{ env: NAME }` or `{ file: PATH }`; a value is read when a connection is made, lives only there,
 * and is taken out of everything that goes back into a log. Never caches a value and never prints one.
 */
import { readFileSync } from 'node:fs';
import { type Env, MeshError, type PlainOrSecret, type SecretRef } from '../core/index.ts';

export type ReadFile = (path: string) => string;

/** Where secrets come from: the composition root says. */
export interface SecretSources {
  readonly env: Env;
  readonly readFile: ReadFile;
}

/** Environment and files of this process, for ports that are made in code. */
export const PROCESS_SECRETS: SecretSources = { env: process.env, readFile: (path) => readFileSync(path, 'utf8') };

/**
 * The value behind a reference, without its prefix. The newline at the end of a file is not part of it.
 *
 * Throws: SECRET_MISSING, which names the variable or the file, never a value.
 */
function resolveSecret(ref: SecretRef, env: Env, readFile: ReadFile): string {
  if ('env' in ref) {
    const value = env[ref.env];
    if (value === undefined || value === '') throw new MeshError('SECRET_MISSING', `environment variable ${ref.env} is not set`);
    return value;
  }
  let text: string;
  try {
    text = readFile(ref.file);
  } catch (cause) {
    throw new MeshError('SECRET_MISSING', `secret file ${ref.file} cannot be read`, { cause });
  }
  const value = text.replace(/\r?\n$/, '');
  if (value === '') throw new MeshError('SECRET_MISSING', `secret file ${ref.file} is empty`);
  return value;
}

/** Shorter values would take ordinary words out of every result. */
const REDACTED_MIN_CHARS = 4;
/** Of a line of a value that has several: a key in a file may come back line by line. */
const LINE_MIN_CHARS = 8;

/**
 * Takes resolved secrets out of text and JSON, in the forms in which they come back: as they are, line by line, in JSON, in a URL, in
 * base64. Half a secret it does not find: what is cut goes through `excerpt`.
 */
export class Redactor {
  /** By form; the longest first, so that one secret inside another leaves nothing over. */
  private forms: [form: string, mark: string][] = [];

  add(value: string, name: string): void {
    const seen = new Set(this.forms.map(([form]) => form));
    if (value.length < REDACTED_MIN_CHARS || seen.has(value)) return;
    const mark = `[secret ${name}]`;
    const inJson = (text: string): string => JSON.stringify(text).slice(1, -1);
    const lines = linesOf(value);
    const base64 = Buffer.from(value, 'utf8').toString('base64');
    for (const form of new Set([
      value,
      inJson(value),
      ...lines,
      ...lines.map(inJson),
      encodeURIComponent(value),
      base64,
      base64.replace(/=+$/, ''),
      Buffer.from(value, 'utf8').toString('base64url'),
    ])) {
      if (!seen.has(form)) this.forms.push([form, mark]);
    }
    this.forms.sort((a, b) => b[0].length - a[0].length);
  }

  text(text: string): string {
    let clean = text;
    for (const [form, mark] of this.forms) if (clean.includes(form)) clean = clean.replaceAll(form, () => mark);
    return clean;
  }

  /** The beginning of a text, for a message: cleaned whole and then cut. */
  excerpt(text: string, charsMax: number): string {
    return this.text(text).slice(0, charsMax);
  }

  /** A copy without secrets, keys included; the same value when there is nothing to take out. Plain JSON only. */
  json<T>(value: T): T {
    return this.forms.length === 0 ? value : (this.walk(value) as T);
  }

  private walk(value: unknown): unknown {
    if (typeof value === 'string') return this.text(value);
    if (Array.isArray(value)) return value.map((item) => this.walk(item));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [this.text(key), this.walk(item)]));
  }
}

/** Lines that are long enough to be told from other text; also those of a key inside JSON, where their ends are written `\\n`. */
function linesOf(value: string): readonly string[] {
  const lines = value.split(/\r?\n|\\n/);
  return lines.length === 1 ? [] : lines.map((line) => line.trim()).filter((line) => line.length >= LINE_MIN_CHARS);
}

/** Resolves settings at connect time and tells the redactor what to take out from then on. */
export class Vault {
  readonly redactor: Redactor = new Redactor();
  private readonly sources: SecretSources;

  constructor(sources: SecretSources) {
    this.sources = sources;
  }

  /** Throws SECRET_MISSING. */
  value(setting: PlainOrSecret): string {
    if (typeof setting === 'string') return setting;
    const value = resolveSecret(setting, this.sources.env, this.sources.readFile);
    this.redactor.add(value, 'env' in setting ? setting.env : setting.file);
    return `${setting.prefix ?? ''}${value}`;
  }

  /** Throws SECRET_MISSING. */
  values(settings: Readonly<Record<string, PlainOrSecret>> = {}): Record<string, string> {
    return Object.fromEntries(Object.entries(settings).map(([name, setting]) => [name, this.value(setting)]));
  }
}
