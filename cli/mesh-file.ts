/** A mesh file from disk: checked, with the folder that its paths start from. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { ConfigSource } from '../core/config/check-mesh.ts';
import type { Env } from '../core/config/interpolate.ts';
import { parseMesh } from '../core/config/load.ts';
import { type MeshPlan, planOf } from '../core/config/plan.ts';
import type { MeshConfig } from '../core/config/schema.ts';
import { errorData, MeshError } from '../core/errors.ts';
import type { Call } from './command.ts';

/** A checked config with where it came from. */
export interface LoadedMesh extends ConfigSource {
  readonly config: MeshConfig;
  /** Absolute. */
  readonly folder: string;
}

/** The mesh file that a command names, with the variables of the file that its `--env-file` names. Throws USAGE, CONFIG_INVALID. */
export function meshOf(call: Call): LoadedMesh {
  const variables = call.text('env-file');
  try {
    if (variables !== undefined) process.loadEnvFile(variables);
  } catch (cause) {
    throw new MeshError('USAGE', `--env-file: ${errorData(cause).message}`, { cause });
  }
  return readMesh(call.file, call.io.env);
}

/** Throws CONFIG_INVALID with every problem at its line and column. */
export function readMesh(file: string, env: Env): LoadedMesh {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'there is no such file' : errorData(cause).message;
    throw new MeshError('CONFIG_INVALID', `${file}: ${why}; a mesh file is named with -f FILE`, { cause });
  }
  return { ...parseMesh(text, file, env), folder: dirname(resolve(file)) };
}

/** The plan of a mesh file, whose logic is all in modules. Throws CONFIG_INVALID. */
export const planOfFile = (loaded: LoadedMesh): MeshPlan => planOf(loaded.config, [], loaded);
