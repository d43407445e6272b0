/** The checks of `reprise doctor`: each says what it found, and none changes anything that is there. */
import { accessSync, constants, existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Env } from '../core/config/interpolate.ts';
import type { ModelPlan, PlainOrSecret, ToolServerPlan } from '../core/config/gateway-plan.ts';
import type { MeshPlan } from '../core/config/plan.ts';
import { problemText } from '../core/config/problems.ts';
import { errorData } from '../core/errors.ts';
import type { MeshStore } from '../core/mesh.ts';
import { loadLogics } from './logics.ts';
import type { LoadedMesh } from './mesh-file.ts';
import { meshAt } from './reach.ts';
import { openStore, storePath } from './stores.ts';
import { systemClock, systemEntropy } from './system.ts';
import { contentsOf } from './words.ts';

export interface Finding {
  readonly name: string;
  /** `skipped`: there was nothing to look at. */
  readonly status: 'ok' | 'warning' | 'failed' | 'skipped';
  readonly message: string;
}

const NODE_MIN = [22, 18] as const;
const SKEW_MS = 30_000;
const REACH_MS = 3_000;
const CONNECT_MS = 15_000;

const ok = (name: string, message: string): Finding => ({ name, status: 'ok', message });
const warning = (name: string, message: string): Finding => ({ name, status: 'warning', message });
const failed = (name: string, message: string): Finding => ({ name, status: 'failed', message });
const skipped = (name: string, message: string): Finding => ({ name, status: 'skipped', message });

/** A check that throws has failed. */
export async function checked(name: string, check: () => Promise<Finding> | Finding): Promise<Finding> {
  try {
    return await check();
  } catch (error) {
    return failed(name, errorData(error).message);
  }
}

export function nodeVersion(version: string): Finding {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number);
  const isEnough = major > NODE_MIN[0] || (major === NODE_MIN[0] && minor >= NODE_MIN[1]);
  return isEnough ? ok('node', version) : failed('node', `${version}; Reprise needs ${NODE_MIN.join('.')} or newer`);
}

export async function meshFile(loaded: LoadedMesh, plan: MeshPlan): Promise<Finding> {
  await loadLogics(plan, { folder: loaded.folder });
  const [first] = plan.warnings;
  return first === undefined ? ok('config', `${loaded.file}: ${contentsOf(plan)}`) : warning('config', problemText(first));
}

// ---- store -------------------------------------------------------------------------------------------------------------

export async function storeOf(plan: MeshPlan, folder: string): Promise<Finding> {
  const path = storePath(plan, folder);
  if (path === undefined) return warning('store', 'memory: survives nothing; write sqlite:PATH to keep what happens');
  if (!existsSync(path)) {
    accessSync(existingFolder(dirname(path)), constants.W_OK);
    return ok('store', `${path} will be made at the first start`);
  }
  accessSync(path, constants.W_OK);
  const { sqlite, storeOwner } = await import('../persistence/sqlite.ts');
  const owner = storeOwner(path);
  const store = await sqlite({ path, readOnly: true });
  try {
    const wrong = await store.check();
    if (wrong.length > 0) return failed('store', `${path}: ${wrong.join('; ')}`);
  } finally {
    await store.close();
  }
  const size = `${(statSync(path).size / 1024 / 1024).toFixed(1)} MiB`;
  return ok('store', `${path}, ${size}, every checksum right${owner === undefined ? '' : `; owned by process ${owner.pid}`}`);
}

/** Whether the mesh that runs, if one does, answers. */
export async function processOf(plan: MeshPlan, folder: string): Promise<Finding> {
  const running = await meshAt(plan, folder);
  return running === undefined ? skipped('mesh', 'it is not running') : ok('mesh', `process ${running.pid} runs it, and answers`);
}

const existingFolder = (folder: string): string => (existsSync(folder) ? folder : existingFolder(dirname(folder)));

/** Against the last record of each stream: a clock that lies behind them would stand still for timers. */
export async function clockOf(plan: MeshPlan, folder: string): Promise<Finding> {
  const path = storePath(plan, folder);
  if (path === undefined || !existsSync(path)) return skipped('clock', 'no records to compare it with');
  const store = await openStore(plan, folder, true);
  try {
    const aheadMs = (await lastRecordAt(store)) - Date.now();
    return aheadMs > SKEW_MS
      ? failed(
          'clock',
          `the last record is ${Math.round(aheadMs / 1_000)} s in the future: this clock, or that of the last run, is wrong`,
        )
      : ok('clock', 'not behind the last record');
  } finally {
    await store.close();
  }
}

async function lastRecordAt(store: MeshStore): Promise<number> {
  let last = 0;
  for (const shard of await store.shards())
    for await (const stream of store.streams(shard))
      for await (const record of store.read(stream, stream.head, stream.head)) last = Math.max(last, record.meta.ts);
  return last;
}

// ---- tools and models --------------------------------------------------------------------------------------------------

/** Starts the server, asks what it offers, and ends it. */
export async function toolServer(plan: ToolServerPlan, folder: string, env: Env): Promise<Finding> {
  const name = `tools.${plan.name}`;
  const { McpConnection } = await import('../actors/mcp-client.ts');
  const entropy = systemEntropy();
  const connection = new McpConnection(plan, {
    secrets: { env, readFile: (path) => readFileSync(resolve(folder, path), 'utf8') },
    dir: folder,
    clock: systemClock(),
    random: () => entropy.random(),
    limits: { connectMs: CONNECT_MS },
  });
  try {
    return await new Promise<Finding>((resolve) => {
      connection.open((event) => {
        if (event.type === 'reprise.mcp.connected') {
          const offered = (event.tools ?? []).map((tool) => tool.name);
          const unknown = Object.keys(plan.tools).filter((tool) => !offered.includes(tool));
          resolve(
            unknown.length === 0
              ? ok(name, `${event.identity.name} ${event.identity.version} offers ${offered.join(', ')}`)
              : warning(
                  name,
                  `it offers no ${unknown.join(', ')}, which the mesh file has policies for; it offers ${offered.join(', ')}`,
                ),
          );
        } else if (event.type === 'reprise.mcp.down') resolve(failed(name, event.error.message));
      });
    });
  } finally {
    await connection.close();
  }
}

/** Reads its secrets, and makes its port. What a module of a user throws or says may hold one. */
export async function modelOf(plan: ModelPlan, folder: string, env: Env, placeOf: MeshPlan['placeOf']): Promise<Finding> {
  const name = `models.${plan.name}`;
  const { Vault } = await import('../actors/secret.ts');
  const vault = new Vault({ env, readFile: (path) => readFileSync(resolve(folder, path), 'utf8') });
  const found = await checked(name, async () => {
    const { modelSource } = await import('./model-ports.ts');
    const { source } = await modelSource(plan, folder, vault, placeOf);
    for (const setting of secretsOf(plan)) vault.value(setting);
    const port = await source();
    if (plan.kind !== 'openai-compatible') return ok(name, port.id);
    return (await answers(plan.baseUrl))
      ? ok(name, `${port.id} at ${plan.baseUrl}`)
      : warning(name, `nothing answers at ${plan.baseUrl}`);
  });
  return { ...found, message: vault.redactor.text(found.message) };
}

const secretsOf = (plan: ModelPlan): readonly PlainOrSecret[] => [
  ...('apiKey' in plan && plan.apiKey !== undefined ? [plan.apiKey] : []),
  ...('headers' in plan ? Object.values(plan.headers) : []),
];

export async function traces(plan: MeshPlan): Promise<Finding> {
  if (plan.telemetry === undefined) return skipped('telemetry', 'the mesh file asks for none');
  const { otlp } = plan.telemetry;
  return (await answers(otlp))
    ? ok('telemetry', otlp)
    : warning('telemetry', `nothing answers at ${otlp}: spans will be lost, messages will not`);
}

/** Any answer of HTTP is one. */
async function answers(url: string): Promise<boolean> {
  try {
    await fetch(url, { signal: AbortSignal.timeout(REACH_MS) });
    return true;
  } catch {
    return false;
  }
}

// ---- the kind of store on this machine -----------------------------------------------------------------------------------

/** Everything that a store of this kind promises, on one that is thrown away. */
export async function conformance(kind: string, folder: string): Promise<Finding> {
  const name = `conformance of ${kind}`;
  const { runStoreKit } = await import('./store-kit.ts');
  const { passed, failures, without } = await runStoreKit(kind, existingFolder(folder));
  const [first] = failures;
  if (first !== undefined)
    return failed(name, `${failures.length} of ${passed + failures.length} cases: ${first.name}: ${first.error}`);
  return ok(
    name,
    `${passed} cases hold on a store that was thrown away${without.length === 0 ? '' : `; not looked at: ${without.join(', ')}`}`,
  );
}
