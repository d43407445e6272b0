/** A mesh file from disk: checked, with the folder that its paths start from. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { ConfigSource } from '../core/config/check-mesh.ts';
import { parseMesh } from '../core/config/load.ts';
import { type MeshPlan, planOf } from '../core/config/plan.ts';
import type { MeshConfig } from '../core/config/schema.ts';
import { errorData, MeshError } from '../core/errors.ts';

export type Env = Readonly<Record<string, string | undefined>>;

/** A checked config with where it came from. */
export interface LoadedMesh extends ConfigSource {
  readonly config: MeshConfig;
  /** Absolute. */
  readonly folder: string;
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
