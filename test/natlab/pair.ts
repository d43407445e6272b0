/** Two nodes of the overlay, each behind its NAT, and relays: what the matrix and the tests of the overlay in the lab are made of. */
import { setTimeout as wait } from 'node:timers/promises';
import type { AgentCommand, AgentConfig, AgentLine } from './agent.ts';
import { NatLab } from './lab.ts';
import type { LabProcess } from './lab-process.ts';
import { makeMembers, relayAddress, type Member } from './members.ts';
import type { Tools } from './tools.ts';
import { homeKind, type LabNet, type Place, type RelayName, type Side } from './topology.ts';

export type Status = Extract<AgentLine, { type: 'status' }>['status'];
export type PeerStatus = Status['peers'][number];

export interface PairOptions {
  /** relay1 alone by default. */
  readonly relays?: readonly RelayName[];
  readonly birthday?: boolean;
}

const START_MS = 15_000;
const POLL_MS = 50;
const AT_ONCE = 1e9;

export class Pair implements AsyncDisposable {
  readonly lab: NatLab;
  private readonly members: Readonly<Record<Place, Member>>;
  private readonly options: Required<PairOptions>;
  private readonly agents = new Map<Place, LabProcess<AgentLine>>();

  private exchanges = 0;

  private constructor(lab: NatLab, members: Readonly<Record<Place, Member>>, options: Required<PairOptions>) {
    this.lab = lab;
    this.members = members;
    this.options = options;
  }

  /** All are started, and known to the relays; `a` and `b` are not connected yet. */
  static async open(tools: Tools, net: LabNet, options: PairOptions = {}): Promise<Pair> {
    const lab = await NatLab.open(tools, net);
    try {
      const { relays = ['relay1'], birthday = false } = options;
      const pair = new Pair(lab, await makeMembers(), { relays, birthday });
      const places: readonly Place[] = [...relays, 'a', 'b'];
      await Promise.all(places.map((place) => pair.start(place, net)));
      await Promise.all([pair.registered('a'), pair.registered('b')]);
      return pair;
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
  }

  publicKey(place: Place): string {
    return this.members[place].publicKey;
  }

  agent(place: Place): LabProcess<AgentLine> {
    const agent = this.agents.get(place);
    if (agent === undefined) throw new Error(`no agent runs at ${place}`);
    return agent;
  }

  say(place: Place, command: AgentCommand): void {
    this.agent(place).say(command);
  }

  /** Waits until a relay knows where this side is. */
  async registered(side: Side): Promise<void> {
    for (const until = performance.now() + START_MS; ;) {
      const { relays } = await this.status(side);
      if (relays.some(({ state }) => state === 'registered')) return;
      if (performance.now() > until) throw new Error(`${side} is registered nowhere: ${JSON.stringify(relays)}`);
      await wait(POLL_MS);
    }
  }

  /** `a` connects to `b` by its name. Gives the milliseconds that it took. */
  async connect(limitMs = START_MS): Promise<number> {
    this.say('a', { do: 'connect', peer: 'b' });
    return (await this.answer('a', 'connected', limitMs)).ms;
  }

  /** Both sides send each other so many messages, and say what has come. Resolves when all are there and acknowledged. */
  async exchange(
    options: { readonly count: number; readonly bytes?: number; readonly perSecond?: number },
    limitMs: number,
  ): Promise<Readonly<Record<Side, readonly string[]>>> {
    const { count, bytes = 100, perSecond = AT_ONCE } = options;
    const exchange = this.nextExchange();
    const one = async (side: Side, other: Side): Promise<readonly string[]> => {
      this.say(side, { do: 'expect', exchange, count });
      this.say(side, { do: 'send', peer: other, exchange, count, bytes, perSecond });
      const [received] = await Promise.all([this.answer(side, 'received', limitMs), this.answer(side, 'delivered', limitMs)]);
      return received.faults;
    };
    const [a, b] = await Promise.all([one('a', 'b'), one('b', 'a')]);
    return { a, b };
  }

  /** The number of the next exchange. */
  nextExchange(): number {
    return ++this.exchanges;
  }

  async status(place: Place): Promise<Status> {
    this.say(place, { do: 'status' });
    return (await this.answer(place, 'status')).status;
  }

  /** How one side sees the other. Undefined: not at all. */
  async peer(side: Side): Promise<PeerStatus | undefined> {
    const other = this.publicKey(side === 'a' ? 'b' : 'a');
    return (await this.status(side)).peers.find(({ publicKey }) => publicKey === other);
  }

  /** Waits until both sides use a path that this holds for. Gives whether it came to that, and how each sees the other at the end. */
  async settle(
    isGood: (peer: PeerStatus) => boolean,
    limitMs: number,
  ): Promise<{
    readonly isGood: boolean;
    readonly ms: number;
    readonly a: PeerStatus | undefined;
    readonly b: PeerStatus | undefined;
  }> {
    const begun = performance.now();
    for (;;) {
      const [a, b] = await Promise.all([this.peer('a'), this.peer('b')]);
      const areGood = a !== undefined && b !== undefined && isGood(a) && isGood(b);
      const ms = Math.round(performance.now() - begun);
      if (areGood || ms > limitMs) return { isGood: areGood, ms, a, b };
      await wait(POLL_MS);
    }
  }

  /** SIGKILL. */
  async kill(place: Place): Promise<void> {
    await this.agent(place).kill();
    this.agents.delete(place);
  }

  /** Starts an agent, as it was: with the same key. */
  async start(place: Place, net?: LabNet): Promise<void> {
    const isHost = place === 'a' || place === 'b';
    const proxy = isHost && net !== undefined && homeKind(net[place]) === 'proxy' ? await this.lab.startProxy(place) : undefined;
    const others = this.options.relays.filter((relay) => relay !== place);
    const config: AgentConfig = {
      member: this.members[place],
      isRelay: !isHost,
      relays: others.map((relay) => relayAddress(this.members[relay])),
      birthday: this.options.birthday,
      ...(proxy !== undefined && { proxy }),
    };
    const agent = this.lab.node<AgentLine>(place, 'agent.ts');
    this.agents.set(place, agent);
    agent.say(config);
    await agent.next('ready', START_MS);
  }

  /** The next line of this type; a command that failed is thrown. */
  async answer<T extends AgentLine['type']>(
    place: Place,
    type: T,
    limitMs = START_MS,
  ): Promise<Extract<AgentLine, { readonly type: T }>> {
    const line = await this.agent(place).nextOf([type, 'failed'], limitMs);
    if (line.type === 'failed') throw new Error(`${place}: ${JSON.stringify(line)}`);
    return line as Extract<AgentLine, { readonly type: T }>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.lab[Symbol.asyncDispose]();
  }
}
