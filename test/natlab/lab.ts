/**
 * A small Internet of network namespaces, for what only real NATs can show.
 *
 *   a  192.168.1.2 ── lan  natA  wan 203.0.113.10 ──┐            ┌── relay1  203.0.113.2, .33
 *                                                    core (10 hops)
 *   b  192.168.1.4 ── lan  natB  wan 203.0.113.22 ──┘            └── relay2  203.0.113.6, .37
 *
 *   await using lab = await NatLab.open(tools, { a: 'port', b: 'sym' });
 *   const process = lab.node('a', 'test/natlab/agent.ts');
 *
 * A host's own address goes nowhere in the Internet, unless its box is a router ('none'). Of a relay's two addresses each is a vantage point.
 * Behind the box of a carrier, or both in one home: `topology.ts`.
 */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Impairer, type Impairment } from './impairment.ts';
import type { LabProcess, Line } from './lab-process.ts';
import { Namespace } from './namespace.ts';
import { coreRules, natRules, udpBlock } from './nat.ts';
import type { Tools } from './tools.ts';
import {
  HOST_NUMBERS,
  RELAY_ADDRESSES,
  RELAYS,
  SIDES,
  topologyOf,
  type Box,
  type BoxName,
  type LabNet,
  type Place,
  type RelayName,
  type Side,
  type Topology,
} from './topology.ts';
import { allOf, linkInCore, placesOf, wire, type PlaceName } from './wiring.ts';

const COMPILE_CACHE = join(tmpdir(), 'reprise-natlab-cache');
const PROXY_PORT = 3128;
/** Of conntrack, by Linux: a flow that was not answered yet, and one that goes both ways. */
const MAPPING_SECONDS = 30;

interface BoxState {
  /** Which of the addresses outside. */
  wan: 0 | 1;
  mappingSeconds: number;
  /** URL of the proxy that runs there. */
  proxy: Promise<string> | undefined;
}

interface CoreState {
  readonly lossPercent: number;
  readonly isCut: boolean;
  readonly silent: readonly RelayName[];
}

export class NatLab implements AsyncDisposable {
  private readonly stack: AsyncDisposableStack;
  private readonly spaces: ReadonlyMap<PlaceName, Namespace>;
  private readonly topology: Topology;
  private readonly boxes: ReadonlyMap<BoxName, BoxState>;
  /** Which of its addresses a host has. */
  private readonly hosts: Record<Side, 0 | 1> = { a: 0, b: 0 };
  private core: CoreState = { lossPercent: 0, isCut: false, silent: [] };
  private impairer: Impairer | undefined;

  private constructor(stack: AsyncDisposableStack, spaces: ReadonlyMap<PlaceName, Namespace>, topology: Topology) {
    const state = ({ name }: Box): [BoxName, BoxState] => [name, { wan: 0, mappingSeconds: MAPPING_SECONDS, proxy: undefined }];
    this.stack = stack;
    this.spaces = spaces;
    this.topology = topology;
    this.boxes = new Map(topology.boxes.map(state));
  }

  static async open(tools: Tools, net: LabNet): Promise<NatLab> {
    const topology = topologyOf(net);
    await using stack = new AsyncDisposableStack();
    const core = stack.use(await Namespace.open('core', tools));
    const others = placesOf(topology).map(async (name): Promise<[PlaceName, Namespace]> => [
      name,
      stack.use(await Namespace.open(name, tools, core)),
    ]);
    const spaces = new Map<PlaceName, Namespace>([['core', core], ...(await allOf(others))]);
    const lab = new NatLab(stack.move(), spaces, topology);
    try {
      await wire((name) => lab.space(name), topology);
      await allOf([lab.applyCore(), ...topology.boxes.map((box) => lab.space(box.name).nft(lab.rulesOf(box)))]);
      return lab;
    } catch (error) {
      await lab[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The present address of a host in its own network; the first of a relay. */
  address(place: Place): string {
    if (place !== 'a' && place !== 'b') return RELAY_ADDRESSES[place][0];
    return `${this.homeOf(place).lan}.${HOST_NUMBERS[place][this.hosts[place]]}`;
  }

  /** The address by which the Internet sees a host. */
  publicAddress(side: Side): string {
    const outermost = this.topology.chains[side].findLast(({ kind }) => kind !== 'none');
    return outermost === undefined ? this.address(side) : this.wanOf(outermost);
  }

  /** The processes that hold the namespaces. */
  get pids(): readonly number[] {
    return [...this.spaces.values()].map(({ pid }) => pid);
  }

  /** Runs a process at a place; it is killed with the lab. */
  run<L extends Line>(place: Place, command: string, args: readonly string[]): LabProcess<L> {
    return this.stack.use(this.space(place).run<L>(command, args));
  }

  /** Runs a script of this folder by Node. */
  node<L extends Line>(place: Place, script: string, args: readonly string[] = []): LabProcess<L> {
    return this.run(place, ...nodeCommand(script, args));
  }

  /** Runs a command at a place to its end and gives what it wrote to stdout. Throws with its stderr when it fails. */
  exec(place: Place, command: string, args: readonly string[], input = ''): Promise<string> {
    return this.space(place).exec(command, args, input);
  }

  /** What runs a command at a place, for those who start their processes themselves. */
  inside(place: Place, command: string, args: readonly string[]): [command: string, args: string[]] {
    return this.space(place).inside(command, args);
  }

  /** The NAT boxes of a side forget all that they knew, as ones that were switched off and on. */
  async rebind(side: Side): Promise<void> {
    await allOf(this.topology.chains[side].map((box) => this.reset(box)));
  }

  /** The network of the host is given another public address: the mappings are others, whatever the kind of the box. */
  async renumber(side: Side): Promise<void> {
    const outermost = this.outermostOf(side);
    const state = this.stateOf(outermost);
    state.wan = state.wan === 0 ? 1 : 0;
    await this.reset(outermost);
  }

  /** The host is given another address in its network, as when it joins another Wi-Fi. Gives the address. */
  async changeAddress(side: Side): Promise<string> {
    const old = this.address(side);
    this.hosts[side] = this.hosts[side] === 0 ? 1 : 0;
    const home = this.homeOf(side);
    // The old one first: with a primary address its secondaries go.
    await this.space(side).ip(
      `addr del ${old}/24 dev eth0`,
      `addr add ${this.address(side)}/24 dev eth0`,
      `route replace default via ${home.lan}.1`,
    );
    // Their mappings keep ports, which those of the old address would hold.
    if (home.kind === 'full' || home.kind === 'addr') await this.reset(home);
    return this.address(side);
  }

  /** UDP of a host passes its box no longer, or again; TCP does. */
  async blockUdp(side: Side, isBlocked: boolean): Promise<void> {
    await this.space(this.homeOf(side).name).nft(udpBlock(isBlocked));
  }

  /** How long the boxes of a side keep mappings of UDP: those that only one side has used yet, and others. */
  async expireMappings(side: Side, { youngSeconds, seconds }: { youngSeconds: number; seconds: number }): Promise<void> {
    for (const box of this.topology.chains[side]) {
      const space = this.space(box.name);
      await space.sysctl({
        'net.netfilter.nf_conntrack_udp_timeout': youngSeconds,
        'net.netfilter.nf_conntrack_udp_timeout_stream': seconds,
      });
      this.stateOf(box).mappingSeconds = seconds;
      await space.nft(this.rulesOf(box));
    }
  }

  /** Nothing passes between the two sides any more, or again, which share no box. The relays are reached all the same. */
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
    const outermost = this.topology.boxes.filter(({ behind }) => behind === 'core').map(({ name }) => name);
    const links = [...outermost, ...RELAYS].map(linkInCore);
    this.impairer ??= this.stack.use(await Impairer.start(this.space('core'), links));
    await this.impairer.set(impairment);
  }

  /** Nothing reaches a relay any more, or leaves it, as when its machine has lost power; or does again. */
  async silence(relay: RelayName, isSilent: boolean): Promise<void> {
    const others = this.core.silent.filter((name) => name !== relay);
    this.core = { ...this.core, silent: isSilent ? [...others, relay] : others };
    await this.applyCore();
  }

  /** Starts an HTTP proxy on the box of a side (for kind 'proxy': the only way out), if none runs there. Gives its URL. */
  startProxy(side: Side): Promise<string> {
    const home = this.homeOf(side);
    return (this.stateOf(home).proxy ??= this.newProxy(home));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stack.disposeAsync();
  }

  private space(name: PlaceName): Namespace {
    const space = this.spaces.get(name);
    if (space === undefined) throw new Error(`this lab has no ${name}`);
    return space;
  }

  private homeOf(side: Side): Box {
    return this.topology.chains[side][0];
  }

  private outermostOf(side: Side): Box {
    return this.topology.chains[side].at(-1) as Box;
  }

  private stateOf({ name }: Box): BoxState {
    return this.boxes.get(name) as BoxState;
  }

  private wanOf(box: Box): string {
    return box.wan[this.stateOf(box).wan];
  }

  private rulesOf(box: Box): string {
    const { kind, hairpin } = box;
    return natRules({ kind, hairpin, wan: this.wanOf(box), mappingSeconds: this.stateOf(box).mappingSeconds });
  }

  private async reset(box: Box): Promise<void> {
    const space = this.space(box.name);
    await space.nft(this.rulesOf(box));
    await space.exec(space.tools.conntrack, ['-F']);
  }

  private async newProxy({ name, lan }: Box): Promise<string> {
    const proxy = this.stack.use(
      this.space(name).run<{ type: 'ready' }>(...nodeCommand('proxy.ts', [`${lan}.1`, String(PROXY_PORT)])),
    );
    await proxy.next('ready');
    return `http://${lan}.1:${PROXY_PORT}`;
  }

  private async applyCore(): Promise<void> {
    const { lossPercent, isCut, silent } = this.core;
    const [a, b] = SIDES.map((side) => {
      const { wan, lan, kind } = this.outermostOf(side);
      return kind === 'none' ? [...wan, `${lan}.0/24`] : wan;
    }) as [string[], string[]];
    await this.space('core').nft(
      coreRules({
        lossPercent,
        cut: isCut ? [[a, b]] : [],
        silent: silent.flatMap((relay) => RELAY_ADDRESSES[relay]),
      }),
    );
  }
}

/** What runs a script by Node: a path, from this folder. By the cache, a node of the overlay costs a quarter of the time to start. */
export function nodeCommand(script: string, args: readonly string[]): [command: string, args: string[]] {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const options = ['--conditions=reprise-source', '--disable-warning=ExperimentalWarning'];
  return ['env', [`NODE_COMPILE_CACHE=${COMPILE_CACHE}`, process.execPath, ...options, path, ...args]];
}
