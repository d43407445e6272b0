/** What MCP needs of an overlay. `Overlay` (overlay.ts) is one. */
import type { OverlayEvent } from '../node/ports.ts';

/** A node: who it is by its key, in hex, and how it is called: by its certificate, or in the configuration of this node. Empty: by none. */
export interface McpPeer {
  readonly publicKey: string;
  readonly name: string;
  readonly address: string | undefined;
}

/** Each member as `Overlay` has it. */
export interface McpOverlay {
  connect(target: string, options?: { readonly timeoutMs?: number }): Promise<McpPeer>;
  send(target: string, channel: string, bytes: Uint8Array): Promise<unknown>;
  onMessage(channel: string, handler: (from: McpPeer, bytes: Uint8Array) => void): () => void;
  onEvent(listener: (event: OverlayEvent) => void): () => void;
  peers(): readonly (McpPeer & { readonly isConnected: boolean })[];
  members(): Promise<readonly McpPeer[]>;
}

const KEY_CHARS = 8;

/** For people. */
export const nodeText = ({ name, address, publicKey }: McpPeer): string =>
  name || (address ?? `${publicKey.slice(0, KEY_CHARS)}…`);

/** What can be typed to name it. */
export const nodeTarget = ({ name, address, publicKey }: McpPeer): string => name || (address ?? publicKey);
