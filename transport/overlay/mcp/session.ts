/**
 * One side of one MCP session: lines out, lines in, over a pair of ordered channels of the overlay.
 *
 *   opening -> open -> ending -> ended            (a server's side begins open)
 *
 * It ends when either side says so, when the peer breaks a rule, does not answer, or restarts: never silently. What it does not know any
 * more it answers with END, so the other side learns of it by its next sign of life.
 */
import { MeshError, isMeshError } from '../../../core/errors.ts';
import type { Clock } from '../../../core/ports/clock.ts';
import { endedError, failureOf } from './ends.ts';
import { buildMcpFrame, type EndReason, type McpFrame } from './frames.ts';
import { Inbox, type LineHandler } from './inbox.ts';
import type { McpLimits } from './limits.ts';
import { Outbox } from './outbox.ts';
import { type McpPeer, nodeText } from './port.ts';

export interface SessionHandlers {
  /** A JSON-RPC message, as its line and as its value. The next one comes when it has resolved; so a slow one holds the peer back. */
  readonly onLine: LineHandler;
  /** Once. Undefined: the other side was done, or this one closed it. */
  readonly onEnd: (error: MeshError | undefined) => void;
}

export interface SessionParts {
  readonly id: string;
  /** Of the server. */
  readonly name: string;
  readonly peer: McpPeer;
  readonly clock: Clock;
  readonly limits: McpLimits;
  /** Bytes that all sessions of the node may hold of what came. */
  readonly budget: { bytesLeft: number };
  readonly send: (frame: Uint8Array) => Promise<unknown>;
  /** Nothing more comes of it. */
  readonly onGone: () => void;
}

type EndFrame = Extract<McpFrame, { readonly type: 'end' }>;
type OpenFrame = Extract<McpFrame, { readonly type: 'open' | 'opened' }>;

export class Session {
  readonly id: string;
  readonly name: string;
  readonly peer: McpPeer;
  private readonly parts: SessionParts;
  private readonly inbox: Inbox;
  private readonly outbox: Outbox;
  private state: 'opening' | 'open' | 'ending' | 'ended' = 'opening';
  private readonly opening = Promise.withResolvers<void>();
  private handlers: SessionHandlers | undefined;
  /** That with which it will end, once it is ending. */
  private failure: MeshError | undefined;
  private ended: { readonly error: MeshError | undefined } | undefined;
  private closing: Promise<void> | undefined;
  private isPumping = false;
  private heardAt: number;
  private sentAt: number;
  private cancelBeat: () => void = () => undefined;

  constructor(parts: SessionParts) {
    const { id, name, peer, clock, limits, budget } = parts;
    this.parts = parts;
    this.id = id;
    this.name = name;
    this.peer = peer;
    this.heardAt = this.sentAt = clock.monotonic();
    this.outbox = new Outbox(id, limits);
    this.inbox = new Inbox(limits, budget, () => this.pump());
    // Who waits for it is told by `open` as well.
    this.opening.promise.catch(() => undefined);
  }

  /** Bytes of the longest line that the peer takes; 0 until it is open. */
  get lineBytesMax(): number {
    return this.outbox.lineBytesMax;
  }

  /** As the client. Resolves when the peer has opened it. Throws NET_MCP_UNKNOWN, NET_MCP_REFUSED, NET_MCP_BUSY, NET_MCP_ENDED. */
  async open(): Promise<void> {
    const { name, clock, limits } = this.parts;
    const late = new MeshError(
      'NET_MCP_UNKNOWN',
      `${this.peerText} did not say within ${limits.openMs} ms whether it serves '${name}'`,
    );
    const cancel = clock.after(limits.openMs, () => this.lost(late));
    this.outbox.say({ type: 'open', name, ...this.terms });
    this.pump();
    try {
      await this.opening.promise;
    } finally {
      cancel();
    }
  }

  /** As the server. */
  accept(frame: OpenFrame): void {
    this.begin(frame);
    this.outbox.say({ type: 'opened', ...this.terms });
    this.pump();
  }

  /** Lines that came before wait for it. Call it once. */
  start(handlers: SessionHandlers): void {
    this.handlers = handlers;
    this.inbox.start(handlers.onLine, (error) => this.violated(error));
    if (this.ended !== undefined) this.tellEnd();
  }

  /**
   * Resolves when all of it is on its way: wait for it to keep the speed of the peer.
   *
   * Throws PAYLOAD_TOO_LARGE (see `tooLong`), NET_BACKPRESSURE when too much waits, NET_MCP_ENDED.
   */
  async write(line: string): Promise<void> {
    if (this.state !== 'open') throw this.ended?.error ?? endedError(this, 'it is over');
    const written = this.outbox.write(line);
    this.pump();
    await written;
  }

  /** What was written goes first, for a moment at most. Resolves when the peer has been told, or cannot be. What came and waits is dropped. */
  close(reason: EndReason = 'done', text = ''): Promise<void> {
    this.closing ??= this.endHere(reason, text);
    return this.closing;
  }

  // ---- from the peer ---------------------------------------------------------------------------------------------------

  received(frame: McpFrame): void {
    if (this.state === 'ended') return;
    this.heardAt = this.parts.clock.monotonic();
    // What goes out before the end may need credit; the rest has come too late.
    if (this.state === 'ending' && frame.type !== 'credit') return;
    switch (frame.type) {
      case 'opened':
        if (this.state !== 'opening') return this.violated('it was opened twice');
        this.begin(frame);
        this.opening.resolve();
        return;
      case 'data': {
        const fault = this.state === 'open' ? this.inbox.take(frame.offset, frame.bytes) : 'data came before it was open';
        if (fault !== undefined) this.violated(fault);
        return;
      }
      case 'credit':
        if (!this.outbox.credit(frame.total)) this.violated('credit was taken back');
        else this.pump();
        return;
      case 'end':
        return this.endedByPeer(failureOf(this, frame.reason, frame.text));
      case 'open':
      case 'who':
      case 'here':
        return this.violated(`${frame.type} came within it`);
      case 'ping':
    }
  }

  /** The connection to the peer is lost, or it has restarted: what was under way may be missing. */
  disconnected(why: string): void {
    this.lost(endedError(this, why));
  }

  /** The peer sends what cannot be. */
  violated(fault: string): void {
    if (this.state === 'ended') return;
    this.lost(endedError(this, `${this.peerText} was cut off: ${fault}`), { reason: 'violation', text: fault });
  }

  // ---- inside ----------------------------------------------------------------------------------------------------------

  private async endHere(reason: EndReason, text: string): Promise<void> {
    // The peer has ended it before, and some of what came first waits for its handler: nobody wants that now.
    if (this.state === 'ending') this.over(this.failure);
    if (this.state === 'ended') return;
    this.state = 'ending';
    this.inbox.close();
    this.settle(undefined);
    const { promise, resolve } = Promise.withResolvers<void>();
    const cancel = this.parts.clock.after(this.parts.limits.endMs, resolve);
    this.outbox.end({ type: 'end', reason, text }, resolve);
    this.pump();
    await promise;
    cancel();
    this.over(undefined);
  }

  private get peerText(): string {
    return `node ${nodeText(this.peer)}`;
  }

  private get terms(): { readonly window: number; readonly lineMax: number } {
    const { windowBytes, lineBytesMax } = this.parts.limits;
    return { window: windowBytes, lineMax: lineBytesMax };
  }

  private begin({ window, lineMax }: OpenFrame): void {
    this.state = 'open';
    this.outbox.begin(window, lineMax);
    this.beat();
  }

  private beat(): void {
    const { clock, limits } = this.parts;
    const untilSilent = this.heardAt + limits.silenceMs - clock.monotonic();
    if (untilSilent <= 0) return this.disconnected(`${this.peerText} has said nothing for ${limits.silenceMs} ms`);
    this.cancelBeat = clock.after(Math.min(limits.pingMs, untilSilent), () => {
      if (clock.monotonic() - this.sentAt >= limits.pingMs) this.outbox.say({ type: 'ping' });
      this.pump();
      this.beat();
    });
  }

  /** One frame after the other: whether there is room for it is known when it is sent, and none may overtake another. */
  private pump(): void {
    if (this.isPumping) return;
    this.isPumping = true;
    void this.sendAll();
  }

  private async sendAll(): Promise<void> {
    for (let frame = this.nextFrame(); frame !== undefined; frame = this.nextFrame()) {
      this.sentAt = this.parts.clock.monotonic();
      try {
        await this.delivered(buildMcpFrame(frame));
      } catch (cause) {
        this.lost(endedError(this, `${this.peerText} cannot be reached: ${(cause as Error).message}`, cause));
      }
      if (frame.type === 'end') this.outbox.ended();
    }
    // In the same turn as the last look: or what is to be sent since then would wait for ever.
    this.isPumping = false;
  }

  private nextFrame(): McpFrame | undefined {
    if (this.state === 'ended') return undefined;
    const total = this.state === 'open' ? this.inbox.creditDue() : undefined;
    if (total !== undefined) this.outbox.say({ type: 'credit', total });
    return this.outbox.next();
  }

  private async delivered(bytes: Uint8Array): Promise<void> {
    const { send, clock, limits } = this.parts;
    while (this.state !== 'ended') {
      try {
        await send(bytes);
        return;
      } catch (error) {
        if (!isMeshError(error, 'NET_BACKPRESSURE')) throw error;
      }
      await new Promise<void>((resolve) => void clock.after(limits.retryMs, resolve));
    }
  }

  /** END comes after all data of the peer: what has not been handled yet is, before the handler hears of the end. */
  private endedByPeer(failure: MeshError | undefined): void {
    this.state = 'ending';
    this.failure = failure;
    this.outbox.close(failure ?? endedError(this, `${this.peerText} has ended it`));
    void this.inbox.settled(this.parts.clock).then(() => this.over(failure));
  }

  /** The peer is told why, if it can be; whether it hears it does not matter here. When the end was near anyway, it is that one. */
  private lost(
    failure: MeshError,
    why: Omit<EndFrame, 'id' | 'type'> = { reason: 'failed', text: 'the connection was lost' },
  ): void {
    if (this.state === 'ended') return;
    if (this.state !== 'ending') void this.parts.send(buildMcpFrame({ type: 'end', id: this.id, ...why })).catch(() => undefined);
    this.over(this.state === 'ending' ? this.failure : failure);
  }

  private over(error: MeshError | undefined): void {
    if (this.state === 'ended') return;
    this.state = 'ended';
    this.settle(error);
    this.cancelBeat();
    this.inbox.close();
    this.outbox.close(error ?? endedError(this, 'it is over'));
    this.parts.onGone();
  }

  /** How it ends, once. */
  private settle(error: MeshError | undefined): void {
    if (this.ended !== undefined) return;
    this.ended = { error };
    this.opening.reject(error ?? endedError(this, 'it is over'));
    this.tellEnd();
  }

  private tellEnd(): void {
    this.handlers?.onEnd(this.ended?.error);
  }
}
