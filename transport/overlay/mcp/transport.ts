/**
 * Sessions as transports of the MCP SDK, for programs that have an overlay of their own.
 *
 *   await client.connect(overlayClientTransport(mcp, 'build-box/files'));                // Client of @modelcontextprotocol/client
 *   serveOverlay(mcp, 'files', {}, (transport) => void newServer().connect(transport));  // McpServer of @modelcontextprotocol/server
 */
import { type JSONRPCMessage, parseJSONRPCMessage, type Transport } from '@modelcontextprotocol/client';
import { isMeshError, MeshError } from '../../../core/errors.ts';
import { tooLong } from './json-rpc.ts';
import type { OverlayMcp, ServeOptions } from './overlay-mcp.ts';
import type { McpPeer } from './port.ts';
import type { Session } from './session.ts';

/** `target`: NODE/NAME, or NAME. `start` throws what `OverlayMcp.open` does. */
export const overlayClientTransport = (mcp: OverlayMcp, target: string): OverlayTransport =>
  new OverlayTransport(() => mcp.open(target));

/** One transport for each client session: connect a server of its own to it. Returns what ends it. Throws NET_MCP_TAKEN, USAGE. */
export const serveOverlay = (
  mcp: OverlayMcp,
  name: string,
  options: Omit<ServeOptions, 'onSession'>,
  onSession: (transport: OverlayTransport, client: McpPeer) => void,
): (() => void) =>
  mcp.serve(name, {
    ...options,
    onSession: (session) => onSession(new OverlayTransport(() => Promise.resolve(session)), session.peer),
  });

/** When the session is lost `onerror` says why (NET_MCP_ENDED), then comes `onclose`. It is not connected again: make a new one. */
export class OverlayTransport implements Transport {
  onclose?: (() => void) | undefined;
  onerror?: ((error: Error) => void) | undefined;
  onmessage?: Transport['onmessage'];
  private readonly open: () => Promise<Session>;
  private session: Session | undefined;
  private isStarted = false;
  private isClosed = false;

  constructor(open: () => Promise<Session>) {
    this.open = open;
  }

  async start(): Promise<void> {
    if (this.isStarted) throw new MeshError('USAGE', 'a transport is started once');
    this.isStarted = true;
    const session = await this.open();
    // Closed while it was opened.
    if (this.isClosed) return session.close();
    this.session = session;
    session.start({
      onLine: (_line, value) => this.received(session, value),
      onEnd: (error) => {
        if (error !== undefined) this.onerror?.(error);
        this.closed();
      },
    });
  }

  /**
   * Resolves when it is on its way. Rejects with PAYLOAD_TOO_LARGE, NET_BACKPRESSURE, NET_MCP_ENDED. An answer that is too long is replaced
   * by an error, for whoever waits for it.
   */
  async send(message: JSONRPCMessage): Promise<void> {
    const { session } = this;
    if (session === undefined) throw new MeshError('NET_MCP_ENDED', 'the transport is not started');
    const line = JSON.stringify(message);
    try {
      await session.write(line);
    } catch (error) {
      if (!isMeshError(error, 'PAYLOAD_TOO_LARGE')) throw error;
      const standIn = tooLong(line, Buffer.byteLength(line), session.lineBytesMax);
      if (standIn?.to !== 'receiver') throw error;
      this.onerror?.(error);
      await session.write(standIn.line);
    }
  }

  async close(): Promise<void> {
    await this.session?.close();
    this.closed();
  }

  private received(session: Session, value: unknown): void {
    let message: JSONRPCMessage;
    try {
      message = parseJSONRPCMessage(value);
    } catch {
      return session.violated('a line is no message of MCP');
    }
    this.onmessage?.(message);
  }

  private closed(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.onclose?.();
  }
}
