/** Messages between nodes, unreliable by contract: they may be lost, doubled, reordered, late. Nothing may be corrupted. */
export interface Link {
  /** Begin to receive. Throws TRANSPORT_UNAVAILABLE. */
  start(node: string): Promise<void>;
  /** Best effort; never throws, never blocks. At most `bytesMax` bytes. */
  send(node: string, channel: string, bytes: Uint8Array): void;
  /** One handler a channel. It must be synchronous and must not throw. */
  onMessage(channel: string, handler: (from: string, bytes: Uint8Array) => void): void;
  peers(): readonly string[];
  stop(): Promise<void>;
  readonly bytesMax: number;
  /** How another node reaches this one; stored in the session. */
  readonly endpoint: string;
}
