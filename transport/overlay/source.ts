/**
 * Where packets come from, as far as limits are concerned: an IPv4 address, the /64 of an IPv6 address (whoever has one address there has all
 * of them), and for other paths the path itself.
 *
 *   udp:3/192.0.2.1:4000  ->  192.0.2.1          udp:3/[2001:db8::1]:4000  ->  2001:db8:0:0/64
 *   ws:7/192.0.2.1        ->  192.0.2.1          ws:7 (dialled)            ->  ws:7
 */

/**
 * A path, as a text. Equal texts are one path. `udp:` SOCKET `/` ADDRESS `:` PORT, IPv6 in brackets; `ws:` NUMBER, and `/` ADDRESS of
 * one that came here; `relay:` and what else endpoints make.
 */
export type PathId = string;

const ADDRESSED = /^(?:udp|ws):[^/]*\/(?:\[([^\]]+)\]|([^:]+))(?::\d+)?$/;
const MAPPED_IPV4 = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i;

export function sourceOf(path: PathId): string {
  const [, ipv6, ipv4] = ADDRESSED.exec(path) ?? [];
  if (ipv6 === undefined) return ipv4 ?? path;
  return MAPPED_IPV4.exec(ipv6)?.[1] ?? `${networkOf(ipv6)}/64`;
}

/** The first four groups, without leading zeros. */
function networkOf(ipv6: string): string {
  const [head = '', tail] = (ipv6.split('%')[0] as string).toLowerCase().split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  // Four of the last groups may be written as an IPv4 address; those are never among the first four.
  const missing = Math.max(0, 8 - before.length - after.length - (tail?.includes('.') === true ? 1 : 0));
  const groups = [...before, ...Array.from({ length: tail === undefined ? 0 : missing }, () => '0'), ...after];
  return groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ''))
    .join(':');
}
