/**
 * Messages for people. What nobody has listened to yet waits, so that a message is not lost for coming a minute early, on whatever channel. It
 * waits in memory, and not for ever: see the bounds.
 */
import { EventEmitter, once } from 'node:events';
import { MeshError } from '../../core/errors.ts';
import type { PeerRef } from '../../transport/overlay/overlay.ts';
import type { NetOverlay } from './port.ts';

export const DEFAULT_CHANNEL = 'text';

/** Of one channel; the oldest go first. */
const MESSAGES_MAX = 1_000;
const BYTES_MAX = 4 * 1024 * 1024;
const NAME_BYTES_MAX = 200;
/** On which messages wait and nobody listens, besides `text`; the one that has been quiet for longest goes first. */
const CHANNELS_MAX = 16;
/** Channels of Reprise itself. */
const RESERVED = /^(?:net|mcp)\//;

export interface InboxMessage {
  /** ms since 1970, when it came. */
  readonly ts: number;
  readonly channel: string;
  readonly from: { readonly key: string; readonly name: string; readonly address: string | undefined };
  readonly bytes: number;
  /** As UTF-8; undefined: it is none. */
  readonly text?: string;
  readonly base64?: string;
}
/** In the place of messages that went before a listener came to them. */
export interface InboxGap {
  readonly skipped: number;
}

const isName = (name: string): boolean => name !== '' && Buffer.byteLength(name) <= NAME_BYTES_MAX;
const isForPeople = (name: string): boolean => isName(name) && !RESERVED.test(name);

/** Throws USAGE. */
export function checkChannel(name: string): string {
  if (!isName(name)) throw new MeshError('USAGE', `a channel has a name of 1 to ${NAME_BYTES_MAX} bytes`);
  if (RESERVED.test(name))
    throw new MeshError('USAGE', `channels that begin with net/ or mcp/ are those of Reprise itself, not '${name}'`);
  return name;
}

export class Inbox implements Disposable {
  private readonly wallClock: () => number;
  private readonly onUnheard: (message: InboxMessage) => void;
  private readonly nameOf: (from: PeerRef) => string;
  private readonly end: () => void;
  /** Those that somebody listens to, or on which something waits; the one that was spoken on last is the last. */
  private readonly channels = new Map<string, Channel>();

  /** `onUnheard`: a message has come to which nobody listens. `nameOf`: how a sender is called; empty: by no name. */
  constructor(
    overlay: Pick<NetOverlay, 'onUnclaimed'>,
    wallClock: () => number,
    onUnheard: (message: InboxMessage) => void,
    nameOf: (from: PeerRef) => string = ({ name }) => name,
  ) {
    this.nameOf = nameOf;
    this.wallClock = wallClock;
    this.onUnheard = onUnheard;
    this.end = overlay.onUnclaimed((name, from, bytes) => this.received(name, from, bytes));
  }

  /** What waits, then what comes, until the signal. Throws USAGE for a channel that is none for people. */
  async *listen(name: string, signal: AbortSignal): AsyncGenerator<InboxMessage | InboxGap> {
    const channel = this.channel(checkChannel(name));
    channel.listeners++;
    try {
      yield* channel.read(signal);
    } finally {
      channel.listeners--;
      if (channel.listeners === 0 && !channel.isWaiting) this.channels.delete(name);
    }
  }

  [Symbol.dispose](): void {
    this.end();
    this.channels.clear();
  }

  /** False: it is none for people. */
  private received(name: string, from: PeerRef, bytes: Uint8Array): boolean {
    if (!isForPeople(name)) return false;
    const channel = this.channel(name);
    this.channels.delete(name);
    this.channels.set(name, channel);
    const message = messageOf(this.wallClock(), name, { ...from, name: this.nameOf(from) }, bytes);
    channel.push(message);
    if (channel.listeners > 0) return true;
    this.forgetQuietest();
    this.onUnheard(message);
    return true;
  }

  private channel(name: string): Channel {
    const channel = this.channels.get(name) ?? new Channel();
    this.channels.set(name, channel);
    return channel;
  }

  /** A member may speak on as many channels as it likes; `text` does not give way to others. */
  private forgetQuietest(): void {
    const unheard = [...this.channels].filter(([name, { listeners }]) => listeners === 0 && name !== DEFAULT_CHANNEL);
    for (const [name] of unheard.slice(0, -CHANNELS_MAX)) this.channels.delete(name);
  }
}

/** A message has come. */
const NEWS = 'news';

class Channel {
  listeners = 0;
  private readonly kept: InboxMessage[] = [];
  private bytes = 0;
  /** Messages that came before those that are kept. */
  private gone = 0;
  /** Number of the first message that nobody has got. */
  private unheard = 0;
  /** As many readers as like to. */
  private readonly news = new EventEmitter().setMaxListeners(0);

  /** Nobody has got the last message yet. */
  get isWaiting(): boolean {
    return this.unheard < this.gone + this.kept.length;
  }

  push(message: InboxMessage): void {
    this.kept.push(message);
    this.bytes += message.bytes;
    while (this.kept.length > MESSAGES_MAX || (this.bytes > BYTES_MAX && this.kept.length > 1)) {
      this.bytes -= this.kept.shift()?.bytes ?? 0;
      this.gone++;
    }
    this.news.emit(NEWS);
  }

  /** Reads at the pace of whoever asks, and holds nothing for those who are slow. */
  async *read(signal: AbortSignal): AsyncGenerator<InboxMessage | InboxGap> {
    for (let next = this.unheard; !signal.aborted;) {
      if (next < this.gone) {
        yield { skipped: this.gone - next };
        next = this.gone;
      }
      const message = this.kept[next - this.gone];
      if (message === undefined) await once(this.news, NEWS, { signal }).catch(() => undefined);
      else {
        yield message;
        next++;
        this.unheard = Math.max(this.unheard, next);
      }
    }
  }
}

function messageOf(ts: number, channel: string, from: PeerRef, bytes: Uint8Array): InboxMessage {
  const source = { key: from.publicKey, name: from.name, address: from.address };
  const head = { ts, channel, from: source, bytes: bytes.length };
  try {
    return { ...head, text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch {
    return { ...head, base64: Buffer.from(bytes).toString('base64') };
  }
}
