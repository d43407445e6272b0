/** What `connect-mcp` does: an MCP client on stdin and stdout, the server on another node. Nothing but JSON-RPC goes to stdout. */
import type { Readable } from 'node:stream';
import { MeshError } from '../../../core/errors.ts';
import { Lines } from '../../../transport/overlay/mcp/lines.ts';
import type { ControlClient } from '../../control/client.ts';
import { Duplex } from '../../control/duplex.ts';
import type { CarriedItem } from './carry.ts';
import type { OpenItem } from './operations.ts';

/** Of one line of the client. The overlay takes less, and says so to who asks. */
const LINE_BYTES_MAX = 32 * 1024 * 1024;

export interface BridgeIo {
  readonly stdin: Readable;
  /** Resolves when there is room for more. */
  readonly out: (line: string) => Promise<unknown>;
  /** For people: never stdout. */
  readonly note: (text: string) => void;
}

/**
 * Until the client closes its end. Throws NET_MCP_* when there is no session, or it is lost; NET_NOT_RUNNING when the node of this machine
 * stops; PAYLOAD_TOO_LARGE for a line beyond all bounds.
 */
export async function bridge(client: ControlClient, target: string, { stdin, out, note }: BridgeIo): Promise<void> {
  const control = new Duplex(client, 'mcp.connect', { target });
  const failed = Promise.withResolvers<never>();
  const carrying = (async () => {
    for await (const item of control.items<OpenItem | CarriedItem>())
      if ('open' in item) {
        note(`connected to '${item.open.name}' at ${item.open.node}`);
        // What the client has said meanwhile waits in its pipe.
        sendAll(stdin, control).catch(failed.reject);
      } else if ('line' in item) await out(item.line);
      else if ('note' in item) note(item.note);
  })();
  try {
    await Promise.race([carrying, failed.promise]);
    if (!stdin.readableEnded) note('the server has ended the session');
  } finally {
    control.close();
    stdin.destroy();
  }
}

async function sendAll(stdin: Readable, control: Duplex): Promise<void> {
  const lines = new Lines(LINE_BYTES_MAX);
  for await (const chunk of stdin) {
    const whole = lines.push(chunk as Buffer);
    if (whole === undefined)
      throw new MeshError('PAYLOAD_TOO_LARGE', `a line of the client has more than ${LINE_BYTES_MAX} bytes`);
    for (const line of whole) await control.send({ line: Buffer.from(line).toString() });
  }
  await control.send({ end: true });
}
