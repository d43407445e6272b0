/**
 * The way in for mesh files: text (YAML or JSON) and variables in, a checked `MeshConfig` out, or CONFIG_INVALID with every
 * problem at its line and column. Pure: the CLI reads the file and the environment.
 */
import { checkMesh, type ConfigSource } from './check-mesh.ts';
import type { Env } from './interpolate.ts';
import { invalid } from './problems.ts';
import type { MeshConfig } from './schema.ts';
import { readSource } from './source.ts';

export interface ParsedMesh extends ConfigSource {
  readonly config: MeshConfig;
}

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
