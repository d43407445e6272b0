/**
 * From a mesh file to what a node needs: addresses, specs with all defaults, policies by address. Flat and resolved; durations in
 * ms, sizes in bytes, secrets as references only. Pure; opens nothing and resolves no path.
 */
import { createHash } from 'node:crypto';
import { type Address, ROOT } from '../address.ts';
import { canonical } from '../canonical.ts';
import {
  type ChildKind,
  type ChildSpecInput,
  type FlagsInput,
  type SupervisorConfig,
  SUPERVISOR_LOGIC,
  POOL_LOGIC,
  supervisorFlags,
} from '../supervision/child-spec.ts';
import { DEFAULT_LIMITS, type NodeLimits } from '../limits.ts';
import type { PoolConfig } from '../pool.ts';
import { checkBudgetSpendable } from '../supervision/restart-budget.ts';
import { checkMesh, type ConfigSource, IN_CODE } from './check-mesh.ts';
import { modelPlan, type ModelPlan, toolServerPlan, type ToolServerPlan } from './gateway-plan.ts';
import { type ConfigPath, type ConfigProblem, invalid, located, type LocatedProblem, pathText, placeText } from './problems.ts';
import { backoffOf, given, moduleRef, ms, msOr } from './resolve.ts';
import type { ActorConfig, MeshConfig, SupervisorEntry, WorkerEntry } from './schema.ts';
import { sizeBytes } from './units.ts';

export interface MeshPlan {
  readonly mesh: string;
  readonly shards: number;
  readonly horizonMs: number;
  readonly store: StorePlan;
  readonly limits: NodeLimits;
  /** ms that logs of finished actors are kept unless their own plan says otherwise; undefined: for ever. */
  readonly retentionMs: number | undefined;
  /** Input of the supervisor at `@root`: the whole tree, gateways first. */
  readonly root: SupervisorConfig;
  /** Every declared address once, in the order of the file, gateways first. */
  readonly actors: readonly ActorPlan[];
  /** Where each logic comes from, by the name under which it is registered. */
  readonly logics: Readonly<Record<string, LogicPlan>>;
  readonly tools: readonly ToolServerPlan[];
  readonly models: readonly ModelPlan[];
  readonly telemetry: TelemetryPlan | undefined;
  /** SHA-256 of `root`: the tree has changed when this does. */
  readonly specHash: string;
  /** What is allowed, but hardly meant. */
  readonly warnings: readonly LocatedProblem[];
  /** How messages name a place of the mesh file: `mesh.yaml:6:12 models.main.module`. */
  readonly placeOf: (path: ConfigPath) => string;
}

export type StorePlan =
  | { readonly kind: 'memory' }
  | { readonly kind: 'sqlite'; /** As written: relative to the mesh file. */ readonly path: string };

export type LogicPlan =
  /** Given to `startMesh` under this name. */
  | { readonly from: 'code' }
  /** `file` as written: relative to the mesh file. Without `name`: the default export. `place`: what names it, as `placeOf` has it. */
  | { readonly from: 'module'; readonly file: string; readonly name?: string; readonly place: string }
  /** A gateway, a supervisor, a pool. */
  | { readonly from: 'reprise' };

export interface ActorPlan {
  readonly address: Address;
  readonly kind: ChildKind;
  /** Of a pool: that of its members. */
  readonly logic: string;
  /** Of a pool; else 0. */
  readonly members: number;
  readonly group: string;
  /** Of keyed actors: what their first message is added to. */
  readonly input: unknown;
  readonly passivateAfterMs: number;
  /** Undefined: for ever. */
  readonly retentionMs: number | undefined;
  /** Children that its chart spawns are tried three times. */
  readonly childrenRetry: boolean;
  /** Custom actions that are marked before they run. */
  readonly atMostOnce: readonly string[];
  /** Messages a lane of its mailbox holds. */
  readonly mailbox: number;
}

export interface TelemetryPlan {
  readonly otlp: string;
  readonly links: 'link' | 'parent';
  readonly service: string;
}

const DEFAULTS = {
  shards: 16,
  horizon: '7d',
  retention: '30d',
  passivateAfter: '30s',
  passivateKeyedAfter: '5s',
  group: 'default',
} as const;

/**
 * Shape: `logics` are the names of the logic given in code; undefined: names are not checked.
 * Throws: CONFIG_INVALID with every problem.
 */
export function planOf(config: MeshConfig, logics?: Iterable<string>, source: ConfigSource = IN_CODE): MeshPlan {
  const names = logics === undefined ? undefined : new Set(logics);
  checkMesh(config, source, names);
  return new Planner(config, source, names ?? new Set()).plan();
}

class Planner {
  private readonly config: MeshConfig;
  private readonly source: ConfigSource;
  private readonly actors: ActorPlan[] = [];
  private readonly logics = new Map<string, LogicPlan>();
  private readonly inCode: ReadonlySet<string>;
  private readonly warnings: ConfigProblem[] = [];

  constructor(config: MeshConfig, source: ConfigSource, inCode: ReadonlySet<string>) {
    this.config = config;
    this.source = source;
    this.inCode = inCode;
  }

  plan(): MeshPlan {
    const { config } = this;
    const tools = Object.entries(config.tools ?? {}).map(([name, server]) => toolServerPlan(name, server));
    const models = Object.entries(config.models ?? {}).map(([name, model]) => modelPlan(name, model));
    const children = [
      ...this.gateways(
        'tools',
        tools.map((t) => ({ plan: t, group: config.tools?.[t.name]?.group })),
      ),
      ...this.gateways(
        'models',
        models.map((m) => ({ plan: m, group: config.models?.[m.name]?.group })),
      ),
      ...this.children(['actors'], '', config.actors, DEFAULTS.group),
    ];
    const root: SupervisorConfig = { children, flags: supervisorFlags() };
    this.actors.unshift(this.place(ROOT, 'supervisor', SUPERVISOR_LOGIC, DEFAULTS.group, {}));
    const { telemetry, limits = {} } = config;
    return {
      mesh: config.mesh,
      shards: config.shards ?? DEFAULTS.shards,
      horizonMs: msOr(config.horizon, DEFAULTS.horizon),
      store: storePlan(config.store ?? `sqlite:./${config.mesh}.db`),
      limits: {
        ...DEFAULT_LIMITS,
        ...given({ mailbox: limits.mailbox, recoveries: limits.recoveries, opening: limits.opening }),
        ...(limits.payload !== undefined && { payloadBytes: sizeBytes(limits.payload) as number }),
        ...(limits.orders !== undefined && { ordersMs: ms(limits.orders) }),
      },
      retentionMs: retention(config.retention, DEFAULTS.retention),
      root,
      actors: this.actors,
      logics: Object.fromEntries(this.logics),
      tools,
      models,
      telemetry: telemetry && {
        otlp: telemetry.otlp,
        links: telemetry.links ?? 'link',
        service: telemetry.service ?? config.mesh,
      },
      specHash: createHash('sha256').update(canonical(root)).digest('hex'),
      warnings: located(this.warnings, this.source.file, this.source.locate),
      placeOf: (path) => this.placeOf(path),
    };
  }

  private placeOf(path: ConfigPath): string {
    const { file, locate } = this.source;
    return placeText({ file, ...locate(path, false), path: pathText(path) });
  }

  // ---- the tree ----------------------------------------------------------------------------------------------------

  private gateways(
    area: 'tools' | 'models',
    gateways: readonly { readonly plan: ToolServerPlan | ModelPlan; readonly group: string | undefined }[],
  ): ChildSpecInput[] {
    if (gateways.length === 0) return [];
    this.actors.push(this.place(area, 'supervisor', SUPERVISOR_LOGIC, DEFAULTS.group, {}));
    const children = gateways.map(({ plan, group }): ChildSpecInput => {
      this.logics.set(plan.address, { from: 'reprise' });
      this.actors.push(this.place(plan.address, 'worker', plan.address, group ?? DEFAULTS.group, {}));
      return {
        id: plan.name,
        address: plan.address,
        logic: plan.address,
        input: plan,
        restart: 'permanent',
        kind: 'worker',
        history: 'with',
        shutdownMs: 5_000,
      };
    });
    return [supervisorSpec(area, area, { children, flags: supervisorFlags() })];
  }

  private children(
    path: ConfigPath,
    above: Address,
    entries: Readonly<Record<string, ActorConfig>>,
    group: string,
  ): ChildSpecInput[] {
    return Object.entries(entries).map(([name, entry]) => {
      const address = above === '' ? name : `${above}/${name}`;
      const at = [...path, name];
      return entry.kind === 'supervisor'
        ? this.supervisor(at, name, address, entry, group)
        : this.worker(at, name, address, entry, entry.group ?? group);
    });
  }

  private supervisor(path: ConfigPath, id: string, address: Address, entry: SupervisorEntry, above: string): ChildSpecInput {
    const group = entry.group ?? above;
    this.actors.push(this.place(address, 'supervisor', SUPERVISOR_LOGIC, group, {}));
    const children = this.children([...path, 'children'], address, entry.children, group);
    const flags = flagsOf(entry);
    const warning = checkBudgetSpendable(flags, children);
    if (warning !== undefined) this.warnings.push({ path, message: warning, atKey: true });
    return supervisorSpec(id, address, { children, flags: supervisorFlags(flags) });
  }

  private worker(path: ConfigPath, id: string, address: Address, entry: WorkerEntry, group: string): ChildSpecInput {
    const logic = this.logicName(path, address, entry);
    const kind = entry.kind === undefined || entry.kind === 'actor' ? 'worker' : entry.kind;
    this.actors.push(this.place(address, kind, logic, group, entry));
    const common = {
      input: entry.input ?? null,
      restart: entry.restart ?? (kind === 'keyed' ? ('transient' as const) : ('permanent' as const)),
      shutdownMs: msOr(entry.shutdown, '5s'),
      history: entry.history ?? ('fresh' as const),
      ...(entry.backoff !== undefined && { backoff: backoffOf(entry.backoff) }),
    };
    if (entry.kind !== 'pool') return { id, address, logic, kind, ...common };
    const member = { ...common, logic, kind: 'worker' as const };
    const input: PoolConfig = {
      size: entry.size,
      router: entry.router ?? 'round_robin',
      member,
      ...(entry.hashOf !== undefined && { field: entry.hashOf }),
      flags: given({
        intensity: entry.intensity,
        periodMs: entry.period === undefined ? undefined : ms(entry.period),
        whenSpent: entry.whenSpent,
      }),
    };
    return {
      id,
      address,
      logic: POOL_LOGIC,
      kind: 'pool',
      input,
      restart: 'permanent',
      shutdownMs: common.shutdownMs,
      history: 'fresh',
    };
  }

  /** Logic from a module goes by the address that names it, so that a file may move without its logs noticing. */
  private logicName(path: ConfigPath, address: Address, entry: WorkerEntry): string {
    if (entry.module === undefined) {
      const name = entry.logic ?? (path.at(-1) as string);
      if (this.logics.get(name)?.from === 'module') this.clash(path, name);
      this.logics.set(name, { from: 'code' });
      return name;
    }
    if (this.logics.has(address) || this.inCode.has(address)) this.clash(path, address);
    this.logics.set(address, { from: 'module', ...moduleRef(entry.module), place: this.placeOf([...path, 'module']) });
    return address;
  }

  private clash(path: ConfigPath, name: string): never {
    throw invalid(
      located(
        [
          {
            path,
            atKey: true,
            message: `"${name}" names both a logic given in code and the module of the actor at that address: rename one`,
          },
        ],
        this.source.file,
        this.source.locate,
      ),
    );
  }

  private place(address: Address, kind: ChildKind, logic: string, group: string, entry: Partial<WorkerEntry>): ActorPlan {
    return {
      address,
      kind,
      logic,
      members: 'size' in entry ? entry.size : 0,
      group,
      input: entry.input ?? null,
      passivateAfterMs: msOr(entry.passivateAfter, kind === 'keyed' ? DEFAULTS.passivateKeyedAfter : DEFAULTS.passivateAfter),
      retentionMs: retention(entry.retention ?? this.config.retention, DEFAULTS.retention),
      childrenRetry: entry.children?.onFailure === 'retry',
      atMostOnce: Object.entries(entry.actions ?? {})
        .filter(([, how]) => how === 'at_most_once')
        .map(([name]) => name),
      mailbox: entry.mailbox?.size ?? this.config.limits?.mailbox ?? DEFAULT_LIMITS.mailbox,
    };
  }
}

const supervisorSpec = (id: string, address: Address, input: SupervisorConfig): ChildSpecInput => ({
  id,
  address,
  logic: SUPERVISOR_LOGIC,
  kind: 'supervisor',
  input,
  restart: 'permanent',
  shutdownMs: 5_000,
  history: 'fresh',
});

function flagsOf(entry: SupervisorEntry): FlagsInput {
  return given({
    strategy: entry.strategy,
    intensity: entry.intensity,
    whenSpent: entry.whenSpent,
    periodMs: entry.period === undefined ? undefined : ms(entry.period),
    startMs: entry.startTimeout === undefined ? undefined : ms(entry.startTimeout),
    backoff: entry.backoff === undefined ? undefined : backoffOf(entry.backoff),
  });
}

const retention = (value: number | string | undefined, otherwise: string): number | undefined =>
  value === 'forever' ? undefined : msOr(value, otherwise);

function storePlan(text: string): StorePlan {
  return text === 'memory:' ? { kind: 'memory' } : { kind: 'sqlite', path: text.slice('sqlite:'.length) };
}
