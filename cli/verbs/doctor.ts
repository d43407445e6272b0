/** `reprise doctor` */
import { dirname } from 'node:path';
import { errorData } from '../../core/errors.ts';
import type { MeshPlan } from '../../core/config/plan.ts';
import type { Call } from '../command.ts';
import {
  checked,
  clockOf,
  conformance,
  type Finding,
  meshFile,
  modelOf,
  nodeVersion,
  processOf,
  storeOf,
  toolServer,
  traces,
} from '../doctor.ts';
import { EXIT } from '../exit.ts';
import { type LoadedMesh, meshOf, planOfFile } from '../mesh-file.ts';
import { findingText, typedFinding } from '../render/finding.ts';
import { storePath } from '../stores.ts';

export async function run(call: Call): Promise<number> {
  const findings: Finding[] = [];
  const { io } = call;
  const tell = (finding: Finding): void => {
    findings.push(finding);
    if (!call.isJson) io.out(findingText(finding, call));
  };
  tell(nodeVersion(process.version));
  const mesh = read(call, tell);
  const kind = call.text('store') ?? (mesh?.plan.store.kind === 'memory' ? 'memory:' : 'sqlite:');
  if (mesh !== undefined) await ofMesh(call, mesh, tell);
  const path = mesh === undefined ? undefined : storePath(mesh.plan, mesh.loaded.folder);
  const folder = path === undefined ? process.cwd() : dirname(path);
  tell(await checked(`conformance of ${kind}`, () => conformance(kind, folder)));
  const isOk = findings.every((finding) => finding.status !== 'failed');
  if (call.isJson) io.json({ ok: isOk, checks: findings.map((finding) => typedFinding(finding, call)) });
  return isOk ? EXIT.ok : EXIT.failure;
}

interface Read {
  readonly loaded: LoadedMesh;
  readonly plan: MeshPlan;
}

/** Undefined: what hangs on the mesh file cannot be looked at. */
function read(call: Call, tell: (finding: Finding) => void): Read | undefined {
  try {
    const loaded = meshOf(call);
    return { loaded, plan: planOfFile(loaded) };
  } catch (error) {
    tell({ name: 'config', status: 'failed', message: errorData(error).message });
    return undefined;
  }
}

async function ofMesh(call: Call, { loaded, plan }: Read, tell: (finding: Finding) => void): Promise<void> {
  const { folder } = loaded;
  const { env } = call.io;
  tell(await checked('config', () => meshFile(loaded, plan)));
  tell(await checked('mesh', () => processOf(plan, folder)));
  tell(await checked('store', () => storeOf(plan, folder)));
  tell(await checked('clock', () => clockOf(plan, folder)));
  for (const tool of plan.tools) tell(await checked(`tools.${tool.name}`, () => toolServer(tool, folder, env)));
  for (const model of plan.models) tell(await checked(`models.${model.name}`, () => modelOf(model, folder, env, plan.placeOf)));
  tell(await checked('telemetry', () => traces(plan)));
}
