/** The way to a mesh in code. Loads what it needs when it is called, so that machine files which import the package stay light. */
import type { ModelDelta } from '../actors/model-port.ts';
import type { Address, EffectId } from '../core/address.ts';
import type { Env } from '../core/config/interpolate.ts';
import type { MeshConfig } from '../core/config/schema.ts';
import type { Mesh, MeshStore } from '../core/mesh.ts';
import type { NodeEvent } from '../core/node/news.ts';
import type { Clock } from '../core/ports/clock.ts';
import type { Directory } from '../core/ports/directory.ts';
import type { Entropy } from '../core/ports/entropy.ts';
import type { Tracer } from '../core/ports/tracer.ts';
import type { LogRecord } from '../core/record.ts';
import type { ActorLike } from './actor-modules.ts';

export interface StartOptions {
  /** Folder that relative paths of the config start from. @default the current one, or that of the mesh file */
  readonly folder?: string;
  /** Where `{ env: NAME }` leads. @default process.env */
  readonly env?: Env;
  /** @default 'n1' */
  readonly node?: string;
  readonly onEvent?: (event: NodeEvent) => void;
  /** Records as they become durable. */
  readonly onRecords?: (actor: Address, records: readonly LogRecord[]) => void;
  /** What models say while they answer: for eyes, never in a log. `effect` is the id of the effect that asked. */
  readonly onDelta?: (model: Address, effect: EffectId, delta: ModelDelta) => void;
  /** Instead of the store of the config: to share one, or for tests. It is not closed with the mesh. */
  readonly store?: MeshStore & Directory;
  readonly clock?: Clock;
  readonly entropy?: Entropy;
  readonly tracer?: Tracer;
  /** Contexts are checked after every step, not only at init. @default NODE_ENV is not 'production' */
  readonly development?: boolean;
  /** Makes changed modules load anew. */
  readonly version?: number;
}

/**
 * Starts a mesh in this process. Resolves when its tree of actors is up.
 *
 * ```ts
 * await using mesh = await startMesh({ mesh: 'hello', store: 'memory:', actors: { greeter: {} } }, { greeter: machine });
 * ```
 *
 * Shape: `config` is what a mesh file holds, `actors` the machines that it names.
 * Throws: CONFIG_INVALID, LINT_FAILED, STORE_*, SHARD_COUNT_CHANGED, HORIZON_CHANGED.
 */
export async function startMesh(
  config: MeshConfig,
  actors: Readonly<Record<string, ActorLike>> = {},
  options: StartOptions = {},
): Promise<Mesh> {
  const [{ begin, composeMesh }, { IN_CODE }] = await Promise.all([
    import('./compose-mesh.ts'),
    import('../core/config/check-mesh.ts'),
  ]);
  const { mesh } = await composeMesh({ ...IN_CODE, config, folder: options.folder ?? process.cwd() }, actors, options);
  await begin(mesh);
  return mesh;
}
