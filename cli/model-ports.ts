/**
 * Model ports from the plans of a mesh file. Modules are loaded at once, so that a wrong one is found when the mesh starts; ports are made,
 * and secrets read, where the gateway runs and not before.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ModelTerms } from '../actors/model-gateway.ts';
import type { PortSource } from '../actors/model-leaves.ts';
import type { ModelPort } from '../actors/model-port.ts';
import { type AiSdkModel, fromAiSdk, isAiSdkModel } from '../actors/models/ai-sdk.ts';
import { openaiCompatible } from '../actors/models/openai-compatible.ts';
import { scripted, type ScriptedAnswer } from '../actors/models/scripted.ts';
import type { Vault } from '../actors/secret.ts';
import type { ModelPlan } from '../core/config/gateway-plan.ts';
import type { MeshPlan } from '../core/config/plan.ts';
import type { ConfigPath } from '../core/config/problems.ts';
import { errorData, MeshError } from '../core/errors.ts';
import { loadExport } from './actor-modules.ts';
import { missingPackage, peer, peerMissing } from './peer.ts';

type Plan<K extends ModelPlan['kind']> = Extract<ModelPlan, { kind: K }>;
type ModulePlan = Plan<'ai-sdk' | 'module'>;

/** What `modelLeaves` takes. */
export interface ModelSource {
  readonly source: PortSource;
  readonly terms: ModelTerms;
}

/**
 * `folder`: where relative paths start. `vault`: the one of this model, whose redactor knows its secrets from then on. `placeOf`: as the plan
 * of the mesh has it.
 *
 * Throws CONFIG_INVALID, PEER_DEPENDENCY_MISSING.
 */
export async function modelSource(
  plan: ModelPlan,
  folder: string,
  vault: Vault,
  placeOf: MeshPlan['placeOf'],
): Promise<ModelSource> {
  const { timeoutMs, concurrency } = plan;
  const at = { folder, placeOf: (...member: ConfigPath) => placeOf(['models', plan.name, ...member]) };
  return {
    source: await sourceOf(plan, at, vault),
    terms: { timeoutMs, concurrency, ...(plan.kind === 'openai-compatible' && { attempts: plan.retries + 1 }) },
  };
}

/** Where the mesh file is, and how messages name a member of the model in it. */
interface At {
  readonly folder: string;
  readonly placeOf: (...member: ConfigPath) => string;
}

async function sourceOf(plan: ModelPlan, at: At, vault: Vault): Promise<PortSource> {
  switch (plan.kind) {
    case 'scripted': {
      const port = scripted(answersOf(plan, at), { id: `scripted/${plan.name}`, repeat: plan.repeat });
      return () => port;
    }
    case 'openai-compatible': {
      const { baseUrl, model, apiKey, headers, settings } = plan;
      return () => openaiCompatible({ baseUrl, model, headers, settings, vault, ...(apiKey !== undefined && { apiKey }) });
    }
    case 'ai-sdk':
    case 'module': {
      const exported = await loaded(plan, at);
      if (typeof exported !== 'function') await portOf(plan, at, exported);
      return async () => portOf(plan, at, typeof exported === 'function' ? await made(exported, plan, at, vault) : exported);
    }
  }
}

const wrong = (place: string, problem: string, cause?: unknown): MeshError =>
  new MeshError('CONFIG_INVALID', `${place}: ${problem}`, cause === undefined ? {} : { cause });

// ---- scripted --------------------------------------------------------------------------------------------------------

function answersOf(plan: Plan<'scripted'>, at: At): readonly ScriptedAnswer[] {
  const { replies = [], file } = plan;
  const answers: unknown = file === undefined ? replies : fromFile(resolve(at.folder, file), at);
  if (!Array.isArray(answers)) throw wrong(at.placeOf('file'), `${file} holds no list of answers`);
  return answers.map((answer: unknown, i) => {
    if (isAnswer(answer)) return answer;
    throw wrong(
      file === undefined ? at.placeOf('replies', i) : at.placeOf('file'),
      `answer ${i} is neither text nor a result of a model with a list of 'content'`,
    );
  });
}

function fromFile(path: string, at: At): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as unknown;
  } catch (error) {
    throw wrong(at.placeOf('file'), `${path} cannot be read as JSON: ${errorData(error).message}`, error);
  }
}

const isAnswer = (answer: unknown): answer is string | Extract<ScriptedAnswer, { content?: unknown }> =>
  typeof answer === 'string' ||
  (typeof answer === 'object' && answer !== null && Array.isArray((answer as { content?: unknown }).content));

// ---- modules ---------------------------------------------------------------------------------------------------------

async function loaded(plan: ModulePlan, at: At): Promise<unknown> {
  const place = at.placeOf('module');
  try {
    return (await loadExport(plan.file, plan.exportName, at.folder, place)).value;
  } catch (error) {
    const name = missingPackage(error);
    throw name === undefined ? error : peerMissing(place, name, error);
  }
}

/** A function is given the key, and nothing else that is secret. */
async function made(exported: unknown, plan: ModulePlan, at: At, vault: Vault): Promise<unknown> {
  // Providers of the AI SDK are functions too, but of a model's name.
  if ('languageModel' in (exported as object))
    throw wrong(at.placeOf('module'), `${plan.file} exports a provider; export one of its models, such as openai('gpt-5-mini')`);
  const make = exported as (given: { readonly apiKey?: string }) => unknown;
  return await make(plan.apiKey === undefined ? {} : { apiKey: vault.value(plan.apiKey) });
}

async function portOf(plan: ModulePlan, at: At, model: unknown): Promise<ModelPort> {
  if (plan.kind === 'module') {
    if (isPort(model)) return model;
    const cure = isAiSdkModel(model) ? "; it is a model of the AI SDK: write 'kind: ai-sdk'" : '';
    throw wrong(at.placeOf('module'), `${plan.file} gives no model port, which is { id, generate }${cure}`);
  }
  const found = typeof model === 'string' ? await byName(at, model) : model;
  if (!isAiSdkModel(found)) throw wrong(at.placeOf('module'), `${plan.file} gives no language model of the AI SDK`);
  return fromAiSdk(found);
}

const isPort = (value: unknown): value is ModelPort =>
  typeof value === 'object' &&
  value !== null &&
  typeof (value as { id?: unknown }).id === 'string' &&
  typeof (value as { generate?: unknown }).generate === 'function';

/** `provider/model`, as the AI SDK resolves it: by its default provider, else by its gateway. */
async function byName(at: At, name: string): Promise<AiSdkModel> {
  const { gateway } = await peer(at.placeOf('module'), () => import('ai'));
  const { AI_SDK_DEFAULT_PROVIDER: provider = gateway } = globalThis as {
    AI_SDK_DEFAULT_PROVIDER?: { languageModel(id: string): AiSdkModel };
  };
  return provider.languageModel(name);
}
