/** Bounds of MCP over the overlay, for each node. */

const KIB = 1_024;
const MIB = KIB * KIB;

export interface McpLimits {
  /** Of the longest line (JSON-RPC message) that is taken. The overlay does not limit it: lines go in pieces. */
  readonly lineBytesMax: number;
  /** Bytes of a session that may be under way, or wait to be handled. */
  readonly windowBytes: number;
  /** Of one message of the overlay. */
  readonly pieceBytes: number;
  /** Bytes of a session that wait to be sent. */
  readonly queueBytesMax: number;
  /** Bytes that all sessions of this node may hold of what came. */
  readonly heldBytesMax: number;
  /** Sessions of this node as a server: of one name unless it says otherwise, and in all. */
  readonly sessionsPerName: number;
  readonly sessionsMax: number;
  /** Sessions of this node as a client with one server node; each has a slot, that is, two channels. */
  readonly slots: number;
  /** For the answer to an OPEN. */
  readonly openMs: number;
  /** For the answer to a WHO, with what it takes to reach the node. */
  readonly findMs: number;
  /** Each side says something so often at least, */
  readonly pingMs: number;
  /** and is given up when it has not for so long. Above what the overlay takes to give up a peer. */
  readonly silenceMs: number;
  /** For what is still to be sent, or to be handled, when a session ends. */
  readonly endMs: number;
  /** Until a message that the overlay had no room for is tried again. */
  readonly retryMs: number;
}

export const MCP_LIMITS: McpLimits = {
  lineBytesMax: 8 * MIB,
  windowBytes: MIB,
  pieceBytes: 256 * KIB,
  queueBytesMax: 16 * MIB,
  heldBytesMax: 64 * MIB,
  sessionsPerName: 16,
  sessionsMax: 64,
  slots: 32,
  openMs: 15_000,
  findMs: 5_000,
  pingMs: 10_000,
  silenceMs: 40_000,
  endMs: 5_000,
  retryMs: 50,
};
