/**
 * What a tool gateway is told about its server, as the mesh file says it. Plain data; secrets are references only.
 *
 *   command + args + env + cwd    a child process that speaks MCP over stdio; it sees only this `env` and the SDK's safe list (PATH, HOME, ..)
 *   url + headers + token         Streamable HTTP
 */
import type { InDoubt } from '../core/logic.ts';
import type { SecretRef, Setting } from './secret.ts';

export interface StdioPlan {
  readonly command: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, Setting>>;
  readonly cwd?: string;
}

export interface HttpPlan {
  readonly url: string;
  readonly headers?: Readonly<Record<string, Setting>>;
  /** Bearer token, asked for at each connect. */
  readonly token?: SecretRef;
}

/** What the config says of one tool. It wins over the code that calls it and over the server's annotations. */
export interface ToolTerms {
  readonly inDoubt?: InDoubt;
  /** The argument in which the tool takes the idempotency key. It is in `_meta['reprise/idempotencyKey']` anyway. */
  readonly keyArgument?: string;
  /** For `inDoubt: ask`: the tool that says what became of a key, see docs/tools.md. */
  readonly query?: ToolQuery;
  readonly timeoutMs?: number;
  /** Tries in all. */
  readonly attempts?: number;
}

/** A read-only tool that is called with the key and answers `{ found: boolean, result?: ... }`. */
export interface ToolQuery {
  readonly tool: string;
  /** Default `key`. */
  readonly keyArgument?: string;
}

/** The part of a plan that the gateway decides by: it reaches the gateway as a recorded event. */
export interface GatewayTerms {
  readonly tools?: Readonly<Record<string, ToolTerms>>;
  /** For tools that `tools` does not name. */
  readonly inDoubt?: InDoubt;
  /** Calls at once. Default 16. */
  readonly concurrency?: number;
}

export interface McpLimits {
  /** Of one request, as JSON. Default 1 MiB. */
  readonly argsBytesMax?: number;
  /** Of one answer, as JSON. Default 8 MiB. */
  readonly resultBytesMax?: number;
  /** ms for process start, handshake and tool list. Default 30,000. */
  readonly connectMs?: number;
  /** Pauses before the server is started or reached again, ms: the first (default 500) and the longest (default 30,000). */
  readonly backoffMinMs?: number;
  readonly backoffMaxMs?: number;
}

/** `protocol`: 'legacy' (default) is the handshake of every server of today; 'auto' also tries the revision of 2026-07-28. */
export type McpPlan = (StdioPlan | HttpPlan) & GatewayTerms & { readonly server: string; readonly limits?: McpLimits; readonly protocol?: 'legacy' | 'auto' };

export const isHttp = (plan: StdioPlan | HttpPlan): plan is HttpPlan => 'url' in plan;

/** The part that goes into the log. Holds no setting that could be a secret. */
export const termsOf = ({ tools, inDoubt, concurrency }: GatewayTerms): GatewayTerms => ({
  ...(tools !== undefined && { tools }), ...(inDoubt !== undefined && { inDoubt }), ...(concurrency !== undefined && { concurrency }),
});
