/** What `serve-mcp` does: keeps a name at the node that runs, and for each client of it a server process of its own. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isMeshError, MeshError } from '../../../core/errors.ts';
import type { ControlClient } from '../../control/client.ts';
import { Duplex } from '../../control/duplex.ts';
import type { CarriedItem } from './carry.ts';
import { Guard } from './guard.ts';
import type { ServeItem } from './operations.ts';
import { ServerProcess } from './server-process.ts';

/** ms for what a server has said before it ended. */
const LAST_WORDS_MS = 1_000;

export interface ServingOptions {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly allow: readonly string[];
  readonly sessionsMax: number | undefined;
  readonly onEvent: (event: ServingEvent) => void;
}

export type ServingEvent =
  | { readonly type: 'serving'; readonly name: string }
  | {
      readonly type: 'session';
      readonly session: string;
      readonly from: string;
      readonly key: string;
      readonly pid: number | undefined;
    }
  /** `why`: undefined: the client was done. */
  | { readonly type: 'session_ended'; readonly session: string; readonly from: string; readonly why: string | undefined }
  | { readonly type: 'note'; readonly session: string; readonly text: string };

type NewSession = Extract<ServeItem, { readonly session: string }>;

export class Serving {
  private readonly client: ControlClient;
  private readonly options: ServingOptions;
  private readonly guard = new Guard();
  private readonly running = new Map<Promise<void>, ServerProcess>();
  private isStopping = false;

  constructor(client: ControlClient, options: ServingOptions) {
    this.client = client;
    this.options = options;
  }

  /** Until the signal; then every server has ended. Throws NET_MCP_TAKEN, NET_NOT_RUNNING when the node stops. */
  async run(signal: AbortSignal): Promise<void> {
    const { name, allow, sessionsMax, onEvent } = this.options;
    const control = new Duplex(this.client, 'mcp.serve', { name, sessionsMax, ...(allow.length > 0 && { allow }) });
    signal.addEventListener('abort', () => control.close());
    try {
      for await (const item of control.items<ServeItem>()) {
        if ('serving' in item) onEvent({ type: 'serving', name });
        else this.begin(item);
      }
      throw new MeshError('NET_NOT_RUNNING', 'the node has stopped');
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      this.isStopping = true;
      await Promise.all([...this.running].map(([over, server]) => server.stop().then(() => over)));
      this.guard.end();
    }
  }

  private begin({ session, from }: NewSession): void {
    const { command, args, onEvent } = this.options;
    const server = new ServerProcess(command, args);
    const { pid } = server;
    if (pid !== undefined) this.guard.add(pid);
    onEvent({ type: 'session', session, from: from.name, key: from.key, pid });
    const over = this.carry(session, server).then((why) => {
      if (pid !== undefined) this.guard.delete(pid);
      this.running.delete(over);
      onEvent({ type: 'session_ended', session, from: from.name, why });
    });
    this.running.set(over, server);
  }

  /** Resolves when both are over, with what ended it. */
  private async carry(session: string, server: ServerProcess): Promise<string | undefined> {
    const control = new Duplex(this.client, 'mcp.accept', { session });
    const out = this.sayAll(server, control);
    let why: string | undefined;
    try {
      for await (const item of control.items<CarriedItem>())
        if ('line' in item) await server.write(item.line);
        else if ('note' in item) this.options.onEvent({ type: 'note', session, text: item.note });
    } catch (error) {
      if (!isMeshError(error)) throw error;
      why = error.message;
    }
    await server.stop();
    return (await out) ?? why;
  }

  /** What the server says, until it ends. How, if not as it should. */
  private async sayAll(server: ServerProcess, control: Duplex): Promise<string | undefined> {
    const said = (async () => {
      for await (const line of server.lines()) await control.send({ line });
    })();
    const failed = await server.ended;
    // What it has said last is still on its way; but something that it has started may hold its stdout open for ever.
    await Promise.race([said, sleep(LAST_WORDS_MS)]);
    const why = this.isStopping ? 'it is not served any more' : failed;
    await control.send({ end: true, ...(why !== undefined && { failed: why }) });
    return failed;
  }
}
