/** What is wrong with a mesh file, where, and how it is said: all problems at once, each with its line and column. */
import { closest, distance } from 'fastest-levenshtein';
import { MeshError } from '../errors.ts';

export type ConfigPath = readonly (string | number)[];

export interface ConfigProblem {
  readonly path: ConfigPath;
  readonly message: string;
  /** The position is that of the key itself, not of its value. */
  readonly atKey?: true;
}

export interface Position {
  /** 1-based. */
  readonly line: number;
  readonly column: number;
}

/** One problem as `data.problems` of CONFIG_INVALID holds it. */
export interface LocatedProblem extends Partial<Position> {
  readonly file: string;
  readonly path: string;
  readonly message: string;
}

/** Where a path stands in the file; undefined where the config was no text. */
export type Locate = (path: ConfigPath, atKey: boolean) => Position | undefined;

/** `actors.planner.children[0]`; names that are no identifiers are quoted. */
export const pathText = (path: ConfigPath): string =>
  path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    if (!/^[A-Za-z0-9_@$-]+$/.test(part)) return `${text}["${part}"]`;
    return text === '' ? part : `${text}.${part}`;
  }, '');

/** `module:./a.ts` is one word to YAML. What it lacks, starting with a semicolon; undefined: it is no key with its value, which is never repeated. */
export function withBlank(text: string, keys?: readonly string[]): string | undefined {
  const [, key] = /^([A-Za-z]\w*):\S/.exec(text) ?? [];
  return key === undefined || keys?.includes(key) === false ? undefined : `; a blank is missing after "${key}:"`;
}

/** Edits that make a slip of the pen of a name of this length; two letters exchanged are two. */
const slips = (length: number): number => (length < 4 ? 1 : Math.max(2, Math.floor(length / 3)));

/** The one of them that was meant. Undefined: none is like it. */
export function nearest(given: string, known: readonly string[]): string | undefined {
  const near = known.length === 0 ? undefined : closest(given, [...known]);
  const isNear =
    near !== undefined && distance(given.toLowerCase(), near.toLowerCase()) <= slips(Math.max(given.length, near.length));
  return isNear ? near : undefined;
}

/** ` (did you mean "module"?)`, or the known names when none is near. Starts with a blank. */
export function suggest(given: string, known: readonly string[]): string {
  const near = nearest(given, known);
  if (near !== undefined) return ` (did you mean "${near}"?)`;
  return known.length === 0 ? ' (none is known)' : ` (known: ${known.toSorted().join(', ')})`;
}

export function located(problems: readonly ConfigProblem[], file: string, locate: Locate): LocatedProblem[] {
  return problems
    .map((p) => ({ file, ...locate(p.path, p.atKey === true), path: pathText(p.path), message: p.message }))
    .toSorted((a, b) => (a.line ?? 0) - (b.line ?? 0) || (a.column ?? 0) - (b.column ?? 0));
}

/** `mesh.yaml:6:12 actors.planner.module` */
export const placeText = ({ file, line, column, path }: Omit<LocatedProblem, 'message'>): string =>
  `${file}${line === undefined ? '' : `:${line}:${column}`}${path === '' ? '' : ` ${path}`}`;

/** `mesh.yaml:6:12 actors.planner.modle: unrecognized key …` */
export const problemText = (p: LocatedProblem): string => `${placeText(p)}: ${p.message}`;

/** CONFIG_INVALID with a line for each problem. */
export function invalid(problems: readonly LocatedProblem[]): MeshError {
  return new MeshError('CONFIG_INVALID', problems.map(problemText).join('\n'), { data: { problems } });
}
