/**
 * What nodes say to each other about MCP: messages of the channels `mcp/names`, `mcp/up/SLOT` (client to server) and `mcp/down/SLOT`.
 *
 *   kind u8, id [8], then
 *   1 OPEN     window u32, lineMax u32, name ..          a client wants a session with the server of this name
 *   2 OPENED   window u32, lineMax u32
 *   3 DATA     offset v, bytes ..                        of the stream of lines, `offset` bytes after its beginning
 *   4 CREDIT   total v                                   so many bytes of the stream may be sent in all
 *   5 PING                                               a sign of life
 *   6 END      code u8, text ..                          the last of a session, and the answer to whatever names one that is not known
 *   7 WHO      name ..                                   is a server of this name served here, for me?
 *   8 HERE     isServed u8
 *
 * `window`: bytes that the other side may send before any CREDIT. `lineMax`: bytes of the longest line that is taken. The stream is that of
 * MCP over stdio: JSON-RPC messages, one a line.
 */
import { Reader, Writer } from '../wire/bytes.ts';

export const ID_BYTES = 8;
/** Of DATA, before its bytes: kind, id and offset. The frames without bytes have 1,010 at most, and the least that a network may allow is 1,024. */
export const DATA_HEAD_BYTES_MAX = 1 + ID_BYTES + 8;
export const NAME_BYTES_MAX = 64;
export const TEXT_BYTES_MAX = 1_000;
const NAME = /^[\w.-]+$/;
/** What would move the cursor of a terminal, or worse. */
// oxlint-disable-next-line no-control-regex
const CONTROLS = /[\u0000-\u001f\u007f-\u009f]+/g;

/** Codes of END. */
export const END = {
  /** The side that says so has no more to say. */
  done: 0,
  /** No session has this id here (any more). */
  unknown_session: 1,
  unknown_name: 2,
  not_allowed: 3,
  full: 4,
  /** The other side broke a rule of these frames. */
  violation: 5,
  failed: 6,
} as const;
export type EndReason = keyof typeof END;
const REASONS = Object.keys(END) as EndReason[];

/** `id`: of the session, or of the question; 16 hex digits. */
export type McpFrame = { readonly id: string } & (
  | { readonly type: 'open'; readonly window: number; readonly lineMax: number; readonly name: string }
  | { readonly type: 'opened'; readonly window: number; readonly lineMax: number }
  | { readonly type: 'data'; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly type: 'credit'; readonly total: number }
  | { readonly type: 'ping' }
  | { readonly type: 'end'; readonly reason: EndReason; readonly text: string }
  | { readonly type: 'who'; readonly name: string }
  | { readonly type: 'here'; readonly isServed: boolean }
);
const KINDS = ['open', 'opened', 'data', 'credit', 'ping', 'end', 'who', 'here'] as const satisfies readonly McpFrame['type'][];

export const isServerName = (name: string): boolean => name.length <= NAME_BYTES_MAX && NAME.test(name);

/** Undefined: malformed. Bytes are views into the input; texts hold no control characters. */
export function parseMcpFrame(bytes: Uint8Array): McpFrame | undefined {
  const from = new Reader(bytes);
  const type = KINDS[from.u8() - 1];
  const id = Buffer.from(from.bytes(ID_BYTES)).toString('hex');
  if (type === undefined || from.bad) return undefined;
  const frame = bodyOf(type, id, from);
  return from.bad || from.left > 0 ? undefined : frame;
}

function bodyOf(type: McpFrame['type'], id: string, from: Reader): McpFrame | undefined {
  switch (type) {
    case 'open': {
      const [window, lineMax] = [from.u32(), from.u32()];
      const name = nameOf(from);
      return name === undefined ? undefined : { type, id, window, lineMax, name };
    }
    case 'opened':
      return { type, id, window: from.u32(), lineMax: from.u32() };
    case 'data':
      return { type, id, offset: from.varint(), bytes: from.rest() };
    case 'credit':
      return { type, id, total: from.varint() };
    case 'ping':
      return { type, id };
    case 'end': {
      const reason = REASONS[from.u8()];
      const text = Buffer.from(from.bytes(Math.min(from.left, TEXT_BYTES_MAX)))
        .toString()
        .replace(CONTROLS, ' ');
      return reason === undefined ? undefined : { type, id, reason, text };
    }
    case 'who': {
      const name = nameOf(from);
      return name === undefined ? undefined : { type, id, name };
    }
    case 'here': {
      const isServed = from.u8();
      return isServed > 1 ? undefined : { type, id, isServed: isServed === 1 };
    }
  }
}

function nameOf(from: Reader): string | undefined {
  if (from.left > NAME_BYTES_MAX) return undefined;
  const name = Buffer.from(from.rest()).toString('latin1');
  return isServerName(name) ? name : undefined;
}

/** The text of an END is cut to its limit. */
export function buildMcpFrame(frame: McpFrame): Uint8Array {
  const into = new Writer();
  into.u8(KINDS.indexOf(frame.type) + 1);
  into.bytes(Buffer.from(frame.id, 'hex'));
  switch (frame.type) {
    case 'open':
    case 'opened':
      into.u32(frame.window);
      into.u32(frame.lineMax);
      if (frame.type === 'open') into.bytes(Buffer.from(frame.name, 'latin1'));
      break;
    case 'data':
      into.varint(frame.offset);
      into.bytes(frame.bytes);
      break;
    case 'credit':
      into.varint(frame.total);
      break;
    case 'end':
      into.u8(END[frame.reason]);
      into.bytes(Buffer.from(frame.text).subarray(0, TEXT_BYTES_MAX));
      break;
    case 'who':
      into.bytes(Buffer.from(frame.name, 'latin1'));
      break;
    case 'here':
      into.u8(frame.isServed ? 1 : 0);
      break;
    case 'ping':
      break;
  }
  return into.written();
}
