/**
 * The composition root: a config and actors in, a running mesh out. Here adapters are chosen.
 *
 *   config -> plan -> logics (code, modules, gateways) -> store, mailboxes, tracer -> node -> mesh
 */
import { resolve } from 'node:path';
import type { Address } from '../core/address.ts';
import { type MeshPlan, planOf } from '../core/config/plan.ts';
import type { EventObject } from '../core/effect.ts';
import { Mesh, type MeshStore } from '../core/mesh.ts';
import { Node } from '../core/node.ts';
import { nodePlan } from '../core/node/plan.ts';
import type { Directory } from '../core/ports/directory.ts';
import type { Tracer } from '../core/ports/tracer.ts';
import { direct } from '../transport/direct.ts';
import type { ActorLike } from './actor-modules.ts';
import { liveGateways, loadLogics, type Registry } from './logics.ts';
import type { LoadedMesh } from './mesh-file.ts';
import type { StartOptions } from './start-mesh.ts';
import { openStore } from './stores.ts';
import { systemClock, systemEntropy } from './system.ts';

/** A mesh that is composed, its store open, and not started. */
export interface Composed {
  readonly mesh: Mesh;
  readonly store: MeshStore & Directory;
  readonly folder: string;
  /** What the mesh looks logic up in: new code takes its place here. */
  readonly registry: Registry;
}

/** Starts it, or leaves nothing open. */
export async function begin(mesh: Mesh): Promise<void> {
  try {
    await mesh.start();
  } catch (error) {
    await mesh.stop(0).catch(() => undefined);
    throw error;
  }
}

/** Everything but the start. Throws CONFIG_INVALID, LINT_FAILED, STORE_*. */
export async function composeMesh(
  loaded: LoadedMesh,
  actors: Readonly<Record<string, ActorLike>>,
  options: StartOptions = {},
): Promise<Composed> {
  const folder = resolve(options.folder ?? loaded.folder);
  const plan = planOf(loaded.config, Object.keys(actors), loaded);
  const clock = options.clock ?? systemClock();
  const entropy = options.entropy ?? systemEntropy();
  const development = options.development ?? process.env['NODE_ENV'] !== 'production';
  const { version } = options;
  const registry = await loadLogics(plan, { folder, actors, development, ...(version !== undefined && { version }) });
  const gateways = await liveGateways(plan, folder, {
    env: options.env ?? process.env,
    clock,
    entropy,
    onEvent: options.onEvent,
    onDelta: options.onDelta,
  });
  for (const [name, gateway] of gateways) registry.set(name, gateway);
  const name = options.node ?? 'n1';
  const telemetry = await tracing(plan, name, options);
  const { tracer } = telemetry;
  const store = options.store ?? (await openStore(plan, folder));
  const forNode = nodePlan(plan, registry);
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
    await telemetry.flush();
    if (options.store === undefined) await store.close();
  };
  return { mesh: new Mesh({ plan, nodePlan: forNode, node, store, emitted, close }), store, folder, registry };
}

async function tracing(
  { mesh, telemetry }: MeshPlan,
  node: string,
  { tracer: given, onEvent }: StartOptions,
): Promise<{ readonly tracer: Tracer | undefined; flush(): Promise<unknown> }> {
  if (given !== undefined || telemetry === undefined) return { tracer: given, flush: () => Promise.resolve() };
  const { otlp: url, service, links } = telemetry;
  const exporter = (await import('../telemetry/otlp.ts')).otlp({
    url,
    service,
    mesh,
    node,
    links,
    onChange: (error) =>
      onEvent?.(error === undefined ? { type: 'telemetry.answers', url } : { type: 'telemetry.stalled', url, error }),
  });
  return { tracer: exporter.tracer, flush: () => exporter.shutdown() };
}
