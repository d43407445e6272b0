/** Who serves an MCP server of a name: asked of the nodes that this one knows, when somebody wants to know. */
import { MeshError } from '../../../core/errors.ts';
import type { Clock } from '../../../core/ports/clock.ts';
import { buildMcpFrame, parseMcpFrame } from './frames.ts';
import { type McpOverlay, type McpPeer, nodeTarget, nodeText } from './port.ts';

const CHANNEL = 'mcp/names';

export interface NamesOptions {
  readonly clock: Clock;
  readonly newId: () => string;
  readonly findMs: number;
  readonly isServedTo: (name: string, peer: McpPeer) => boolean;
}

interface Question {
  readonly publicKey: string;
  readonly answer: (isServed: boolean) => void;
}

export class Names {
  private readonly overlay: McpOverlay;
  private readonly options: NamesOptions;
  private readonly questions = new Map<string, Question>();
  private readonly unsubscribe: () => void;

  constructor(overlay: McpOverlay, options: NamesOptions) {
    this.overlay = overlay;
    this.options = options;
    this.unsubscribe = overlay.onMessage(CHANNEL, (from, bytes) => this.received(from, bytes));
  }

  /**
   * The one node that serves it: of those that are connected, or else of the others that this node knows. One that does not answer in time
   * does not serve it.
   *
   * Throws NET_MCP_UNKNOWN, NET_MCP_AMBIGUOUS; both name the nodes.
   */
  async find(name: string): Promise<McpPeer> {
    const peers = this.overlay.peers();
    for (const isConnected of [true, false]) {
      const asked = peers.filter((peer) => peer.isConnected === isConnected);
      const answers = await Promise.all(asked.map((peer) => this.ask(peer, name)));
      const found = asked.filter((_, i) => answers[i] === true);
      const [first] = found;
      if (found.length > 1)
        throw new MeshError(
          'NET_MCP_AMBIGUOUS',
          `'${name}' is served by more than one node: ${found.map((peer) => `${nodeTarget(peer)}/${name}`).join(', ')}`,
        );
      if (first !== undefined) return first;
    }
    const who = peers.length === 0 ? 'this node knows no other' : `asked: ${peers.map(nodeText).join(', ')}`;
    throw new MeshError('NET_MCP_UNKNOWN', `no node serves an MCP server '${name}' to this one; ${who}`);
  }

  stop(): void {
    this.unsubscribe();
    for (const { answer } of [...this.questions.values()]) answer(false);
  }

  private async ask({ publicKey }: McpPeer, name: string): Promise<boolean> {
    const { clock, newId, findMs } = this.options;
    const id = newId();
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.questions.set(id, { publicKey, answer: resolve });
    const cancel = clock.after(findMs, () => resolve(false));
    this.overlay.send(publicKey, CHANNEL, buildMcpFrame({ type: 'who', id, name })).catch(() => resolve(false));
    const isServed = await promise;
    cancel();
    this.questions.delete(id);
    return isServed;
  }

  private received(from: McpPeer, bytes: Uint8Array): void {
    const frame = parseMcpFrame(bytes);
    if (frame?.type === 'who') {
      const isServed = this.options.isServedTo(frame.name, from);
      const here = buildMcpFrame({ type: 'here', id: frame.id, isServed });
      void this.overlay.send(from.publicKey, CHANNEL, here).catch(() => undefined);
    }
    const question = frame?.type === 'here' ? this.questions.get(frame.id) : undefined;
    if (frame?.type === 'here' && question?.publicKey === from.publicKey) question.answer(frame.isServed);
  }
}
