/** Nodes of a network in memory, each with its MCP part, on virtual time. */
import { virtualClock } from '../../../core/testing/virtual.ts';
import type { MeshError } from '../../../core/errors.ts';
import type { McpLimits } from '../../../transport/overlay/mcp/limits.ts';
import { OverlayMcp } from '../../../transport/overlay/mcp/overlay-mcp.ts';
import type { Session } from '../../../transport/overlay/mcp/session.ts';
import { FakeNetwork, type FakeOverlay } from '../fake-overlay.ts';
import { seededRandom } from '../identities.ts';

/** `delayMs`: of each message. */
export function world(delayMs = 10) {
  const clock = virtualClock();
  const network = new FakeNetwork(() => new Promise((resolve) => void clock.after(delayMs, resolve)));
  const node = (
    name: string,
    limits: Partial<McpLimits> = {},
    messageBytesMax?: number,
  ): { readonly overlay: FakeOverlay; readonly mcp: OverlayMcp } => {
    const overlay = network.node(name);
    return {
      overlay,
      mcp: new OverlayMcp(overlay, {
        clock,
        random: seededRandom(name),
        limits,
        ...(messageBytesMax !== undefined && { messageBytesMax }),
      }),
    };
  };
  return { clock, network, node };
}

/** What one side of a session heard. */
export class Heard {
  readonly session: Session;
  readonly lines: string[] = [];
  ended: { readonly error: MeshError | undefined } | undefined;
  /** Lines are handled when this resolves. */
  gate: Promise<void> = Promise.resolve();

  constructor(session: Session) {
    this.session = session;
    session.start({
      onLine: async (line) => {
        this.lines.push(line);
        await this.gate;
      },
      onEnd: (error) => {
        if (this.ended !== undefined) throw new Error('a session ended twice');
        this.ended = { error };
      },
    });
  }
}

export const message = (id: number, text = ''): string => JSON.stringify({ jsonrpc: '2.0', id, method: 'x', params: { text } });
