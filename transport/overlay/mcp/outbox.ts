/** What one side of a session has to send: short frames first, then lines, in pieces, as far as the peer gave credit. */
import { MeshError } from '../../../core/errors.ts';
import type { McpFrame } from './frames.ts';
import type { McpLimits } from './limits.ts';

type WithoutId<F> = F extends McpFrame ? Omit<F, 'id'> : never;
type EndFrame = Extract<McpFrame, { readonly type: 'end' }>;

interface Waiting {
  readonly bytes: Buffer;
  /** Of them that are sent. */
  sent: number;
  readonly written: PromiseWithResolvers<void>;
}

export class Outbox {
  private readonly id: string;
  private readonly limits: McpLimits;
  private short: McpFrame[] = [];
  private lines: Waiting[] = [];
  private waitingBytes = 0;
  private offset = 0;
  private creditTotal = 0;
  private lineMax = 0;
  private last: { readonly frame: McpFrame; readonly onSent: () => void; isSent: boolean } | undefined;

  constructor(id: string, limits: McpLimits) {
    this.id = id;
    this.limits = limits;
  }

  get lineBytesMax(): number {
    return this.lineMax;
  }

  begin(window: number, lineMax: number): void {
    this.creditTotal = window;
    this.lineMax = lineMax;
  }

  say(frame: WithoutId<McpFrame>): void {
    // One of each kind: a later CREDIT says more than an earlier one, and a second PING nothing.
    this.short = [...this.short.filter(({ type }) => type !== frame.type), { ...frame, id: this.id }];
  }

  /** Resolves when all of it has been taken by `next`. Throws PAYLOAD_TOO_LARGE, NET_BACKPRESSURE at once. */
  write(line: string): Promise<void> {
    const bytes = Buffer.from(`${line}\n`);
    if (bytes.length - 1 > this.lineMax)
      throw new MeshError(
        'PAYLOAD_TOO_LARGE',
        `the message has ${bytes.length - 1} bytes; ${this.lineMax} are taken by the other side`,
        {
          data: { bytes: bytes.length - 1, bytesMax: this.lineMax },
        },
      );
    if (this.waitingBytes > 0 && this.waitingBytes + bytes.length > this.limits.queueBytesMax)
      throw new MeshError('NET_BACKPRESSURE', `${this.waitingBytes} bytes wait for the other side of this session`);
    const written = Promise.withResolvers<void>();
    this.lines.push({ bytes, sent: 0, written });
    this.waitingBytes += bytes.length;
    return written.promise;
  }

  /** False: less than before, which the peer may not do. */
  credit(total: number): boolean {
    if (total < this.creditTotal) return false;
    this.creditTotal = total;
    return true;
  }

  /** After all that waits. */
  end(frame: Omit<EndFrame, 'id'>, onSent: () => void): void {
    this.last = { frame: { ...frame, id: this.id }, onSent, isSent: false };
  }

  ended(): void {
    this.last?.onSent();
  }

  /** The next frame to be sent. */
  next(): McpFrame | undefined {
    const short = this.short.shift();
    if (short !== undefined) return short;
    if (this.lines.length > 0) return this.piece();
    if (this.last === undefined || this.last.isSent) return undefined;
    this.last.isSent = true;
    return this.last.frame;
  }

  /** Nothing will be sent any more. */
  close(error: MeshError): void {
    for (const { written } of this.lines.splice(0)) written.reject(error);
    this.waitingBytes = 0;
  }

  /** As much of the lines as one frame has room and the peer credit for. */
  private piece(): McpFrame | undefined {
    const { offset } = this;
    let room = Math.min(this.limits.pieceBytes, this.creditTotal - offset);
    if (room <= 0) return undefined;
    const parts: Uint8Array[] = [];
    while (room > 0) {
      const [line] = this.lines;
      if (line === undefined) break;
      const part = line.bytes.subarray(line.sent, line.sent + room);
      parts.push(part);
      line.sent += part.length;
      room -= part.length;
      this.offset += part.length;
      if (line.sent < line.bytes.length) continue;
      this.lines.shift();
      line.written.resolve();
    }
    this.waitingBytes -= this.offset - offset;
    return { type: 'data', id: this.id, offset, bytes: Buffer.concat(parts) };
  }
}
