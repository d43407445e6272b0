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

/** What a node says to WHO. `silent`: nothing, in time. */
type Answer = 'serves' | 'does not serve' | 'silent';

interface Inquiry {
  readonly publicKey: string;
  /** `from`: as the certificate names it: a record only says how it calls itself. */
  readonly answer: (answer: Answer, from?: McpPeer) => void;
}

interface Answered {
  readonly peer: McpPeer;
  readonly answer: Answer;
}

export class Names {
  private readonly overlay: McpOverlay;
  private readonly options: NamesOptions;
  private readonly questions = new Map<string, Inquiry>();
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
   * Throws NET_MCP_UNKNOWN, which tells those that have answered from those that have not; NET_MCP_AMBIGUOUS, which names the nodes.
   */
  async find(name: string): Promise<McpPeer> {
    const near = this.overlay.peers().filter(({ isConnected }) => isConnected);
    const nearest = await this.askAll(near, name);
    const server = theOne(nearest, name);
    if (server !== undefined) return server;
    const others = await this.others(near);
    const farther = await this.askAll(others.slice(0, ASKED_MAX), name);
    const found = theOne(farther, name);
    if (found !== undefined) return found;
    const who = whoWasAsked([...nearest, ...farther], others.length - farther.length);
    throw new MeshError('NET_MCP_UNKNOWN', `no node serves an MCP server '${name}' to this one; ${who}`);
  }

  stop(): void {
    this.unsubscribe();
    for (const { answer } of [...this.questions.values()]) answer('silent');
  }

  /** Those of the configuration, and those that are registered at the relays, but for `asked`: one of a key. */
  private async others(asked: readonly McpPeer[]): Promise<readonly McpPeer[]> {
    const registered = await this.overlay.members().catch(() => []);
    const others = new Map([...registered, ...this.overlay.peers()].map((peer) => [peer.publicKey, peer]));
    for (const { publicKey } of asked) others.delete(publicKey);
    return [...others.values()];
  }

  private askAll(peers: readonly McpPeer[], name: string): Promise<readonly Answered[]> {
    return Promise.all(peers.map((peer) => this.ask(peer, name)));
  }

  private async ask(peer: McpPeer, name: string): Promise<Answered> {
    const { publicKey } = peer;
    const { clock, newId, findMs } = this.options;
    const id = newId();
    const { promise, resolve } = Promise.withResolvers<Answered>();
    const answer: Inquiry['answer'] = (what, from = peer) => resolve({ peer: from, answer: what });
    this.questions.set(id, { publicKey, answer });
    const cancel = clock.after(findMs, () => answer('silent'));
    this.overlay.send(publicKey, CHANNEL, buildMcpFrame({ type: 'who', id, name })).catch(() => answer('silent'));
    const asked = await promise;
    cancel();
    this.questions.delete(id);
    return asked;
  }

  private received(from: McpPeer, bytes: Uint8Array): void {
    const frame = parseMcpFrame(bytes);
    if (frame?.type === 'who') {
      const isServed = this.options.isServedTo(frame.name, from);
      const here = buildMcpFrame({ type: 'here', id: frame.id, isServed });
      void this.overlay.send(from.publicKey, CHANNEL, here).catch(() => undefined);
    }
    const question = frame?.type === 'here' ? this.questions.get(frame.id) : undefined;
    if (frame?.type === 'here' && question?.publicKey === from.publicKey)
      question.answer(frame.isServed ? 'serves' : 'does not serve', from);
  }
}

/** The only one of these who serves it; undefined: none does. Throws NET_MCP_AMBIGUOUS. */
function theOne(asked: readonly Answered[], name: string): McpPeer | undefined {
  const [first, ...more] = asked.filter(({ answer }) => answer === 'serves').map(({ peer }) => peer);
  if (first === undefined || more.length === 0) return first;
  const all = [first, ...more].map((peer) => `${nodeTarget(peer)}/${name}`).join(', ');
  throw new MeshError('NET_MCP_AMBIGUOUS', `'${name}' is served by more than one node: ${all}`);
}

/** `left`: how many were not asked. */
function whoWasAsked(asked: readonly Answered[], left: number): string {
  if (asked.length === 0) return 'this node and its relays know no other';
  const those = (isMeant: (answer: Answer) => boolean): string =>
    asked
      .filter(({ answer }) => isMeant(answer))
      .map(({ peer }) => nodeText(peer))
      .join(', ');
  const answered = those((answer) => answer !== 'silent');
  const silent = those((answer) => answer === 'silent');
  return [
    answered === '' ? 'nobody has answered' : `asked: ${answered}`,
    ...(silent === '' ? [] : [`no answer from ${silent}`]),
    ...(left === 0 ? [] : [`${left} more were not asked, NODE/NAME asks one`]),
  ].join('; ');
}
