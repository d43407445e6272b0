/** A config that is a value already: checked, with its problems named by where it came from. Reads no text, so a mesh in code needs no parser. */
import { meshProblems } from './check.ts';
import { invalid, type Locate, located } from './problems.ts';
import type { MeshConfig } from './schema.ts';

/** Where a config came from: how its problems are named. */
export interface ConfigSource {
  readonly file: string;
  readonly locate: Locate;
}
/** A config that was written in code has no lines. */
export const IN_CODE: ConfigSource = { file: 'mesh config', locate: () => undefined };

/** The same value, checked. `logics`: names of logic given in code; undefined: not checked. Throws CONFIG_INVALID. */
export function checkMesh(value: unknown, source: ConfigSource = IN_CODE, logics?: Iterable<string>): MeshConfig {
  const problems = meshProblems(value, logics === undefined ? undefined : new Set(logics));
  if (problems.length > 0) throw invalid(located(problems, source.file, source.locate));
  return value as MeshConfig;
}
