/** Requests of an MCP client that its server has not answered yet, as seen by the lines that pass. */
import { messagesOf } from '../../../transport/overlay/mcp/json-rpc.ts';

interface Message {
  readonly id?: unknown;
  readonly method?: unknown;
  readonly params?: { readonly requestId?: unknown };
}

export class Unanswered {
  private readonly ids = new Set<string>();
  private whenNone: (() => void) | undefined;

  get count(): number {
    return this.ids.size;
  }

  /** A line of the client: it asks, or says that it does not want to know any more. */
  sent(line: Uint8Array): void {
    for (const { id, method, params } of allOf(line)) {
      if (method === 'notifications/cancelled') this.over(params?.requestId);
      else if (method !== undefined && id !== undefined) this.ids.add(JSON.stringify(id));
    }
  }

  /** A line for the client. */
  received(line: string): void {
    if (this.ids.size === 0) return;
    for (const { id, method } of allOf(Buffer.from(line))) if (method === undefined) this.over(id);
  }

  /** Resolves when all are answered. */
  none(): Promise<void> {
    if (this.ids.size === 0) return Promise.resolve();
    return new Promise((resolve) => (this.whenNone = resolve));
  }

  private over(id: unknown): void {
    this.ids.delete(JSON.stringify(id) ?? '');
    if (this.ids.size === 0) this.whenNone?.();
  }
}

/** A line that is no JSON-RPC has none: it goes nowhere. */
function allOf(line: Uint8Array): readonly Message[] {
  const value = messagesOf(line);
  return (value === undefined ? [] : Array.isArray(value) ? value : [value]) as readonly Message[];
}
