/** Gateways of a mesh file with all defaults: what the tool and model gateways take as their input. Secrets are references only. */
import type { Address } from '../address.ts';
import type { Backoff } from '../supervision/child-spec.ts';
import type { InDoubt } from '../logic.ts';
import { backoffOf, given, ms, moduleRef, msOr } from './resolve.ts';
import type { ModelConfig, SecretRef, ToolServerConfig } from './schema.ts';

export interface ToolPolicy {
  /** Undefined: by the annotations of the tool. */
  readonly inDoubt?: InDoubt;
  readonly keyArgument?: string;
  readonly query?: { readonly tool: string; readonly keyArgument: string };
  readonly timeoutMs?: number;
}
export type PlainOrSecret = string | SecretRef;
export interface ToolServerPlan {
  readonly name: string;
  /** `tools/<name>` */
  readonly address: Address;
  readonly transport:
    | {
        readonly kind: 'stdio';
        readonly command: string;
        readonly args: readonly string[];
        readonly env: Readonly<Record<string, PlainOrSecret>>;
        readonly cwd?: string;
      }
    | { readonly kind: 'http'; readonly url: string; readonly headers: Readonly<Record<string, PlainOrSecret>> };
  readonly tools: Readonly<Record<string, ToolPolicy>>;
  readonly timeoutMs: number;
  readonly concurrency: number;
  readonly backoff: Backoff;
}
export type ModelPlan = {
  readonly name: string;
  /** `models/<name>` */
  readonly address: Address;
  readonly timeoutMs: number;
  readonly concurrency: number;
} & (
  | { readonly kind: 'scripted'; readonly replies?: readonly unknown[]; readonly file?: string; readonly repeat: boolean }
  | {
      readonly kind: 'openai-compatible';
      readonly baseUrl: string;
      readonly model: string;
      readonly apiKey?: SecretRef;
      readonly headers: Readonly<Record<string, PlainOrSecret>>;
      readonly settings: Readonly<Record<string, unknown>>;
      readonly retries: number;
    }
  | { readonly kind: 'ai-sdk' | 'module'; readonly file: string; readonly exportName?: string; readonly apiKey?: SecretRef }
);
const CALL_TIMEOUT = '60s';
const MODEL_TIMEOUT = '120s';
const CONCURRENCY = 16;
const GATEWAY_BACKOFF: Backoff = { minMs: 200, maxMs: 30_000, factor: 2, jitter: 0.2 };

export function toolServerPlan(name: string, server: ToolServerConfig): ToolServerPlan {
  const { stdio, http } = server;
  return {
    name,
    address: `tools/${name}`,
    transport:
      stdio === undefined
        ? { kind: 'http', url: http?.url as string, headers: http?.headers ?? {} }
        : {
            kind: 'stdio',
            command: stdio.command,
            args: stdio.args ?? [],
            env: stdio.env ?? {},
            ...(stdio.cwd !== undefined && { cwd: stdio.cwd }),
          },
    tools: Object.fromEntries(
      Object.entries(server.tools ?? {}).map(([tool, policy]) => [
        tool,
        {
          ...given({ inDoubt: policy.inDoubt, keyArgument: policy.keyArgument }),
          ...(policy.query !== undefined && {
            query: { tool: policy.query.tool, keyArgument: policy.query.keyArgument ?? 'key' },
          }),
          ...(policy.timeout !== undefined && { timeoutMs: ms(policy.timeout) }),
        },
      ]),
    ),
    timeoutMs: msOr(server.timeout, CALL_TIMEOUT),
    concurrency: server.concurrency ?? CONCURRENCY,
    backoff: { ...GATEWAY_BACKOFF, ...(server.backoff !== undefined && backoffOf(server.backoff)) },
  };
}

export function modelPlan(name: string, model: ModelConfig): ModelPlan {
  const common = {
    name,
    address: `models/${name}`,
    timeoutMs: msOr(model.timeout, MODEL_TIMEOUT),
    concurrency: model.concurrency ?? CONCURRENCY,
  };
  switch (model.kind) {
    case 'scripted':
      return {
        ...common,
        kind: model.kind,
        repeat: model.repeat ?? false,
        ...given({ replies: model.replies, file: model.file }),
      };
    case 'openai-compatible':
      return {
        ...common,
        kind: model.kind,
        baseUrl: model.baseUrl,
        model: model.model,
        headers: model.headers ?? {},
        settings: model.settings ?? {},
        retries: model.retries ?? 2,
        ...given({ apiKey: model.apiKey }),
      };
    case 'ai-sdk':
    case 'module': {
      const { file, name: exportName } = moduleRef(model.module);
      return { ...common, kind: model.kind, file, ...given({ exportName, apiKey: model.apiKey }) };
    }
  }
}
