/**
 * One end in a network namespace of its own (namespaces.test.ts). Writes what it was told as one line of JSON, and ends.
 *
 *   node child.ts receive PORT          { texts }, when 'end' has come by IPv4 and IPv6
 *   node child.ts send PORT IPV4 IPV6   by each: TTL 1, the usual one, TTL 2, the usual one for 'end', all in one tick
 *   node child.ts faults HOST ...       to each HOST, then to itself: { faults: { HOST: fault }, texts }
 */
import { noDrops } from '../../../transport/overlay/drops.ts';
import { UdpEndpoint } from '../../../transport/overlay/endpoint/udp.ts';
import { udpPath } from '../../../transport/overlay/paths/endpoint.ts';
import { bytesOf, Recorder } from './recorder.ts';

const [role, ...rest] = process.argv.slice(2) as [string, ...string[]];
const events = new Recorder();
const endpoint = new UdpEndpoint({ events, drops: noDrops() });
const report = (what: unknown): void => void process.stdout.write(`${JSON.stringify(what)}\n`);

if (role === 'receive') {
  const port = Number(rest[0]);
  await endpoint.listen('4', { host: '0.0.0.0', port });
  await endpoint.listen('6', { host: '::', port });
  report('ready');
  await events.until(() => events.texts.filter((text) => text.startsWith('end')).length === 2);
  report({ texts: events.texts });
} else if (role === 'send') {
  const [port, ...hosts] = rest;
  endpoint.open(['4']);
  endpoint.open(['6'], '::');
  for (const host of hosts) {
    const socket = host.includes(':') ? '6' : '4';
    const path = udpPath(socket, { host, port: Number(port) });
    endpoint.send(path, bytesOf(`one ${socket}`), 1);
    endpoint.send(path, bytesOf(`usual ${socket}`));
    endpoint.send(path, bytesOf(`two ${socket}`), 2);
    endpoint.send(path, bytesOf(`end ${socket}`));
  }
} else {
  const { port } = await endpoint.listen('0', { host: '0.0.0.0', port: 0 });
  for (const host of rest) endpoint.send(udpPath('0', { host, port: 4000 }), bytesOf('x'));
  await events.until(() => events.errors.length === rest.length);
  endpoint.send(udpPath('0', { host: '127.0.0.1', port }), bytesOf('still here'));
  await events.until(() => events.datagrams.length === 1);
  report({
    faults: events.errors.map(({ path, fault, cause }) => [path, fault, (cause as NodeJS.ErrnoException).code]),
    texts: events.texts,
  });
}
await endpoint.stop();
