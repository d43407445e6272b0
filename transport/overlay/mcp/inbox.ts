/** What one side of a session has received: pieces into lines, lines to their handler one by one, and credit for what was handled. */
import type { Clock } from '../../../core/ports/clock.ts';
import { messagesOf } from './json-rpc.ts';
import type { McpLimits } from './limits.ts';
import { Lines } from './lines.ts';

/** `value`: a JSON-RPC message, or a batch of them; no more is known of it. It must not throw. */
export type LineHandler = (line: string, value: unknown) => void | Promise<void>;

/** Of the window: with less to give, credit is not worth a message. */
const CREDIT_SHARE = 4;

export class Inbox {
  private readonly limits: McpLimits;
  private readonly budget: { bytesLeft: number };
  private readonly onCredit: () => void;
  private readonly lines: Lines;
  private waiting: Uint8Array[] = [];
  private handler: LineHandler | undefined;
  private onFault: (fault: string) => void = () => undefined;
  private isHandling = false;
  private isClosed = false;
  private readonly idle: (() => void)[] = [];
  /** Bytes that came, that are held, and that were promised. */
  private came = 0;
  private held = 0;
  private promised: number;

  /** `onCredit`: `creditDue` has something to say. */
  constructor(limits: McpLimits, budget: { bytesLeft: number }, onCredit: () => void) {
    this.limits = limits;
    this.budget = budget;
    this.onCredit = onCredit;
    this.promised = limits.windowBytes;
    this.lines = new Lines(limits.lineBytesMax);
  }

  start(handler: LineHandler, onFault: (fault: string) => void): void {
    this.handler = handler;
    this.onFault = onFault;
    this.handle();
  }

  /** Keeps `bytes`. Gives what is wrong with them: the stream is of no use then. */
  take(offset: number, bytes: Uint8Array): string | undefined {
    if (offset !== this.came) return `byte ${offset} of the stream came where ${this.came} was due`;
    if (this.came + bytes.length > this.promised) return 'more came than it had credit for';
    if (bytes.length > this.budget.bytesLeft) return 'the sessions of this node hold too much already';
    this.came += bytes.length;
    this.hold(bytes.length);
    const lines = this.lines.push(bytes);
    if (lines === undefined) return `a line has more than ${this.limits.lineBytesMax} bytes`;
    this.waiting.push(...lines);
    this.handle();
    this.onCredit();
    return undefined;
  }

  /** The total to be told to the peer, if it is worth it. A line that has not ended is held outside of the window: it may be longer. */
  creditDue(): number | undefined {
    const { windowBytes } = this.limits;
    const total = this.came - (this.held - this.lines.length) + windowBytes;
    if (total - this.promised < windowBytes / CREDIT_SHARE) return undefined;
    this.promised = total;
    return total;
  }

  /** Resolves when every line that has come is handled, or none will be any more; not later than `endMs`. */
  async settled(clock: Clock): Promise<void> {
    if (!this.isHandling && this.waiting.length === 0) return;
    await new Promise<void>((resolve) => {
      const cancel = clock.after(this.limits.endMs, resolve);
      this.idle.push(() => {
        cancel();
        resolve();
      });
    });
  }

  /** Nothing is handled any more. */
  close(): void {
    this.isClosed = true;
    this.waiting = [];
    this.hold(-this.held);
    this.wake();
  }

  private handle(): void {
    if (this.isHandling || this.handler === undefined) return;
    this.isHandling = true;
    void this.handleAll(this.handler);
  }

  private async handleAll(handler: LineHandler): Promise<void> {
    for (let line = this.waiting.shift(); line !== undefined; line = this.waiting.shift()) {
      const value = line.length === 0 ? undefined : messagesOf(line);
      if (value !== undefined) await handler(Buffer.from(line.buffer, line.byteOffset, line.length).toString(), value);
      else if (line.length > 0) this.onFault('a line is no JSON-RPC message');
      if (this.isClosed) break;
      this.hold(-(line.length + 1));
      this.onCredit();
    }
    // In the same turn as the last look at what waits: or a line that came in between would wait for ever.
    this.isHandling = false;
    this.wake();
  }

  private wake(): void {
    for (const resolve of this.idle.splice(0)) resolve();
  }

  private hold(bytes: number): void {
    this.held += bytes;
    this.budget.bytesLeft -= bytes;
  }
}
