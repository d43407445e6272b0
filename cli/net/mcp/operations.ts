/**
 * What `serve-mcp` and `connect-mcp` ask of the node that runs: names to be served, and sessions, each on a connection of its own to the
 * control socket. Whatever dies, the connection ends, and with it what it stood for.
 *
 *   mcp.serve   { name, allow, sessionsMax }  ->  { serving }, then { session, from } for each client: it is to be accepted at once
 *   mcp.accept  { session }                   <-> { line } both ways, until one side ends it
 *   mcp.connect { target }                    ->  { open }, then as mcp.accept
 */
import { randomUUID } from 'node:crypto';
import { isMeshError, MeshError } from '../../../core/errors.ts';
import type { OverlayMcp } from '../../../transport/overlay/mcp/overlay-mcp.ts';
import { nodeText } from '../../../transport/overlay/mcp/port.ts';
import type { Session } from '../../../transport/overlay/mcp/session.ts';
import { wholeNumber } from '../../command.ts';
import type { Operation } from '../../control/server.ts';
import { carry } from './carry.ts';

/** ms in which `serve-mcp` must accept a session that it was told of. */
const ACCEPT_MS = 10_000;

type Params = Readonly<Record<string, unknown>>;

/** What `mcp.serve` gives. */
export type ServeItem =
  | { readonly serving: string }
  | { readonly session: string; readonly from: { readonly name: string; readonly key: string } };

/** What `mcp.connect` gives first. */
export interface OpenItem {
  readonly open: { readonly name: string; readonly node: string };
}

export function mcpOperations(mcp: OverlayMcp): Readonly<Record<string, Operation>> {
  const coming = new Map<string, { readonly session: Session; readonly late: NodeJS.Timeout }>();

  const offer = (session: Session): string => {
    const token = randomUUID();
    const late = setTimeout(() => {
      coming.delete(token);
      void session.close('failed', 'its server was not started in time');
    }, ACCEPT_MS);
    coming.set(token, { session, late });
    return token;
  };

  return {
    'mcp.serve': async (p, { item, signal }) => {
      const name = text(p, 'name');
      const end = mcp.serve(name, {
        ...terms(p),
        onSession: (session) => {
          const from = { name: nodeText(session.peer), key: session.peer.publicKey };
          // If nobody is there to hear it, the signal has aborted or is about to.
          item({ session: offer(session), from } satisfies ServeItem).catch(() => undefined);
        },
      });
      try {
        await item({ serving: name } satisfies ServeItem);
        await aborted(signal);
      } finally {
        end();
      }
    },
    'mcp.accept': async (p, answering) => {
      const offered = coming.get(text(p, 'session'));
      if (offered === undefined) throw new MeshError('NET_MCP_ENDED', 'the client has gone');
      clearTimeout(offered.late);
      coming.delete(text(p, 'session'));
      await carry(offered.session, answering);
    },
    'mcp.connect': async (p, answering) => {
      const session = await opened(mcp, text(p, 'target'));
      try {
        await answering.item({ open: { name: session.name, node: nodeText(session.peer) } } satisfies OpenItem);
      } catch (error) {
        await session.close();
        throw error;
      }
      await carry(session, answering);
    },
  };
}

/** Throws as `open`: of a node that does not serve it, with what finds one that does. */
async function opened(mcp: OverlayMcp, target: string): Promise<Session> {
  try {
    return await mcp.open(target);
  } catch (error) {
    const at = target.lastIndexOf('/');
    if (at < 0 || !isMeshError(error, 'NET_MCP_UNKNOWN')) throw error;
    const hint = `\`reprise net connect-mcp ${target.slice(at + 1)}\`, without the node, asks all`;
    throw new MeshError(error.code, `${error.message}; ${hint}`, { data: error.data });
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve());
    if (signal.aborted) resolve();
  });
}

function text(params: Params, name: string): string {
  const value = params[name];
  if (typeof value === 'string' && value !== '') return value;
  throw new MeshError('USAGE', `the request needs '${name}'`);
}

function terms(params: Params): { readonly allow?: readonly string[]; readonly sessionsMax?: number } {
  const { allow, sessionsMax } = params;
  if (allow !== undefined && !(Array.isArray(allow) && allow.every((who) => typeof who === 'string')))
    throw new MeshError('USAGE', `'allow' of the request is no list of texts`);
  return {
    ...(allow !== undefined && { allow }),
    ...(sessionsMax !== undefined && { sessionsMax: wholeNumber(String(sessionsMax), 'sessionsMax', 1) }),
  };
}
