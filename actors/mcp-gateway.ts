/**
 * The gateway actor of one MCP server: an actor with a log of its own at `tools/<server>`. Knows tools, calls in hand, tries, pauses and
 * what each call's doubt means; touches no process and no socket (those are leaves, `mcp-leaves.ts`).
 *
 *   connection leaf --opening, connected, down--> state      call --> book --> call leaf --> reply
 *
 * Its terms come as events of the connection leaf, so an edited mesh file does not change what an old log folds to.
 */
import {
  type Address,
  type Effect,
  type ErrorData,
  errorData,
  type EventObject,
  type InDoubt,
  type Leaf,
  type Logic,
  MeshError,
  reducer,
  type ReducerContext,
  type ToolPolicy,
  type ToolServerPlan,
} from '../core/index.ts';
import { type Call, type CallBook, type CallEvent, type CallKind, Calls, EMPTY_BOOK, isEnd, type Terms } from './call-book.ts';
import { ARGS_BYTES_MAX } from './limits.ts';
import type { ToolAnnotations, ToolDescription } from './tool.ts';

/** The part of a plan that the gateway decides by: it is in the log. */
export type GatewayTerms = Pick<ToolServerPlan, 'tools' | 'timeoutMs' | 'concurrency'>;

export const termsOf = ({ tools, timeoutMs, concurrency }: GatewayTerms): GatewayTerms => ({ tools, timeoutMs, concurrency });

/** Events of the connection leaf. */
export type ConnectionEvent =
  | { readonly type: 'reprise.mcp.opening'; readonly terms: GatewayTerms }
  /** `tools` only when they differ from what this process told last. */
  | { readonly type: 'reprise.mcp.connected'; readonly identity: ServerIdentity; readonly tools?: readonly ToolDescription[] }
  | { readonly type: 'reprise.mcp.tools'; readonly tools: readonly ToolDescription[] }
  | { readonly type: 'reprise.mcp.down'; readonly error: ErrorData; readonly againMs: number };

export interface ServerIdentity {
  readonly name: string;
  readonly version: string;
  readonly protocol: string;
}

export interface ToolGatewayState {
  readonly server: string;
  readonly status: 'starting' | 'ready' | 'down';
  readonly error: ErrorData | null;
  /** How often the connection was lost or could not be made; the same failure again and again counts once. */
  readonly losses: number;
  readonly identity: ServerIdentity | null;
  readonly terms: GatewayTerms;
  readonly tools: Readonly<Record<string, ToolDescription>>;
  /** Who asked for the list of tools before it was known. */
  readonly asking: readonly Address[];
  readonly book: CallBook;
}

export interface ToolGatewayOptions {
  /** Name of the server in the mesh file. */
  readonly server: string;
  readonly leaves: { readonly connection: Leaf; readonly call: Leaf };
}

const KIND: CallKind = { src: 'call', inputBytesMax: ARGS_BYTES_MAX, timeoutCode: 'TOOL_TIMEOUT' };
/** Until the connection has said its own. */
const TERMS: GatewayTerms = { tools: {}, timeoutMs: 60_000, concurrency: 16 };
const CONNECTION: Effect = { kind: 'spawn', child: 'connection', src: 'connection', input: null, sync: false };
/** Who waits for the list of tools beyond this is answered BUSY. */
export const ASKING_MAX = 1_000;
/** The connection leaf never ends by itself; should it, it is started again. */
const REOPEN_MS = 1_000;

/**
 * The logic of `tools/<server>`; its input, if any, is the plan. Takes `reprise.call`, `reprise.cancel` and `reprise.tools`, answers with `reprise.reply`.
 *
 * Answers a repeated key with the answer that it gave before (the last 500 of the last hour).
 */
export function toolGateway({ server, leaves }: ToolGatewayOptions): Logic {
  return reducer<ToolGatewayState, GatewayTerms | null | undefined>({
    id: 'reprise.tool-gateway',
    version: '1',
    init: (plan) => ({
      state: {
        server,
        status: 'starting',
        error: null,
        losses: 0,
        identity: null,
        terms: plan?.tools === undefined ? TERMS : termsOf(plan),
        tools: {},
        asking: [],
        book: EMPTY_BOOK,
      },
      effects: [CONNECTION],
    }),
    step,
    sources: { connection: { kind: 'leaf', leaf: leaves.connection }, call: { kind: 'leaf', leaf: leaves.call } },
  });
}

interface Turned {
  readonly state: ToolGatewayState;
  readonly effects: Effect[];
}

function step(state: ToolGatewayState, event: EventObject, ctx: ReducerContext): Turned {
  const calls = new Calls(state.book, KIND, ctx);
  const { state: next, effects } = react(state, event, calls);
  calls.pump(next.status === 'ready' ? next.terms.concurrency : 0, (call) => termsFor(next, call));
  return { state: { ...next, book: calls.book() }, effects: [...effects, ...calls.effects] };
}

function react(state: ToolGatewayState, event: EventObject, calls: Calls): Turned {
  switch (event.type) {
    case 'reprise.call':
      return { state: called(state, event as CallEvent, calls), effects: [] };
    case 'reprise.cancel':
      calls.cancel(String(event['key']));
      break;
    case 'reprise.call.again':
      calls.again(String(event['key']));
      break;
    case 'reprise.call.deadline':
      calls.deadline(String(event['key']), () => notReady(state));
      break;
    case 'reprise.tools':
      return listed(state, event as CallEvent);
    case 'reprise.tools.late':
      return listLate(state, String(event['to']));
    case 'reprise.mcp.opening':
      return { state: { ...state, status: 'starting', terms: event['terms'] as GatewayTerms }, effects: [] };
    case 'reprise.mcp.connected':
      return connected(state, event as Extract<ConnectionEvent, { type: 'reprise.mcp.connected' }>);
    case 'reprise.mcp.tools':
      return { state: { ...state, tools: byName(event['tools'] as readonly ToolDescription[]) }, effects: [] };
    case 'reprise.mcp.down':
      return down(state, event['error'] as ErrorData);
    case 'reprise.mcp.reopen':
      return { state, effects: [CONNECTION] };
    default:
      return other(state, event, calls);
  }
  return { state, effects: [] };
}

function other(state: ToolGatewayState, event: EventObject, calls: Calls): Turned {
  if (isEnd(event) && event['actorId'] === 'connection') {
    return {
      state: { ...state, status: 'down' },
      effects: [{ kind: 'timer', timer: 'reopen', event: { type: 'reprise.mcp.reopen' }, delay: REOPEN_MS }],
    };
  }
  if (!(isEnd(event) && calls.ended(event)))
    return { state, effects: [{ kind: 'log', label: 'gateway.ignored', value: { type: event.type } }] };
  return { state, effects: [] };
}

// ---- calls -----------------------------------------------------------------------------------------------------------

function called(state: ToolGatewayState, event: CallEvent, calls: Calls): ToolGatewayState {
  const name = String(event['name']);
  calls.accept(event, `tool '${state.server}.${name}'`, { name, args: event['args'] });
  return state;
}

/** What to do in doubt: the config first, then the code that calls, then the tool's own annotations. */
function termsFor(state: ToolGatewayState, call: Call): Terms | MeshError {
  const name = String(call.input['name']);
  const known = state.tools[name];
  if (known === undefined)
    return new MeshError(
      'TOOL_FAILED',
      `server '${state.server}' has no tool '${name}'; it has: ${Object.keys(state.tools).join(', ') || 'none'}`,
      { data: { retryable: false } },
    );
  const policy: ToolPolicy = state.terms.tools[name] ?? {};
  const wanted = policy.inDoubt ?? call.asked ?? hinted(known.annotations);
  const { keyArgument, query } = policy;
  return {
    // Nobody to ask: a person.
    inDoubt: wanted === 'ask' && query === undefined ? 'park' : wanted,
    timeoutMs: policy.timeoutMs ?? call.timeoutMs ?? state.terms.timeoutMs,
    attempts: call.attempts,
    input: { ...(keyArgument !== undefined && { keyArgument }), ...(query !== undefined && { query }) },
  };
}

function hinted(annotations: ToolAnnotations = {}): InDoubt {
  return annotations.readOnlyHint === true || annotations.idempotentHint === true ? 'retry' : 'park';
}

function notReady(state: ToolGatewayState): ErrorData | undefined {
  if (state.status === 'ready') return undefined;
  const cause = state.error === null ? '' : `: ${state.error.message}`;
  return errorData(
    new MeshError('MCP_FAILED', `server '${state.server}' was not reached in time${cause}`, { data: { sent: false } }),
  );
}

// ---- the list of tools -----------------------------------------------------------------------------------------------

function listed(state: ToolGatewayState, event: CallEvent): Turned {
  const to = event.replyTo?.id;
  if (to === undefined) return { state, effects: [] };
  if (state.identity !== null) return { state, effects: [list(state, to)] };
  if (state.asking.includes(to)) return { state, effects: [] };
  if (state.asking.length >= ASKING_MAX) {
    const message = `server '${state.server}': ${ASKING_MAX} wait for its list of tools already`;
    return { state, effects: [reply(to, { error: errorData(new MeshError('BUSY', message)) })] };
  }
  return {
    state: { ...state, asking: [...state.asking, to] },
    effects: [{ kind: 'timer', timer: `list ${to}`, event: { type: 'reprise.tools.late', to }, delay: event.deadlineMs }],
  };
}

function listLate(state: ToolGatewayState, to: Address): Turned {
  if (!state.asking.includes(to)) return { state, effects: [] };
  return {
    state: { ...state, asking: state.asking.filter((a) => a !== to) },
    effects: [reply(to, { error: notReady(state) })],
  };
}

const list = ({ tools }: ToolGatewayState, to: Address): Effect => reply(to, { output: Object.values(tools) });

const reply = (to: Address, answer: { readonly output: unknown } | { readonly error: ErrorData | undefined }): Effect => ({
  kind: 'send',
  to: { kind: 'address', address: to },
  event: { type: 'reprise.reply', ...answer },
});

// ---- the connection --------------------------------------------------------------------------------------------------

const byName = (tools: readonly ToolDescription[]): Record<string, ToolDescription> =>
  Object.fromEntries(tools.map((tool) => [tool.name, tool]));

function connected(state: ToolGatewayState, event: Extract<ConnectionEvent, { type: 'reprise.mcp.connected' }>): Turned {
  const next: ToolGatewayState = {
    ...state,
    status: 'ready',
    error: null,
    identity: event.identity,
    asking: [],
    tools: event.tools === undefined ? state.tools : byName(event.tools),
  };
  return {
    state: next,
    effects: state.asking.flatMap((to): Effect[] => [{ kind: 'cancel', timer: `list ${to}` }, list(next, to)]),
  };
}

function down(state: ToolGatewayState, error: ErrorData): Turned {
  return {
    state: { ...state, status: 'down', error, losses: state.losses + 1 },
    effects: [{ kind: 'log', label: 'mcp.down', value: { server: state.server, error: error.message } }],
  };
}
