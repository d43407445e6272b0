/**
 * A node of the overlay at a place of the lab. The first line of stdin is an `AgentConfig`, the others are `AgentCommand`s; what it finds goes
 * to stdout as `AgentLine`s. Messages of an exchange carry their number, and the receiver checks that each comes once and in order.
 */
import { flushCompileCache } from 'node:module';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { isMeshError } from '../../core/errors.ts';
import type { RelayAddress } from '../../transport/overlay/relay/ports.ts';
import type { OverlayEvent, PeerView } from '../../transport/overlay/node/ports.ts';
import { startOverlay, type Overlay, type OverlayStatus } from '../../transport/overlay/overlay.ts';
import { listenAt, readMember, WEBSOCKET_PORT, type Member } from './members.ts';

export interface AgentConfig {
  readonly member: Member;
  readonly isRelay: boolean;
  readonly relays: readonly RelayAddress[];
  readonly birthday: boolean;
  /** URL of an HTTP proxy. */
  readonly proxy?: string;
}

/** `peer`: a name, an address or a key. */
export type AgentCommand =
  | { readonly do: 'connect'; readonly peer: string }
  | SendCommand
  /** 'received' when so many messages of this exchange are there. */
  | { readonly do: 'expect'; readonly exchange: number; readonly count: number }
  /** A message each `everyMs` from now on, until this node ends. 'streaming' follows. */
  | { readonly do: 'stream'; readonly peer: string; readonly everyMs: number }
  /** What has come of the stream of the other side since the last time: 'watched' follows. */
  | { readonly do: 'watch' }
  | { readonly do: 'ping'; readonly peer: string }
  | { readonly do: 'status' }
  | { readonly do: 'stop' };

/** `count` messages of `bytes` bytes (8 or more), `perSecond` at most. */
export interface SendCommand {
  readonly do: 'send';
  readonly peer: string;
  /** Higher than that of any before. */
  readonly exchange: number;
  readonly count: number;
  readonly bytes: number;
  readonly perSecond: number;
}

export type AgentLine =
  | { readonly type: 'ready'; readonly publicKey: string; readonly ms: number }
  | { readonly type: 'connected'; readonly ms: number; readonly peer: PeerView }
  /** All messages of a 'send' were acknowledged. */
  | { readonly type: 'delivered'; readonly count: number; readonly ms: number }
  /** `faults`: what came twice, too early, or not at all before this, at most ten. */
  | { readonly type: 'received'; readonly count: number; readonly faults: readonly string[] }
  /** `ms`: since the start of the agent. */
  | { readonly type: 'streaming'; readonly ms: number }
  /** The longest time without a message, up to now; how long the first message took; undefined: none came. */
  | { readonly type: 'watched'; readonly longestMs: number; readonly firstMs: number | undefined }
  | { readonly type: 'pong'; readonly kind: string; readonly path: string; readonly rttMs: number }
  | { readonly type: 'status'; readonly status: OverlayStatus }
  /** `ms`: since the start of the agent. */
  | { readonly type: 'event'; readonly ms: number; readonly event: OverlayEvent }
  | { readonly type: 'failed'; readonly command: AgentCommand; readonly code: string; readonly message: string }
  | { readonly type: 'stopped' };

const CHANNEL = 'natlab';
const STREAM_CHANNEL = 'natlab/stream';
/** Messages that wait for their acknowledgement. */
const WINDOW = 1024;
const PACE_MS = 5;
const FAULTS_MAX = 10;

const say = (line: AgentLine): void => console.log(JSON.stringify(line));

/** What has come on the channel. A message is: exchange u32, number u32, zeros. */
class Received {
  private readonly exchanges = new Map<number, Exchange>();

  message(bytes: Uint8Array): void {
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    this.of(view.getUint32(0)).message(view.getUint32(4));
  }

  expect(exchange: number, count: number): void {
    this.of(exchange).expect(count);
  }

  private of(number: number): Exchange {
    const exchange = this.exchanges.get(number) ?? new Exchange();
    this.exchanges.set(number, exchange);
    return exchange;
  }
}

class Exchange {
  private count = 0;
  private next = 0;
  private wanted = Infinity;
  private readonly faults: string[] = [];

  message(number: number): void {
    if (number !== this.next && this.faults.length < FAULTS_MAX) this.faults.push(`${number} instead of ${this.next}`);
    this.next = number + 1;
    this.count++;
    this.look();
  }

  expect(count: number): void {
    this.wanted = count;
    this.look();
  }

  private look(): void {
    if (this.count < this.wanted) return;
    say({ type: 'received', count: this.count, faults: this.faults });
    this.wanted = Infinity;
  }
}

/** ms since 1970, as a float: the same in all processes. */
const wallMs = (): number => performance.timeOrigin + performance.now();

/** The stream of the other side. A message is the time at which it was sent, f64. */
class Watch {
  private lastAt = performance.now();
  private longestMs = 0;
  private firstMs: number | undefined;

  message(bytes: Uint8Array): void {
    this.firstMs ??= wallMs() - new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0);
    this.passed();
  }

  take(): AgentLine {
    this.passed();
    const { longestMs, firstMs } = this;
    this.longestMs = 0;
    this.firstMs = undefined;
    return { type: 'watched', longestMs, firstMs };
  }

  private passed(): void {
    const now = performance.now();
    this.longestMs = Math.max(this.longestMs, now - this.lastAt);
    this.lastAt = now;
  }
}

function stream(overlay: Overlay, peer: string, everyMs: number): void {
  say({ type: 'streaming', ms: performance.now() });
  const post = (): void => {
    const message = new Uint8Array(8);
    new DataView(message.buffer).setFloat64(0, wallMs());
    overlay.post(peer, STREAM_CHANNEL, message);
  };
  post();
  setInterval(post, everyMs);
}

async function send(overlay: Overlay, { peer, exchange, count, bytes, perSecond }: SendCommand): Promise<void> {
  const begun = performance.now();
  const due = (): number => ((performance.now() - begun) / 1000) * perSecond;
  let underWay = 0;
  let failure: unknown;
  for (let number = 0; number < count && failure === undefined; number++) {
    while (underWay >= WINDOW || number >= due()) await wait(PACE_MS);
    const message = new Uint8Array(bytes);
    const view = new DataView(message.buffer);
    view.setUint32(0, exchange);
    view.setUint32(4, number);
    underWay++;
    overlay
      .send(peer, CHANNEL, message)
      .catch((error: unknown) => (failure ??= error))
      .finally(() => underWay--);
  }
  while (underWay > 0 && failure === undefined) await wait(PACE_MS);
  if (failure !== undefined) throw failure;
  say({ type: 'delivered', count, ms: Math.round(performance.now() - begun) });
}

interface Seen {
  readonly received: Received;
  readonly watch: Watch;
}

async function obey(overlay: Overlay, { received, watch }: Seen, command: AgentCommand): Promise<void> {
  switch (command.do) {
    case 'connect': {
      const begun = performance.now();
      const peer = await overlay.connect(command.peer);
      return say({ type: 'connected', ms: Math.round(performance.now() - begun), peer });
    }
    case 'send':
      return send(overlay, command);
    case 'expect':
      return received.expect(command.exchange, command.count);
    case 'stream':
      return stream(overlay, command.peer, command.everyMs);
    case 'watch':
      return say(watch.take());
    case 'ping': {
      const { kind, path, rttMs } = await overlay.ping(command.peer);
      return say({ type: 'pong', kind, path, rttMs });
    }
    case 'status':
      return say({ type: 'status', status: overlay.status() });
    case 'stop':
      await overlay.stop();
      say({ type: 'stopped' });
      return process.exit();
  }
}

async function start({ member, isRelay, relays, birthday, proxy }: AgentConfig): Promise<Overlay> {
  const { identity, network, trust } = await readMember(member);
  return startOverlay({
    identity,
    network,
    trust,
    name: member.name,
    listen: listenAt(member.name),
    ...(isRelay && { webSocket: { host: '0.0.0.0', port: WEBSOCKET_PORT } }),
    relay: isRelay,
    relays,
    birthday,
    proxy: () => proxy,
  });
}

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const first = await lines.next();
const config = JSON.parse(first.value as string) as AgentConfig;
const overlay = await start(config);
const seen: Seen = { received: new Received(), watch: new Watch() };
overlay.onMessage(CHANNEL, (_, bytes) => seen.received.message(bytes));
overlay.onMessage(STREAM_CHANNEL, (_, bytes) => seen.watch.message(bytes));
overlay.onEvent((event) => say({ type: 'event', ms: Math.round(performance.now()), event }));
say({ type: 'ready', publicKey: overlay.publicKey, ms: Math.round(performance.now()) });
// What was compiled is there for the next one; this one may be killed.
flushCompileCache();
for await (const line of { [Symbol.asyncIterator]: () => lines }) {
  const command = JSON.parse(line) as AgentCommand;
  // Not waited for: 'status' is asked while messages are sent.
  void obey(overlay, seen, command).catch((error: unknown) => {
    const code = isMeshError(error) ? error.code : 'none';
    say({ type: 'failed', command, code, message: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  });
}
process.exit();
