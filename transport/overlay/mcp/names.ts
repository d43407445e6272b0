/** Who serves an MCP server of a name: asked of the nodes that this one knows, when somebody wants to know. */
import { MeshError } from '../../../core/errors.ts';
import type { Clock } from '../../../core/ports/clock.ts';
import { buildMcpFrame, parseMcpFrame } from './frames.ts';
import { type McpOverlay, type McpPeer, nodeTarget, nodeText } from './port.ts';

const CHANNEL = 'mcp/names';
/** Of those who are not connected: each is connected to for it. */
const ASKED_MAX = 64;

export interface NamesOptions {
  readonly clock: Clock;
  readonly newId: () => string;
  readonly findMs: number;
  readonly isServedTo: (name: string, peer: McpPeer) => boolean;
}

interface Question {
  readonly publicKey: string;
  readonly answer: (server: McpPeer | undefined) => void;
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
   * The one node that serves it: of those that are connected, or else of all others that this node or its relays know. One that does not answer
   * in time does not serve it.
   *
   * Throws NET_MCP_UNKNOWN, NET_MCP_AMBIGUOUS; both name the nodes.
   */
  async find(name: string): Promise<McpPeer> {
    const near = this.overlay.peers().filter(({ isConnected }) => isConnected);
    const nearest = await this.askAll(near, name);
    if (nearest !== undefined) return nearest;
    const others = await this.others(near);
    const found = await this.askAll(others.slice(0, ASKED_MAX), name);
    if (found !== undefined) return found;
    throw new MeshError('NET_MCP_UNKNOWN', `no node serves an MCP server '${name}' to this one; ${whoWasAsked(near, others)}`);
  }

  stop(): void {
    this.unsubscribe();
    for (const { answer } of [...this.questions.values()]) answer(undefined);
  }

  /** Those of the configuration, and those that are registered at the relays, but for `asked`: one of a key. */
  private async others(asked: readonly McpPeer[]): Promise<readonly McpPeer[]> {
    const registered = await this.overlay.members().catch(() => []);
    const others = new Map([...registered, ...this.overlay.peers()].map((peer) => [peer.publicKey, peer]));
    for (const { publicKey } of asked) others.delete(publicKey);
    return [...others.values()];
  }

  /** The only one of these who serves it; undefined: none does. Throws NET_MCP_AMBIGUOUS. */
  private async askAll(peers: readonly McpPeer[], name: string): Promise<McpPeer | undefined> {
    const answers = await Promise.all(peers.map((peer) => this.ask(peer, name)));
    const found = answers.filter((peer) => peer !== undefined);
    if (found.length > 1)
      throw new MeshError(
        'NET_MCP_AMBIGUOUS',
        `'${name}' is served by more than one node: ${found.map((peer) => `${nodeTarget(peer)}/${name}`).join(', ')}`,
      );
    return found[0];
  }

  /** The node as its certificate names it, if it serves this: a record only says how it calls itself. */
  private async ask({ publicKey }: McpPeer, name: string): Promise<McpPeer | undefined> {
    const { clock, newId, findMs } = this.options;
    const id = newId();
    const { promise, resolve } = Promise.withResolvers<McpPeer | undefined>();
    this.questions.set(id, { publicKey, answer: resolve });
    const cancel = clock.after(findMs, () => resolve(undefined));
    this.overlay.send(publicKey, CHANNEL, buildMcpFrame({ type: 'who', id, name })).catch(() => resolve(undefined));
    const server = await promise;
    cancel();
    this.questions.delete(id);
    return server;
  }

  private received(from: McpPeer, bytes: Uint8Array): void {
    const frame = parseMcpFrame(bytes);
    if (frame?.type === 'who') {
      const isServed = this.options.isServedTo(frame.name, from);
      const here = buildMcpFrame({ type: 'here', id: frame.id, isServed });
      void this.overlay.send(from.publicKey, CHANNEL, here).catch(() => undefined);
    }
    const question = frame?.type === 'here' ? this.questions.get(frame.id) : undefined;
    if (frame?.type === 'here' && question?.publicKey === from.publicKey) question.answer(frame.isServed ? from : undefined);
  }
}

function whoWasAsked(near: readonly McpPeer[], others: readonly McpPeer[]): string {
  const asked = [...near, ...others.slice(0, ASKED_MAX)];
  if (asked.length === 0) return 'this node and its relays know no other';
  const more = others.length - ASKED_MAX;
  return `asked: ${asked.map(nodeText).join(', ')}${more > 0 ? `; ${more} more were not, NODE/NAME asks one` : ''}`;
}
