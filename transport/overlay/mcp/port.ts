/** What MCP needs of an overlay. `Overlay` (overlay.ts) is one. */

/** A node: who it is by its key, in hex, and how it is called. Names are those of certificates and of this node's own configuration. */
export interface McpPeer {
  readonly publicKey: string;
  readonly name?: string | undefined;
  readonly address: string;
}

export interface McpOverlay {
  readonly publicKey: string;
  /** Throws (rejects with) NET_NAME_UNKNOWN, NET_PEER_UNREACHABLE and others of the overlay. */
  connect(target: string, options?: { readonly timeoutMs?: number }): Promise<McpPeer>;
  /** In order within a channel. Resolves when the peer's node has it; rejects with NET_BACKPRESSURE, where nothing was kept, and others. */
  send(target: string, channel: string, bytes: Uint8Array): Promise<unknown>;
  /** Members alone are heard, but for `net/join`. Returns what ends it. */
  onMessage(channel: string, handler: (from: McpPeer, bytes: Uint8Array) => void): () => void;
  /** `restarted`, `down`: what was sent to this peer and not delivered is lost. Returns what ends it. */
  onLost(listener: (publicKey: string) => void): () => void;
  /** Nodes that this one is connected to, or knows from its configuration. */
  peers(): readonly (McpPeer & { readonly isConnected: boolean })[];
}

export const nodeText = ({ name, address }: McpPeer): string => name ?? address;
