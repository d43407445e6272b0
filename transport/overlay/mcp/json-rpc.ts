/** The little of JSON-RPC that has to be known of a message that is only passed on. */

/** The values of a line of a peer. Undefined: it is no JSON-RPC message, nor a batch of them. Never throws. */
export function messagesOf(line: Uint8Array): unknown {
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(line));
    const all: readonly unknown[] = Array.isArray(value) ? value : [value];
    return all.length > 0 && all.every(isMessage) ? value : undefined;
  } catch {
    return undefined;
  }
}

const isMessage = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && (value as { readonly jsonrpc?: unknown }).jsonrpc === '2.0';

/** JSON-RPC: "Invalid Request", "Internal error". */
const INVALID_REQUEST = -32_600;
const INTERNAL_ERROR = -32_603;

/** What stands in for a message that cannot be passed on, and who gets it. */
export interface StandIn {
  readonly to: 'sender' | 'receiver';
  readonly line: string;
}

/**
 * The error that somebody who waits gets instead of a message that is too long: its sender if it asks for something, its receiver if it is
 * an answer. Undefined: nobody waits (a notification, or no message at all).
 */
export function tooLong(line: string, bytes: number, bytesMax: number): StandIn | undefined {
  const message = messagesOf(Buffer.from(line)) as { readonly id?: unknown; readonly method?: unknown } | undefined;
  const id = message?.id;
  if (typeof id !== 'string' && typeof id !== 'number') return undefined;
  const isRequest = message?.method !== undefined;
  const error = {
    code: isRequest ? INVALID_REQUEST : INTERNAL_ERROR,
    message: `the ${isRequest ? 'request' : 'answer'} has ${bytes} bytes; at most ${bytesMax} fit through the overlay`,
    data: { code: 'PAYLOAD_TOO_LARGE', bytes, bytesMax },
  };
  return { to: isRequest ? 'sender' : 'receiver', line: JSON.stringify({ jsonrpc: '2.0', id, error }) };
}
