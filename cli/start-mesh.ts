/**
 * The composition root: a config and actors in, a running mesh out. It alone knows which adapters there are.
 *
 *   config -> plan -> logics (modules, gateways, supervisors) -> store, mailboxes, tracer -> node -> mesh
 */
import { readFileSync } from 'node:fs';
import { dirname, isAbsolute, resolve } from 'node:path';
import { mcpLeaves } from '../actors/mcp-leaves.ts';
import { toolGateway } from '../actors/mcp-gateway.ts';
import { modelGateway } from '../actors/model-gateway.ts';
import { modelLeaves } from '../actors/model-leaves.ts';
import type { Address } from '../core/address.ts';
import { type ConfigSource, IN_CODE, parseMesh } from '../core/config/load.ts';
import { type MeshPlan, planOf } from '../core/config/plan.ts';
import type { MeshConfig } from '../core/config/schema.ts';
import type { EventObject } from '../core/effect.ts';
import { MeshError } from '../core/errors.ts';
import { machineLogic } from '../core/kernel.ts';
import { lintMachine } from '../core/lint-machine.ts';
import { Mesh, type MeshStore } from '../core/mesh.ts';
import { Node, type NodeEvent } from '../core/node.ts';
import { nodePlan, type Registered } from '../core/node-plan.ts';
import { pool } from '../core/pool.ts';
import type { Clock } from '../core/ports/clock.ts';
import type { Directory } from '../core/ports/directory.ts';
import type { Entropy } from '../core/ports/entropy.ts';
import type { Tracer } from '../core/ports/tracer.ts';
import type { LogRecord } from '../core/record.ts';
import { supervisor } from '../core/supervisor.ts';
import { POOL_LOGIC, SUPERVISOR_LOGIC } from '../core/child-spec.ts';
import { memory } from '../persistence/memory.ts';
import { sqlite } from '../persistence/sqlite.ts';
import { otlp } from '../telemetry/otlp.ts';
import { direct } from '../transport/direct.ts';
import { type ActorDefinition, type ActorLike, definitionOf, loadActor } from './actor-modules.ts';
import { modelSource } from './model-ports.ts';
import { systemClock, systemEntropy } from './system.ts';

export interface StartOptions {
  /** Folder that relative paths of the config start from. @default the current one, or that of the mesh file */
  readonly folder?: string;
  /** Variables for `${VAR}` and `{ env: NAME }`. @default process.env */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** @default 'n1' */
  readonly node?: string;
  readonly onEvent?: (event: NodeEvent) => void;
  /** Records as they become durable. */
  readonly onRecords?: (actor: Address, records: readonly LogRecord[]) => void;
  /** Instead of the store of the config: to share one, or for tests. */
  readonly store?: MeshStore & Directory;
  readonly clock?: Clock;
  readonly entropy?: Entropy;
  readonly tracer?: Tracer;
  /** Contexts are checked after every step, not only at init. @default NODE_ENV is not 'production' */
  readonly development?: boolean;
  /** Loads changed modules anew. */
  readonly version?: number;
}

/** A checked config with where it came from. */
export interface LoadedMesh extends ConfigSource {
  readonly config: MeshConfig;
  readonly folder: string;
}

/** Reads a mesh file. Throws CONFIG_INVALID with every problem at its line and column. */
export function readMesh(file: string, env: Readonly<Record<string, string | undefined>>): LoadedMesh {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new MeshError('CONFIG_INVALID', `there is no mesh file ${file}; name one with -f FILE`, { cause });
  }
  const parsed = parseMesh(
    text,
    file,
    Object.fromEntries(Object.entries(env).filter(([, v]) => v !== undefined)) as Record<string, string>,
  );
  return { ...parsed, folder: dirname(resolve(file)) };
}

export interface Composed {
  readonly plan: MeshPlan;
  readonly registry: ReadonlyMap<string, Registered>;
}

/** Plan and logics, without starting or opening anything. Throws CONFIG_INVALID, LINT_FAILED. */
export async function compose(
  source: MeshConfig | LoadedMesh,
  actors: Readonly<Record<string, ActorLike>>,
  options: StartOptions = {},
): Promise<Composed> {
  const loaded: LoadedMesh =
    'config' in source
      ? (source as LoadedMesh)
      : { ...IN_CODE, config: source as MeshConfig, folder: options.folder ?? process.cwd() };
  const folder = options.folder ?? loaded.folder;
  const plan = planOf(loaded.config, Object.keys(actors), loaded);
  const registry = new Map<string, Registered>([
    [SUPERVISOR_LOGIC, { logic: supervisor }],
    [POOL_LOGIC, { logic: pool }],
  ]);
  for (const [name, where] of Object.entries(plan.logics)) {
    if (where.from === 'code') registry.set(name, registered(definitionOf(actors[name], `actor '${name}'`), name, options));
    else if (where.from === 'module')
      registry.set(name, registered(await loadActor(where.file, where.name, folder, where.path, options.version), name, options));
  }
  return { plan, registry };
}

function registered(definition: ActorDefinition, name: string, options: StartOptions): Registered {
  const findings = lintMachine(definition.machine);
  if (findings.length > 0)
    throw new MeshError(
      'LINT_FAILED',
      `the machine of '${name}' breaks rules that its log depends on:\n${findings.map((f) => `  ${f.path}: ${f.rule}. ${f.cure}`).join('\n')}`,
      { data: { findings } },
    );
  const development = options.development ?? process.env['NODE_ENV'] !== 'production';
  return {
    logic: machineLogic(definition.machine, { development }),
    ...(definition.input !== undefined && { input: definition.input }),
    ...(definition.events !== undefined && { events: definition.events }),
  };
}

/**
 * Starts a mesh in this process.
 *
 * Shape: `config` is what a mesh file holds, `actors` the machines that it names by `logic:`.
 * Throws: CONFIG_INVALID, LINT_FAILED, STORE_*, SHARD_COUNT_CHANGED.
 */
export async function startMesh(
  source: MeshConfig | LoadedMesh,
  actors: Readonly<Record<string, ActorLike>> = {},
  options: StartOptions = {},
): Promise<Mesh> {
  const { plan, registry } = await compose(source, actors, options);
  const folder = options.folder ?? ('folder' in source ? (source as LoadedMesh).folder : process.cwd());
  const env = options.env ?? process.env;
  const clock = options.clock ?? systemClock();
  const entropy = options.entropy ?? systemEntropy();
  const name = options.node ?? 'n1';
  const store = options.store ?? (await openStore(plan, folder));
  const telemetry =
    options.tracer === undefined && plan.telemetry !== undefined
      ? otlp({ url: plan.telemetry.otlp, service: plan.telemetry.service, links: plan.telemetry.links })
      : undefined;
  const tracer = options.tracer ?? telemetry?.tracer;
  const secrets = { env, readFile: (path: string) => readFileSync(resolve(folder, path), 'utf8') };
  const all = new Map(registry);
  for (const tool of plan.tools) {
    const leaves = mcpLeaves(tool, {
      secrets,
      dir: folder,
      clock,
      random: () => entropy.random(),
      onLog: (server, line) => options.onEvent?.({ type: 'actor.log', actor: `tools/${server}`, label: 'stderr', value: line }),
    });
    all.set(tool.address, { logic: toolGateway({ server: tool.name, leaves }) });
  }
  for (const model of plan.models) {
    const { source, terms, redactor } = await modelSource(model, folder, secrets);
    const leaves = modelLeaves(source, terms, { clock, redactor });
    all.set(model.address, { logic: modelGateway({ name: model.name, leaves }) });
  }
  const forNode = nodePlan(plan, all);
  const emitted = new Set<(actor: Address, event: EventObject) => void>();
  const node: Node = new Node({
    name,
    plan: forNode,
    store,
    blobs: store,
    directory: store,
    clock,
    entropy,
    limits: plan.limits,
    groups: [...new Set(plan.actors.map((a) => a.group))],
    mailboxes: direct({ node: name, ownerOf: (shard) => node.ownership.ownerOf(shard), soon: (fn) => clock.soon(fn) }),
    ...(tracer !== undefined && { tracer }),
    ...(options.onEvent !== undefined && { onEvent: options.onEvent }),
    ...(options.onRecords !== undefined && { onRecords: options.onRecords }),
    onEmitted: (actor, event) => {
      for (const listener of emitted) listener(actor, event);
    },
  });
  const close = async (): Promise<void> => {
    await telemetry?.shutdown();
    if (options.store === undefined) await store.close();
  };
  const mesh = new Mesh({ plan, nodePlan: forNode, node, store, close }, emitted);
  try {
    await mesh.start();
  } catch (error) {
    await mesh.stop(0).catch(() => undefined);
    throw error;
  }
  return mesh;
}

export function openStore(plan: MeshPlan, folder: string, readOnly = false): Promise<MeshStore & Directory> {
  if (plan.store.kind === 'memory') return Promise.resolve(memory());
  return sqlite({ path: isAbsolute(plan.store.path) ? plan.store.path : resolve(folder, plan.store.path), readOnly });
}
