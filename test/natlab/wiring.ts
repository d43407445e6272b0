/** Lays the links of a lab, with their addresses and routes. Which packets pass is for the rules (`nat.ts`). */
import type { Namespace } from './namespace.ts';
import {
  HOST_NUMBERS,
  RELAY_ADDRESSES,
  RELAYS,
  SIDES,
  type Box,
  type BoxName,
  type Place,
  type RelayName,
  type Side,
  type Topology,
} from './topology.ts';

/** `natA-switch`: of the network behind natA, where more than one host or box is in it. */
export type PlaceName = Place | BoxName | 'core' | `${BoxName}-switch`;

type Spaces = (name: PlaceName) => Namespace;

/** One end of a link. */
interface End {
  readonly place: Place | BoxName;
  readonly device: string;
}

/** Of the ends of the relays' links in the core. */
const RELAY_GATEWAYS: Readonly<Record<RelayName, string>> = { relay1: '203.0.113.1', relay2: '203.0.113.5' };
/** What homes, carriers and routers have inside: the Internet has no way there, and says nothing about it. */
const PRIVATE_NETWORKS = ['192.168.0.0/16', '100.64.0.0/10', '198.18.0.0/15'] as const;

/** The namespaces that a lab needs, but for the core. */
export function placesOf(topology: Topology): readonly PlaceName[] {
  const { boxes } = topology;
  const switches = boxes.filter((box) => endsBehind(box, topology).length > 1).map(({ name }) => `${name}-switch` as const);
  return [...SIDES, ...RELAYS, ...boxes.map(({ name }) => name), ...switches];
}

/** The end in the core of a link to there. */
export const linkInCore = (place: BoxName | RelayName): string => `to-${place}`;

export async function wire(space: Spaces, topology: Topology): Promise<void> {
  const { boxes, chains } = topology;
  await allOf([
    ...boxes.map((box) => layLan(space, box, endsBehind(box, topology))),
    ...RELAYS.map((relay) => layRelay(space, relay)),
  ]);
  await allOf([...boxes.map((box) => setUpBox(space, box)), ...SIDES.map((side) => setUpHost(space, side, chains[side][0]))]);
  await allOf(boxes.map((box) => space(box.behind).ip(...routesTo(box))));
  await space('core').ip(
    ...PRIVATE_NETWORKS.map((network) => `route add blackhole ${network}`),
    ...RELAYS.map((relay) => `route add ${RELAY_ADDRESSES[relay][1]} via ${RELAY_ADDRESSES[relay][0]}`),
  );
  await space('core').sysctl({ 'net.ipv4.ip_forward': 1 });
  await allOf([...SIDES, ...RELAYS].map((place) => isUp(space(place))));
}

function endsBehind(box: Box, { boxes, chains }: Topology): readonly End[] {
  return [
    ...boxes.filter(({ behind }) => behind === box.name).map(({ name }) => ({ place: name, device: 'wan' })),
    ...SIDES.filter((side) => chains[side][0] === box).map((side) => ({ place: side, device: 'eth0' })),
  ];
}

/** A switch has a namespace of its own: in that of the box the rules of the box would see what is bridged, where br_netfilter is loaded. */
async function layLan(space: Spaces, { name, isolated }: Box, ends: readonly End[]): Promise<void> {
  const [first, second] = ends;
  const link = (device: string, end: { place: PlaceName; device: string }): string =>
    `link add ${device} type veth peer name ${end.device} netns ${space(end.place).pid}`;
  if (first !== undefined && second === undefined) return space(name).ip(link('lan', first));
  await space(`${name}-switch`).ip(
    'link add switch type bridge',
    'link set switch up',
    link('to-box', { place: name, device: 'lan' }),
    'link set to-box up master switch',
    ...ends.flatMap((end) => [
      link(`to-${end.place}`, end),
      `link set to-${end.place} up master switch`,
      `link set to-${end.place} type bridge_slave isolated ${isolated ? 'on' : 'off'}`,
    ]),
  );
}

async function setUpBox(space: Spaces, { name, lan, wan, bits, gateway, behind }: Box): Promise<void> {
  const [box, core] = [space(name), space('core')];
  if (behind === 'core') {
    await box.ip(`link add wan type veth peer name ${linkInCore(name)} netns ${core.pid}`);
    await core.ip(`addr add ${gateway}/${bits} dev ${linkInCore(name)}`, `link set ${linkInCore(name)} up`);
  }
  await box.ip(
    `addr add ${wan[0]}/${bits} dev wan`,
    `addr add ${wan[1]}/32 dev lo`,
    `addr add ${lan}.1/24 dev lan`,
    'link set wan up',
    'link set lan up',
    `route add default via ${gateway}`,
  );
  // A hairpin goes out where it came in, and is not to be told a better way.
  await box.sysctl({ 'net.ipv4.ip_forward': 1, 'net.ipv4.conf.all.send_redirects': 0, 'net.ipv4.conf.lan.send_redirects': 0 });
}

async function setUpHost(space: Spaces, side: Side, { lan }: Box): Promise<void> {
  await space(side).ip(
    `addr add ${lan}.${HOST_NUMBERS[side][0]}/24 dev eth0`,
    'link set eth0 up',
    `route add default via ${lan}.1`,
  );
}

async function layRelay(space: Spaces, relay: RelayName): Promise<void> {
  const [address, second] = RELAY_ADDRESSES[relay];
  const [link, gateway] = [linkInCore(relay), RELAY_GATEWAYS[relay]];
  await space(relay).ip(
    `link add eth0 type veth peer name ${link} netns ${space('core').pid}`,
    `addr add ${address}/30 dev eth0`,
    `addr add ${second}/32 dev lo`,
    'link set eth0 up',
    `route add default via ${gateway}`,
  );
  await space('core').ip(`addr add ${gateway}/30 dev ${link}`, `link set ${link} up`);
}

/** The kernel says so some time after the link was set up. Whoever looks before that sees no network, and later another one. */
async function isUp(host: Namespace): Promise<void> {
  await host.exec('sh', ['-c', `until ${host.tools.ip} link show eth0 | grep -q 'state UP'; do sleep 0.01; done`]);
}

/** As the network outside of a box knows them: its second address, and what is behind a router. */
const routesTo = ({ kind, lan, wan }: Box): readonly string[] => [
  `route add ${wan[1]} via ${wan[0]}`,
  ...(kind === 'none' ? [`route add ${lan}.0/24 via ${wan[0]}`] : []),
];

/** As `Promise.all`, but waits for all of them before it throws, so that nothing is under way when the lab is taken down. */
export async function allOf<T>(promises: readonly Promise<T>[]): Promise<readonly T[]> {
  const settled = await Promise.allSettled(promises);
  return settled.map((one) => {
    if (one.status === 'rejected') throw one.reason;
    return one.value;
  });
}
