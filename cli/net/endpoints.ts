/** Where a node listens, and where others find it. */
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { MeshError } from '../../core/errors.ts';
import { type Endpoint, endpointText } from '../../transport/overlay/paths/endpoint.ts';
import { ENDPOINTS_MAX, isEndpoint } from '../../transport/overlay/trust/invite.ts';

/** Of a node that makes invites, so that what they say is true after a restart, too. */
export const DEFAULT_PORT = 7337;

const LISTEN = /^(?:\[([0-9a-fA-F:.]+)\]|([0-9.]+)):(\d{1,5})$/;

/** `0.0.0.0:7337`, `[::]:0`: an IP address of this machine, and a port; 0: any. Undefined: it is none. */
export function parseListen(text: string): Endpoint | undefined {
  const [, v6, v4, digits = ''] = LISTEN.exec(text) ?? [];
  const host = v6 ?? v4 ?? '';
  const isAddress = v6 === undefined ? isIP(host) === 4 : isIP(host) === 6;
  return isAddress && Number(digits) <= 0xffff ? { host, port: Number(digits) } : undefined;
}

/** As it was typed. Throws USAGE. */
export function typedListen(text: string, option = '--listen'): Endpoint {
  const endpoint = parseListen(text);
  if (endpoint !== undefined) return endpoint;
  throw new MeshError(
    'USAGE',
    `${option} is an IP address of this machine and a port, as 0.0.0.0:${DEFAULT_PORT} or [::]:${DEFAULT_PORT}, not '${text}'`,
  );
}

/** Where a node listens that others reach at these endpoints: at their UDP ports, as long as no router gives it others. */
export function listenFor(endpoints: readonly string[]): readonly string[] {
  const at = new Map<string, string>();
  for (const endpoint of endpoints.filter((text) => !text.includes('//'))) {
    const port = endpoint.slice(endpoint.lastIndexOf(':') + 1);
    // `::` takes IPv4 as well.
    if (endpoint.startsWith('[')) at.set(port, `[::]:${port}`);
    else if (!at.has(port)) at.set(port, `0.0.0.0:${port}`);
  }
  return at.size === 0 ? [`0.0.0.0:${DEFAULT_PORT}`] : [...at.values()];
}

/** Those of UDP at whose port nothing listens here: true only where a router forwards it. None where the ports are not known yet. */
export function elsewhere(endpoints: readonly string[], listening: readonly Endpoint[]): readonly string[] {
  const ports = new Set(listening.flatMap(({ port }) => (port === 0 ? [] : [String(port)])));
  if (ports.size === 0) return [];
  return endpoints.filter((text) => !text.includes('//') && !ports.has(text.slice(text.lastIndexOf(':') + 1)));
}

/** What there is to say of them. `listening`: where this node takes UDP. */
export const elsewhereText = (told: readonly string[], listening: readonly string[]): string =>
  `others are told that this node is at ${told.join(', ')}, and it listens at ${listening.join(', ')}: right where a router forwards that to this. Else nobody finds it: put \`endpoints\` in its config.json right, and start it again; nodes that joined before have the old one in theirs, at \`relays\``;

/** As they were typed. Throws USAGE. */
export function typedEndpoints(texts: readonly string[]): readonly string[] {
  const wrong = texts.find((text) => !isEndpoint(text));
  if (wrong !== undefined)
    throw new MeshError('USAGE', `--endpoint is host:port, [IPv6]:port, ws://host:port or wss://host:port, not '${wrong}'`);
  if (texts.length > ENDPOINTS_MAX) throw new MeshError('USAGE', `--endpoint can be given ${ENDPOINTS_MAX} times`);
  return texts;
}

/**
 * Where others find a node that listens here, as far as this machine can know: it does not know what a router in front of it does.
 * For "all addresses" those of its interfaces, or the loopback where it has no other. `webSocket`: where it takes WebSockets without TLS.
 */
export function reachableAt(
  listening: readonly Endpoint[],
  webSocket?: Endpoint,
  interfaces = networkInterfaces(),
): readonly string[] {
  const textsOf = ({ host, port }: Endpoint): string[] => {
    if (port === 0) return [];
    const hosts = isAny(host) ? addressesOf(interfaces, host === '::') : [host];
    return hosts.map((own) => endpointText({ host: own, port }));
  };
  // One is enough for those who have no UDP, and it must find room.
  const [tcp] = webSocket === undefined ? [] : textsOf(webSocket).map((text) => `ws://${text}`);
  const udp = [...new Set(listening.flatMap(textsOf))];
  return tcp === undefined ? udp.slice(0, ENDPOINTS_MAX) : [...udp.slice(0, ENDPOINTS_MAX - 1), tcp];
}

const isAny = (host: string): boolean => host === '0.0.0.0' || host === '::';

/** Those of IPv4 first: `::` takes both. */
function addressesOf(interfaces: ReturnType<typeof networkInterfaces>, withIpv6: boolean): readonly string[] {
  const all = Object.values(interfaces)
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, address }) => !internal && !address.startsWith('fe80:'));
  const family = (wanted: 'IPv4' | 'IPv6'): string[] => all.filter((own) => own.family === wanted).map(({ address }) => address);
  const outside = [...family('IPv4'), ...(withIpv6 ? family('IPv6') : [])];
  return outside.length > 0 ? outside : ['127.0.0.1'];
}
