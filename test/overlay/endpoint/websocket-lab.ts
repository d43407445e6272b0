import { noDrops, type Drops } from '../../../transport/overlay/drops.ts';
import type { WebSocketListen } from '../../../transport/overlay/endpoint/websocket-server.ts';
import { WebSocketEndpoint, type WebSocketOptions } from '../../../transport/overlay/endpoint/websocket.ts';
import { Recorder } from './recorder.ts';

export const LOOPBACK = '127.0.0.1';

export interface Node {
  readonly endpoint: WebSocketEndpoint;
  readonly events: Recorder;
  readonly drops: Drops;
}

export interface Relay extends Node {
  readonly port: number;
  readonly url: string;
}

/** Nodes of one test, stopped by `stop`. */
export class WebSocketLab {
  private readonly running: WebSocketEndpoint[] = [];

  node(options: Partial<WebSocketOptions> = {}): Node {
    const [events, drops] = [new Recorder(), noDrops()];
    const endpoint = new WebSocketEndpoint({ events, drops, ...options });
    this.running.push(endpoint);
    return { endpoint, events, drops };
  }

  async relay(options: Partial<WebSocketOptions> = {}, tls?: WebSocketListen['tls']): Promise<Relay> {
    const node = this.node(options);
    const { port } = await node.endpoint.listen({ host: LOOPBACK, port: 0, ...(tls && { tls }) });
    return { ...node, port, url: `${tls ? 'wss' : 'ws'}://${LOOPBACK}:${port}` };
  }

  /** Path of an open connection at both ends. */
  async join(from: Node, relay: Relay): Promise<{ path: string; atRelay: string }> {
    const before = relay.events.open.length;
    const path = from.endpoint.dial(relay.url);
    await from.events.until(() => from.events.open.includes(path));
    await relay.events.until(() => relay.events.open.length > before);
    return { path, atRelay: relay.events.open[before] as string };
  }

  async stop(): Promise<void> {
    for (const endpoint of this.running.splice(0)) await endpoint.stop();
  }
}
