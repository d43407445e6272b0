/** What `connect-mcp` does: an MCP client on stdin and stdout, the server on another node. Nothing but JSON-RPC goes to stdout. */
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ErrorCode, isMeshError, MeshError } from '../../../core/errors.ts';
import { Lines } from '../../../transport/overlay/mcp/lines.ts';
import type { ControlClient } from '../../control/client.ts';
import { Duplex } from '../../control/duplex.ts';
import { counted } from '../../words.ts';
import type { CarriedItem } from './carry.ts';
import type { OpenItem } from './operations.ts';
import { Unanswered } from './unanswered.ts';

/** Of one line of the client. The overlay takes less, and says so to who asks. */
const LINE_BYTES_MAX = 32 * 1024 * 1024;
/** ms between two looks for a server. */
const LOOK_MS = 250;
/** ms after which people are told that it is looked for. */
const NOTE_MS = 2_000;
/** That nobody serves it, or is there, as far as this node knows at this moment: it may have been started a moment ago. */
const NOT_YET: ReadonlySet<ErrorCode> = new Set(['NET_MCP_UNKNOWN', 'NET_NAME_UNKNOWN', 'NET_PEER_UNREACHABLE']);

export interface BridgeIo {
  readonly stdin: Readable;
  /** Resolves when there is room for more. */
  readonly out: (line: string) => Promise<unknown>;
  /** For people: never stdout. */
  readonly note: (text: string) => void;
}

/** In ms. */
export interface BridgePatience {
  /** With a server that is not found: it, or a node, was started a moment ago, perhaps, and has not met the others yet. */
  readonly findMs: number;
  /** For the answers to what the client has asked before it closed its end. */
  readonly answerMs: number;
}
const PATIENCE: BridgePatience = { findMs: 20_000, answerMs: 30_000 };

/**
 * Until the client closes its end, and has what it asked for. Throws NET_MCP_* when there is no session, or it is lost; NET_NOT_RUNNING when the
 * node of this machine stops; PAYLOAD_TOO_LARGE for a line beyond all bounds.
 */
export async function bridge(
  client: ControlClient,
  target: string,
  { stdin, out, note }: BridgeIo,
  { findMs, answerMs }: BridgePatience = PATIENCE,
): Promise<void> {
  try {
    const control = await found(client, target, findMs, note);
    await carry(control, { stdin, out, note }, answerMs);
  } finally {
    stdin.destroy();
  }
}

/** A session that is open. */
interface Opened {
  readonly control: Duplex;
  readonly items: AsyncGenerator<OpenItem | CarriedItem>;
  readonly server: OpenItem['open'];
}

/** Looks again and again, since a name is asked for once, and the other node may be on its way. */
async function found(client: ControlClient, target: string, findMs: number, note: BridgeIo['note']): Promise<Opened> {
  const until = performance.now() + findMs;
  // One look takes its time where a node is asked that does not answer.
  const telling = setTimeout(note, NOTE_MS, `'${target}' is not found yet: this looks for it for ${findMs / 1_000} s`);
  try {
    for (;;) {
      try {
        return await opened(client, target);
      } catch (error) {
        if (!isMeshError(error) || !NOT_YET.has(error.code) || performance.now() >= until) throw error;
      }
      await sleep(LOOK_MS);
    }
  } finally {
    clearTimeout(telling);
  }
}

async function opened(client: ControlClient, target: string): Promise<Opened> {
  const control = new Duplex(client, 'mcp.connect', { target });
  const items = control.items<OpenItem | CarriedItem>();
  const { value } = await items.next();
  if (value !== undefined && 'open' in value) return { control, items, server: value.open };
  control.close();
  throw new MeshError('NET_MCP_ENDED', 'the session has ended before it began');
}

async function carry({ control, items, server }: Opened, { stdin, out, note }: BridgeIo, answerMs: number): Promise<void> {
  note(`connected to '${server.name}' at ${server.node}`);
  const unanswered = new Unanswered();
  const over = new AbortController();
  const failed = Promise.withResolvers<never>();
  // What the client has said meanwhile waits in its pipe.
  const sending = async (): Promise<void> => {
    await sendAll(stdin, control, unanswered);
    await Promise.race([unanswered.none(), sleep(answerMs, undefined, { signal: over.signal }).catch(() => undefined)]);
    if (unanswered.count > 0 && !over.signal.aborted)
      note(
        `${counted(unanswered.count, 'request')} of the client had no answer for ${answerMs / 1_000} s after it closed its end`,
      );
    await control.send({ end: true });
  };
  sending().catch(failed.reject);
  const carrying = async (): Promise<void> => {
    for await (const item of items)
      if ('line' in item) {
        await out(item.line);
        unanswered.received(item.line);
      } else if ('note' in item) note(item.note);
  };
  try {
    await Promise.race([carrying(), failed.promise]);
    if (!stdin.readableEnded) note('the server has ended the session');
  } finally {
    over.abort();
    control.close();
  }
}

async function sendAll(stdin: Readable, control: Duplex, unanswered: Unanswered): Promise<void> {
  const lines = new Lines(LINE_BYTES_MAX);
  for await (const chunk of stdin) {
    const whole = lines.push(chunk as Buffer);
    if (whole === undefined)
      throw new MeshError('PAYLOAD_TOO_LARGE', `a line of the client has more than ${LINE_BYTES_MAX} bytes`);
    for (const line of whole) {
      unanswered.sent(line);
      await control.send({ line: Buffer.from(line).toString() });
    }
  }
}
