/**
 * The way in for mesh files: text (YAML or JSON) and variables in, a checked `MeshConfig` out, or CONFIG_INVALID with every
 * problem at its line and column. Pure: the CLI reads the file and the environment.
 */
import { meshProblems } from './check.ts';
import type { Env } from './interpolate.ts';
import { invalid, type Locate, located } from './problems.ts';
import type { MeshConfig } from './schema.ts';
import { readSource } from './source.ts';

/** Where a config came from: how its problems are named. */
export interface ConfigSource {
  readonly file: string;
  readonly locate: Locate;
}
export interface ParsedMesh extends ConfigSource {
  readonly config: MeshConfig;
}

/** A config that was written in code has no lines. */
export const IN_CODE: ConfigSource = { file: 'mesh config', locate: () => undefined };

/**
 * Shape: `file` is only a name for messages; `env` holds what `${VAR}` may name.
 * Throws: CONFIG_INVALID with `data.problems`, a list of { file, line, column, path, message }.
 */
export function parseMesh(text: string, file: string, env: Env = {}): ParsedMesh {
  const source = readSource(text, file, env);
  if (source.problems.length > 0) throw invalid(source.problems);
  const { locate } = source;
  return { config: checkMesh(source.value, { file, locate }), file, locate };
}

/** The same value, checked. `logics`: names of logic given in code; undefined: not checked. Throws CONFIG_INVALID. */
export function checkMesh(value: unknown, source: ConfigSource = IN_CODE, logics?: Iterable<string>): MeshConfig {
  const problems = meshProblems(value, logics === undefined ? undefined : new Set(logics));
  if (problems.length > 0) throw invalid(located(problems, source.file, source.locate));
  return value as MeshConfig;
}
