/**
 * The logics that a plan names, each from where it comes: code, a module, or Reprise itself. A mesh that runs loads all of them; who only
 * reads a log loads what that log needs, with gateways that cannot call anybody.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { POOL_LOGIC, SUPERVISOR_LOGIC } from '../core/supervision/child-spec.ts';
import type { Env } from '../core/config/interpolate.ts';
import type { MeshPlan } from '../core/config/plan.ts';
import { isMeshError, MeshError } from '../core/errors.ts';
import { machineLogic } from '../core/kernel.ts';
import { lintMachine } from '../core/kernel/lint-machine.ts';
import type { Leaf } from '../core/logic.ts';
import type { NodeEvent } from '../core/node/news.ts';
import type { Registered } from '../core/node/plan.ts';
import { pool } from '../core/pool.ts';
import type { Clock } from '../core/ports/clock.ts';
import type { Entropy } from '../core/ports/entropy.ts';
import { supervisor } from '../core/supervisor.ts';
import { checkCalledNames } from './called-names.ts';
import { type ActorDefinition, type ActorLike, definitionOf, loadActor } from './actor-modules.ts';
import type { StartOptions } from './start-mesh.ts';

export type Registry = Map<string, Registered>;

export interface LogicOptions {
  /** Folder that relative paths of the plan start from. */
  readonly folder: string;
  /** Machines given in code, by name. */
  readonly actors?: Readonly<Record<string, ActorLike>>;
  /** Contexts are checked after every step, not only at init. */
  readonly development?: boolean;
  /** Makes changed modules load anew. */
  readonly version?: number;
}

/** What gateways need to reach anybody. */
export interface Reachable {
  readonly env: Env;
  readonly clock: Clock;
  readonly entropy: Entropy;
  readonly onEvent?: ((event: NodeEvent) => void) | undefined;
  readonly onDelta?: StartOptions['onDelta'] | undefined;
}

/** `wanted`: only these names (supervisors and pools are always there). Throws CONFIG_INVALID, LINT_FAILED, with all that is wrong. */
export async function loadLogics(plan: MeshPlan, options: LogicOptions, wanted?: ReadonlySet<string>): Promise<Registry> {
  const registry: Registry = new Map([
    [SUPERVISOR_LOGIC, { logic: supervisor }],
    [POOL_LOGIC, { logic: pool }],
  ]);
  const errors: MeshError[] = [];
  for (const [name, where] of Object.entries(plan.logics)) {
    if (where.from === 'reprise' || wanted?.has(name) === false) continue;
    try {
      registry.set(name, await loadNamed(name, plan, options));
    } catch (error) {
      if (!isMeshError(error)) throw error;
      errors.push(error);
    }
  }
  const [first] = errors;
  if (first === undefined) return registry;
  if (errors.length === 1) throw first;
  const code = errors.every((error) => error.code === first.code) ? first.code : 'CONFIG_INVALID';
  throw new MeshError(code, errors.map((error) => error.message).join('\n'), { cause: first });
}

/** One logic of the plan that is not Reprise's own. Throws CONFIG_INVALID, LINT_FAILED. */
export async function loadNamed(name: string, plan: MeshPlan, options: LogicOptions): Promise<Registered> {
  const where = plan.logics[name];
  const isModule = where?.from === 'module';
  const place = isModule ? where.place : `actor '${name}'`;
  const definition = isModule
    ? await loadActor(where.file, where.name, options.folder, place, options.version)
    : definitionOf(options.actors?.[name], place);
  checkCalledNames(definition.machine, plan, place);
  return registered(definition, name, options.development ?? false);
}

/** Throws LINT_FAILED. */
function registered(definition: ActorDefinition, name: string, development: boolean): Registered {
  const findings = lintMachine(definition.machine);
  if (findings.length > 0)
    throw new MeshError(
      'LINT_FAILED',
      `the machine of '${name}' breaks rules that its log depends on:\n${findings.map((f) => `  ${f.path}: ${f.rule}. ${f.cure}`).join('\n')}`,
      { data: { findings } },
    );
  return {
    logic: machineLogic(definition.machine, { development }),
    ...(definition.input !== undefined && { input: definition.input }),
    ...(definition.events !== undefined && { events: definition.events }),
  };
}

/** Gateways of tools and models that call. Throws CONFIG_INVALID, PEER_DEPENDENCY_MISSING. */
export async function liveGateways(plan: MeshPlan, folder: string, reach: Reachable): Promise<Registry> {
  const { env, clock, entropy, onEvent, onDelta } = reach;
  const secrets = { env, readFile: (path: string) => readFileSync(resolve(folder, path), 'utf8') };
  const registry: Registry = new Map();
  // Loaded only where a mesh has tools or models: their clients are most of what there is to load.
  if (plan.tools.length > 0) {
    const [{ toolGateway }, { mcpLeaves }] = await Promise.all([
      import('../actors/mcp-gateway.ts'),
      import('../actors/mcp-leaves.ts'),
    ]);
    for (const tool of plan.tools) {
      const leaves = mcpLeaves(tool, {
        secrets,
        dir: folder,
        clock,
        random: () => entropy.random(),
        onLog: (server, line) => onEvent?.({ type: 'actor.log', actor: `tools/${server}`, label: 'stderr', value: line }),
      });
      registry.set(tool.address, { logic: toolGateway({ server: tool.name, leaves }) });
    }
  }
  if (plan.models.length > 0) {
    const [{ modelGateway }, { modelLeaves }, { Vault }, { modelSource }] = await Promise.all([
      import('../actors/model-gateway.ts'),
      import('../actors/model-leaves.ts'),
      import('../actors/secret.ts'),
      import('./model-ports.ts'),
    ]);
    for (const model of plan.models) {
      const vault = new Vault(secrets);
      const { source, terms } = await modelSource(model, folder, vault, plan.placeOf);
      const leaves = modelLeaves(source, terms, {
        clock,
        redactor: vault.redactor,
        ...(onDelta !== undefined && { onDelta: (effect, delta) => onDelta(model.address, effect, delta) }),
      });
      registry.set(model.address, { logic: modelGateway({ name: model.name, leaves }) });
    }
  }
  return registry;
}

/** Gateways to fold logs with: they reach nobody. */
export async function silentGateways(plan: MeshPlan, wanted?: ReadonlySet<string>): Promise<Registry> {
  const registry: Registry = new Map();
  const tools = plan.tools.filter((tool) => wanted?.has(tool.address) !== false);
  const models = plan.models.filter((model) => wanted?.has(model.address) !== false);
  if (tools.length > 0) {
    const { toolGateway } = await import('../actors/mcp-gateway.ts');
    for (const { address, name } of tools)
      registry.set(address, { logic: toolGateway({ server: name, leaves: { connection: SILENT, call: SILENT } }) });
  }
  if (models.length > 0) {
    const { modelGateway } = await import('../actors/model-gateway.ts');
    for (const { address, name } of models)
      registry.set(address, { logic: modelGateway({ name, leaves: { port: SILENT, generate: SILENT } }) });
  }
  return registry;
}

const SILENT: Leaf = {
  inDoubt: () => 'park',
  start() {
    throw new MeshError('INTERNAL', 'a replay performs nothing');
  },
};
