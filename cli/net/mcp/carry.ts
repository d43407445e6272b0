/** A session of the overlay, carried over a connection of the control socket: lines both ways, until one side ends it. */
import { isMeshError, MeshError } from '../../../core/errors.ts';
import { messagesOf, tooLong } from '../../../transport/overlay/mcp/json-rpc.ts';
import type { Session } from '../../../transport/overlay/mcp/session.ts';
import type { Answering } from '../../control/server.ts';

/** ms between signs of life: a client that does not read is seen to be gone only by writing to it. */
const ALIVE_MS = 5_000;

/** What the client (the process of `serve-mcp` or `connect-mcp`) sends. `end`: it has no more lines; `failed`: why, to be told to the other side. */
export type ClientItem = { readonly line: string } | { readonly end: true; readonly failed?: string };

/** What it gets. `note`: what became of a line that was not passed on, for people. */
export type CarriedItem = { readonly line: string } | { readonly note: string } | { readonly alive: true };

type End = Extract<ClientItem, { readonly end: true }>;

/** Who ended it. `gone`: the client, without a word; or this node is stopping. */
type Outcome =
  | { readonly by: 'peer'; readonly error: MeshError | undefined }
  | { readonly by: 'client'; readonly end: End }
  | { readonly by: 'gone' };

/** Resolves when the session is over. Throws what it ended with (NET_MCP_ENDED and others), NET_NOT_RUNNING when the node stops, USAGE for what the client may not send. */
export async function carry(session: Session, { item, next, signal }: Answering): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
  const gone = (): void => resolve({ by: 'gone' });
  const say = (message: CarriedItem): Promise<void> => item(message).catch(gone);
  signal.addEventListener('abort', gone);
  if (signal.aborted) gone();
  session.start({ onLine: (line) => say({ line }), onEnd: (error) => resolve({ by: 'peer', error }) });
  const heard = (end: End | 'gone' | 'over'): void => {
    if (end === 'gone') gone();
    else if (end !== 'over') resolve({ by: 'client', end });
  };
  sendAll(session, next, say).then(heard, reject);
  const alive = setInterval(() => void say({ alive: true }), ALIVE_MS);
  try {
    const outcome = await promise;
    if (outcome.by === 'gone') {
      await session.close('failed', 'its process has gone');
      throw new MeshError('NET_NOT_RUNNING', 'the node stops');
    }
    if (outcome.by === 'client') await session.close(outcome.end.failed === undefined ? 'done' : 'failed', outcome.end.failed);
    else if (outcome.error !== undefined) throw outcome.error;
  } finally {
    clearInterval(alive);
    await session.close('failed', 'it was broken off');
  }
}

/** Lines of the client, until it has no more: how it ends. 'over': the session has ended, and says so itself. Throws USAGE. */
async function sendAll(
  session: Session,
  next: Answering['next'],
  say: (message: CarriedItem) => Promise<void>,
): Promise<End | 'gone' | 'over'> {
  for (;;) {
    const message = (await next()) as Partial<{ line: unknown; end: unknown; failed: unknown }> | undefined;
    if (message === undefined) return 'gone';
    if (message.end === true) return { end: true, ...(typeof message.failed === 'string' && { failed: message.failed }) };
    if (typeof message.line !== 'string') throw new MeshError('USAGE', 'a session carries { line } and { end }');
    try {
      await pass(session, message.line, say);
    } catch (error) {
      if (isMeshError(error, 'NET_MCP_ENDED')) return 'over';
      throw error;
    }
  }
}

/** Throws NET_MCP_ENDED. */
async function pass(session: Session, line: string, say: (message: CarriedItem) => Promise<void>): Promise<void> {
  if (line.includes('\n') || messagesOf(Buffer.from(line)) === undefined)
    return line.trim() === '' ? undefined : say({ note: 'a line that is no JSON-RPC message was not passed on' });
  try {
    await session.write(line);
  } catch (error) {
    if (!isMeshError(error, 'PAYLOAD_TOO_LARGE')) throw error;
    const standIn = tooLong(line, Buffer.byteLength(line), session.lineBytesMax);
    await say({ note: error.message });
    if (standIn?.to === 'sender') await say({ line: standIn.line });
    else if (standIn !== undefined) await session.write(standIn.line);
  }
}
