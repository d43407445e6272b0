/**
 * A small Internet of network namespaces, for what only real NATs can show.
 *
 *   a  198.18.1.2 ── lan  natA  wan 203.0.113.10 ──┐            ┌── relay1  203.0.113.2, .33
 *                                                   core (10 hops)
 *   b  198.18.2.2 ── lan  natB  wan 203.0.113.22 ──┘            └── relay2  203.0.113.6, .37
 *
 *   await using lab = await NatLab.open(tools, { a: 'port', b: 'sym' });
 *   const process = lab.node('a', 'test/natlab/agent.ts');
 *
 * A host's own address goes nowhere in the Internet, unless its box is a router ('none'). Of a relay's two addresses each is a vantage point.
 */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Impairer, type Impairment } from './impairment.ts';
import type { LabProcess, Line } from './lab-process.ts';
import { Namespace } from './namespace.ts';
import { coreRules, natRules, udpBlock, type NatBox, type NatKind } from './nat.ts';
import type { Tools } from './tools.ts';

export type Side = 'a' | 'b';
export type RelayName = 'relay1' | 'relay2';
export type Place = Side | RelayName;

const PLACES = ['core', 'natA', 'natB', 'a', 'b', 'relay1', 'relay2'] as const;
type PlaceName = (typeof PLACES)[number];

/** Addresses of the relays: of the link first. */
export const RELAY_ADDRESSES: Readonly<Record<RelayName, readonly [string, string]>> = {
  relay1: ['203.0.113.2', '203.0.113.33'],
  relay2: ['203.0.113.6', '203.0.113.37'],
};

interface SideNet {
  readonly box: 'natA' | 'natB';
  /** First three numbers of the addresses of the local network: the box has .1, the host begins with .2. */
  readonly lan: string;
  readonly coreLink: string;
  readonly coreAddress: string;
  /** The public address, and the one after `renumber`. */
  readonly wan: readonly [string, string];
}

const SIDES: Readonly<Record<Side, SideNet>> = {
  a: { box: 'natA', lan: '198.18.1', coreLink: 'a0', coreAddress: '203.0.113.9', wan: ['203.0.113.10', '203.0.113.41'] },
  b: { box: 'natB', lan: '198.18.2', coreLink: 'b0', coreAddress: '203.0.113.21', wan: ['203.0.113.22', '203.0.113.42'] },
};
const BOTH = ['a', 'b'] as const;
const RELAYS = ['relay1', 'relay2'] as const;
/** Ends of the relays' links in the core, and their addresses. */
const RELAY_LINKS: Readonly<Record<RelayName, readonly [string, string]>> = {
  relay1: ['r1', '203.0.113.1'],
  relay2: ['r2', '203.0.113.5'],
};
const COMPILE_CACHE = join(tmpdir(), 'reprise-natlab-cache');
const PRIVATE = '198.18.0.0/15';
const PROXY_PORT = 3128;
/** Of conntrack, by Linux: a flow that was not answered yet, and one that goes both ways. */
const MAPPING_SECONDS = 30;

interface SideState {
  box: NatBox;
  /** Last number of the host's address. */
  host: number;
  /** Which of the public addresses. */
  wan: 0 | 1;
}

interface CoreState {
  readonly lossPercent: number;
  readonly isCut: boolean;
  readonly silent: readonly RelayName[];
}

export class NatLab implements AsyncDisposable {
  private readonly stack: AsyncDisposableStack;
  private readonly spaces: Readonly<Record<PlaceName, Namespace>>;
  private readonly sides: Readonly<Record<Side, SideState>>;
  private core: CoreState = { lossPercent: 0, isCut: false, silent: [] };
  private impairer: Impairer | undefined;

  private constructor(
    stack: AsyncDisposableStack,
    spaces: Readonly<Record<PlaceName, Namespace>>,
    kinds: Readonly<Record<Side, NatKind>>,
  ) {
    const state = (side: Side): SideState => ({
      box: { kind: kinds[side], wan: SIDES[side].wan[0], mappingSeconds: MAPPING_SECONDS },
      host: 2,
      wan: 0,
    });
    this.stack = stack;
    this.spaces = spaces;
    this.sides = { a: state('a'), b: state('b') };
  }

  static async open(tools: Tools, kinds: Readonly<Record<Side, NatKind>>): Promise<NatLab> {
    await using stack = new AsyncDisposableStack();
    const core = stack.use(await Namespace.open('core', tools));
    const others = PLACES.filter((name) => name !== 'core').map(
      async (name) => [name, stack.use(await Namespace.open(name, tools, core))] as const,
    );
    const spaces = { core, ...Object.fromEntries(await allOf(others)) } as Record<PlaceName, Namespace>;
    const lab = new NatLab(stack.move(), spaces, kinds);
    try {
      await lab.build();
      return lab;
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The present address of a host in its own network; the first of a relay. */
  address(place: Place): string {
    return place === 'a' || place === 'b' ? `${SIDES[place].lan}.${this.sides[place].host}` : RELAY_ADDRESSES[place][0];
  }

  /** The address by which the Internet sees a host. */
  publicAddress(side: Side): string {
    return this.sides[side].box.kind === 'none' ? this.address(side) : this.sides[side].box.wan;
  }

  /** The processes that hold the namespaces. */
  get pids(): readonly number[] {
    return PLACES.map((name) => this.spaces[name].pid);
  }

  /** Runs a process at a place; it is killed with the lab. */
  run<L extends Line>(place: Place, command: string, args: readonly string[]): LabProcess<L> {
    return this.stack.use(this.spaces[place].run<L>(command, args));
  }

  /** Runs a script of this folder by Node. */
  node<L extends Line>(place: Place, script: string, args: readonly string[] = []): LabProcess<L> {
    return this.run(place, ...nodeCommand(script, args));
  }

  /** Runs a command at a place to its end and gives what it wrote to stdout. Throws with its stderr when it fails. */
  exec(place: Place, command: string, args: readonly string[], input = ''): Promise<string> {
    return this.spaces[place].exec(command, args, input);
  }

  /** What runs a command at a place, for those who start their processes themselves. */
  inside(place: Place, command: string, args: readonly string[]): [command: string, args: string[]] {
    return this.spaces[place].inside(command, args);
  }

  /** The NAT box forgets all that it knew, as one that was switched off and on. */
  async rebind(side: Side): Promise<void> {
    const box = this.spaces[SIDES[side].box];
    await box.nft(natRules(this.sides[side].box));
    await box.exec(box.tools.conntrack, ['-F']);
  }

  /** The network of the host is given another public address: the mappings are others, whatever the kind of the box. */
  async renumber(side: Side): Promise<void> {
    const state = this.sides[side];
    state.wan = state.wan === 0 ? 1 : 0;
    state.box = { ...state.box, wan: SIDES[side].wan[state.wan] };
    await this.rebind(side);
  }

  /** The host is given another address in its network, as when it joins another Wi-Fi. Gives the address. */
  async changeAddress(side: Side): Promise<string> {
    const state = this.sides[side];
    const old = this.address(side);
    state.host = state.host === 2 ? 3 : 2;
    const { lan } = SIDES[side];
    // The old one first: with a primary address its secondaries go.
    await this.spaces[side].ip(
      `addr del ${old}/24 dev eth0`,
      `addr add ${this.address(side)}/24 dev eth0`,
      `route replace default via ${lan}.1`,
    );
    // Their mappings keep ports, which those of the old address would hold.
    const { kind } = state.box;
    if (kind === 'full' || kind === 'addr') await this.rebind(side);
    return this.address(side);
  }

  /** UDP of a host passes its box no longer, or again; TCP does. */
  async blockUdp(side: Side, isBlocked: boolean): Promise<void> {
    await this.spaces[SIDES[side].box].nft(udpBlock(isBlocked));
  }

  /** How long the box keeps mappings of UDP: those that only one side has used yet, and others. */
  async expireMappings(side: Side, { youngSeconds, seconds }: { youngSeconds: number; seconds: number }): Promise<void> {
    const state = this.sides[side];
    const box = this.spaces[SIDES[side].box];
    await box.sysctl({
      'net.netfilter.nf_conntrack_udp_timeout': youngSeconds,
      'net.netfilter.nf_conntrack_udp_timeout_stream': seconds,
    });
    state.box = { ...state.box, mappingSeconds: seconds };
    await box.nft(natRules(state.box));
  }

  /** Nothing passes between the two sides any more, or again. The relays are reached all the same. */
  async cutDirect(isCut: boolean): Promise<void> {
    this.core = { ...this.core, isCut };
    await this.applyCore();
  }

  /** Of UDP, each way, by the core. */
  async lose(lossPercent: number): Promise<void> {
    this.core = { ...this.core, lossPercent };
    await this.applyCore();
  }

  /** Replaces the impairment of all packets that pass the core. Needs `tools.hasTun`. */
  async impair(impairment: Impairment): Promise<void> {
    const links = [...BOTH.map((side) => SIDES[side].coreLink), ...RELAYS.map((relay) => RELAY_LINKS[relay][0])];
    this.impairer ??= this.stack.use(await Impairer.start(this.spaces.core, links));
    await this.impairer.set(impairment);
  }

  /** Nothing reaches a relay any more, or leaves it, as when its machine has lost power; or does again. */
  async silence(relay: RelayName, isSilent: boolean): Promise<void> {
    const others = this.core.silent.filter((name) => name !== relay);
    this.core = { ...this.core, silent: isSilent ? [...others, relay] : others };
    await this.applyCore();
  }

  /** Starts an HTTP proxy on the box of a side (for kind 'proxy': the only way out). Gives its URL. */
  async startProxy(side: Side): Promise<string> {
    const { box, lan } = SIDES[side];
    const proxy = this.stack.use(
      this.spaces[box].run<{ type: 'ready' }>(...nodeCommand('proxy.ts', [`${lan}.1`, String(PROXY_PORT)])),
    );
    await proxy.next('ready');
    return `http://${lan}.1:${PROXY_PORT}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stack.disposeAsync();
  }

  private async build(): Promise<void> {
    const { core, relay1, relay2 } = this.spaces;
    await allOf([...BOTH.map((side) => this.buildSide(side)), ...RELAYS.map((relay) => this.buildRelay(relay))]);
    await core.ip(
      // The Internet has no way to private addresses, and says nothing about it.
      `route add blackhole ${PRIVATE}`,
      `route add ${RELAY_ADDRESSES.relay1[1]} via ${this.address('relay1')}`,
      `route add ${RELAY_ADDRESSES.relay2[1]} via ${this.address('relay2')}`,
      ...BOTH.flatMap((side) => this.routesTo(side)),
    );
    await core.sysctl({ 'net.ipv4.ip_forward': 1 });
    await allOf([
      this.applyCore(),
      relay1.ip(`route add default via ${RELAY_LINKS.relay1[1]}`),
      relay2.ip(`route add default via ${RELAY_LINKS.relay2[1]}`),
    ]);
  }

  private async buildSide(side: Side): Promise<void> {
    const { box, lan, coreLink, coreAddress, wan } = SIDES[side];
    const [nat, host] = [this.spaces[box], this.spaces[side]];
    await nat.ip(
      `link add wan type veth peer name ${coreLink} netns ${this.spaces.core.pid}`,
      `link add lan type veth peer name eth0 netns ${host.pid}`,
      `addr add ${wan[0]}/30 dev wan`,
      `addr add ${wan[1]}/32 dev lo`,
      `addr add ${lan}.1/24 dev lan`,
      'link set wan up',
      'link set lan up',
    );
    await this.spaces.core.ip(`addr add ${coreAddress}/30 dev ${coreLink}`, `link set ${coreLink} up`);
    await host.ip(`addr add ${this.address(side)}/24 dev eth0`, 'link set eth0 up', `route add default via ${lan}.1`);
    await nat.ip(`route add default via ${coreAddress}`);
    await nat.sysctl({ 'net.ipv4.ip_forward': 1 });
    await nat.nft(natRules(this.sides[side].box));
  }

  private async buildRelay(relay: RelayName): Promise<void> {
    const [link, coreAddress] = RELAY_LINKS[relay];
    const [address, second] = RELAY_ADDRESSES[relay];
    await this.spaces[relay].ip(
      `link add eth0 type veth peer name ${link} netns ${this.spaces.core.pid}`,
      `addr add ${address}/30 dev eth0`,
      `addr add ${second}/32 dev lo`,
      'link set eth0 up',
    );
    await this.spaces.core.ip(`addr add ${coreAddress}/30 dev ${link}`, `link set ${link} up`);
  }

  private routesTo(side: Side): readonly string[] {
    const { lan, wan } = SIDES[side];
    const routed = this.sides[side].box.kind === 'none' ? [`route add ${lan}.0/24 via ${wan[0]}`] : [];
    return [`route add ${wan[1]} via ${wan[0]}`, ...routed];
  }

  private async applyCore(): Promise<void> {
    const { lossPercent, isCut, silent } = this.core;
    const [a, b] = BOTH.map((side) => [...SIDES[side].wan, `${SIDES[side].lan}.0/24`]) as [string[], string[]];
    await this.spaces.core.nft(
      coreRules({
        lossPercent,
        cut: isCut ? [[a, b]] : [],
        silent: silent.flatMap((relay) => RELAY_ADDRESSES[relay]),
      }),
    );
  }
}

/** As `Promise.all`, but waits for all of them before it throws, so that nothing is under way when the lab is taken down. */
async function allOf<T>(promises: readonly Promise<T>[]): Promise<readonly T[]> {
  const settled = await Promise.allSettled(promises);
  return settled.map((one) => {
    if (one.status === 'rejected') throw one.reason;
    return one.value;
  });
}

/** What runs a script by Node: a path, from this folder. By the cache, a node of the overlay costs a quarter of the time to start. */
export function nodeCommand(script: string, args: readonly string[]): [command: string, args: string[]] {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const options = ['--conditions=reprise-source', '--disable-warning=ExperimentalWarning'];
  return ['env', [`NODE_COMPILE_CACHE=${COMPILE_CACHE}`, process.execPath, ...options, path, ...args]];
}
