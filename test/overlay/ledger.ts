/**
 * What was sent between nodes that may crash, what was heard, and what the senders were told: whatever must not be throws at once.
 *
 * - Each reliable message ends as exactly one of delivered or lost, as long as its sender lives.
 * - What was told as delivered has been heard.
 * - Nothing is heard twice, nor by another than the one it was for, nor changed.
 * - Mode 0: what is heard of a channel of one connection is what was sent there, in order and without a gap.
 */
import type { NodeOutput } from '../../transport/overlay/node/ports.ts';
import type { ChannelMode } from '../../transport/overlay/wire/frames.ts';
import type { SimNode } from './world.ts';

interface Sent {
  readonly id: number;
  readonly from: SimNode;
  readonly to: string;
  readonly channel: string;
  readonly mode: ChannelMode;
  readonly number: number;
  readonly size: number;
  state: 'pending' | 'delivered' | 'lost';
  isHeard: boolean;
}

/** Messages of a connection on one channel. */
interface Stream {
  readonly sent: Sent[];
  /** Of `sent`: all before it were heard, or given up one by one. */
  heardTo: number;
}

/** Bytes of a message that say which one it is. A shorter one is empty, and goes on channels of empty ones alone. */
export const HEAD_BYTES = 4;

export class Ledger {
  private readonly all: Sent[] = [];
  /** By the sender's incarnation, the connection and the channel. */
  private readonly streams = new Map<SimNode, Map<string, Stream>>();
  /** Told to a sender one by one. */
  private readonly givenUp = new Set<Sent>();
  delivered = 0;
  lost = 0;

  /** Throws what `send` throws; nothing is noted then. */
  send(now: number, from: SimNode, to: SimNode, channel: string, mode: ChannelMode, size: number): number {
    const id = this.all.length;
    const ticket = from.node.send(now, to.key, channel, contentOf(id, size), mode);
    const { number, generation } = ticket;
    const sent: Sent = { id, from, to: to.key, channel, mode, number, size, state: 'pending', isHeard: false };
    this.all.push(sent);
    const { sent: list } = this.streamOf(from, to.key, generation, channel);
    ok(list.length === number, sent, `is number ${number} where ${list.length} was due`);
    list.push(sent);
    return id;
  }

  isHeard(id: number): boolean {
    return this.all[id]?.isHeard === true;
  }

  isLost(id: number): boolean {
    return this.all[id]?.state === 'lost';
  }

  /** Outputs of any node. */
  watch(sim: SimNode, output: NodeOutput): void {
    if (output.type === 'message') this.heard(sim, output);
    else if (output.type === 'delivered') {
      const { generation, channel, number } = output.ticket;
      this.told(sim, this.streamOf(sim, output.peer, generation, channel).sent[number], 'delivered');
    } else if (output.type === 'lost') this.onLost(sim, output);
  }

  /** Of these nodes, nothing waits to be told. */
  settled(living: ReadonlySet<SimNode>): void {
    for (const sent of this.all)
      if (living.has(sent.from) && sent.mode !== 2) ok(sent.state !== 'pending', sent, 'waits for ever');
  }

  private onLost(sim: SimNode, { peer, generation, ticket }: Extract<NodeOutput, { readonly type: 'lost' }>): void {
    if (ticket !== undefined) {
      const sent = this.streamOf(sim, peer, generation, ticket.channel).sent[ticket.number];
      this.told(sim, sent, 'lost');
      if (sent !== undefined) this.givenUp.add(sent);
      return;
    }
    for (const [key, stream] of this.streams.get(sim) ?? [])
      if (key.startsWith(`${peer} ${generation} `))
        for (const sent of stream.sent) if (sent.state === 'pending') this.told(sim, sent, 'lost');
  }

  private told(sim: SimNode, sent: Sent | undefined, what: 'delivered' | 'lost'): void {
    if (sent === undefined) throw new Error(`${sim.name} is told of a message that it did not send`);
    ok(sent.state === 'pending', sent, `is told as ${what} after ${sent.state}`);
    ok(what === 'lost' || sent.isHeard || sent.size < HEAD_BYTES, sent, 'is told as delivered, and nobody has heard it');
    sent.state = what;
    this[what]++;
  }

  private heard(sim: SimNode, { from, channel, bytes }: Extract<NodeOutput, { readonly type: 'message' }>): void {
    if (bytes.length < HEAD_BYTES) return this.heardEmpty(sim, from, channel);
    const id = Buffer.from(bytes).readUInt32LE();
    const sent = this.all[id];
    if (sent === undefined) throw new Error(`${sim.name} hears message ${id} that nobody has sent`);
    ok(sent.from.key === from && sent.to === sim.key && sent.channel === channel, sent, `is heard by ${sim.name} on ${channel}`);
    ok(Buffer.compare(bytes, contentOf(id, sent.size)) === 0, sent, `is heard with other bytes`);
    this.mark(sent);
  }

  /** Which one it is does not matter: the next of any stream that it can be. */
  private heardEmpty(sim: SimNode, from: string, channel: string): void {
    const sent = this.all.find(
      (one) => one.from.key === from && one.to === sim.key && one.channel === channel && one.size < HEAD_BYTES && !one.isHeard,
    );
    if (sent === undefined) throw new Error(`${sim.name} hears more on ${channel} than was sent`);
    sent.isHeard = true;
  }

  private mark(sent: Sent): void {
    ok(!sent.isHeard, sent, 'is heard twice');
    sent.isHeard = true;
    if (sent.mode !== 0) return;
    const stream = [...(this.streams.get(sent.from)?.values() ?? [])].find((one) => one.sent[sent.number] === sent);
    if (stream === undefined) throw new Error('unreachable');
    while (this.givenUp.has(stream.sent[stream.heardTo] as Sent) && stream.heardTo < sent.number) stream.heardTo++;
    ok(stream.heardTo === sent.number, sent, `is heard where number ${stream.heardTo} is due`);
    stream.heardTo++;
  }

  private streamOf(sim: SimNode, peer: string, generation: number, channel: string): Stream {
    const streams = this.streams.get(sim) ?? new Map<string, Stream>();
    this.streams.set(sim, streams);
    const key = `${peer} ${generation} ${channel}`;
    const stream = streams.get(key) ?? { sent: [], heardTo: 0 };
    streams.set(key, stream);
    return stream;
  }
}

function contentOf(id: number, size: number): Uint8Array {
  const bytes = Buffer.alloc(size, id & 0xff);
  if (size >= HEAD_BYTES) bytes.writeUInt32LE(id);
  return bytes;
}

function ok(condition: boolean, { id, from, to, channel, number, size }: Sent, what: string): void {
  if (!condition)
    throw new Error(`message ${id} of ${from.name} to ${to.slice(0, 8)} (${channel} ${number}, ${size} bytes) ${what}`);
}
