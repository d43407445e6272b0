/**
 * W7: the encrypted overlay on the loopback, between two processes, beside plain UDP and TLS 1.3. Each process counts its own CPU time: under
 * neighbours that changes less than a rate.
 */
import { of, type Scenario, scenario } from '../lib/scenario.ts';
import type { Span } from '../samples/meter.ts';
import type { Carrier } from '../samples/wire/ends.ts';

const UDP: Carrier = { kind: 'udp', isEcho: false };
const UDP_ECHO: Carrier = { kind: 'udp', isEcho: true };
const TLS: Carrier = { kind: 'tls' };
const LARGE: Carrier = { kind: 'overlay' };
/** What every path of the Internet carries. */
const SMALL: Carrier = { kind: 'overlay', datagram: 1_200 };

/** Messages of 100 bytes that fill a datagram of 1,200: what a datagram of the baseline stands for. */
const PER_DATAGRAM = 11;
const BULK_BYTES = 64 << 10;

export const overlays = (quick: boolean): readonly Scenario[] => {
  // The compilers of the engine need a while until all of it is as fast as it will be.
  const span = quick ? { warmMs: 300, measureMs: 300 } : { warmMs: 3_000, measureMs: 2_000 };
  // One at a time they see few of them in a second.
  const slowly = quick ? span : { warmMs: 10_000, measureMs: 3_000 };
  return [
    bulk('overlay-bulk', 'datagrams of 1,200 bytes', SMALL, span),
    bulk('overlay-large', 'the long datagrams of the loopback', LARGE, span),
    messages(span),
    pingPong(slowly),
    echo(1, slowly),
    echo(64, span),
    handshakes(quick),
    flood(span),
    relay(span),
    relayDelay(span),
  ];
};

const bulk = (name: string, datagrams: string, carrier: Carrier, span: Span): Scenario =>
  scenario({
    name,
    title: `W7: messages of 64 KiB one way, in ${datagrams}; beside it plain datagrams of 1,200 bytes, and TLS`,
    subjects: {
      ours: { sample: 'stream', carrier, bytes: BULK_BYTES, ...span },
      udp: { sample: 'stream', carrier: UDP, bytes: 1_200, ...span },
      tls: { sample: 'stream', carrier: TLS, bytes: BULK_BYTES, ...span },
    },
    metrics: ({ ours, udp, tls }) => [
      { name: 'goodput', unit: 'MB/s', value: of(ours, 'mbPerSecond') },
      { name: 'udp', unit: 'MB/s', value: of(udp, 'mbPerSecond') },
      { name: 'tls', unit: 'MB/s', value: of(tls, 'mbPerSecond') },
      { name: 'of-udp', unit: 'x', value: of(ours, 'mbPerSecond') / of(udp, 'mbPerSecond') },
      { name: 'of-tls', unit: 'x', value: of(ours, 'mbPerSecond') / of(tls, 'mbPerSecond') },
      { name: 'send-cpu', unit: 'us/1200B', value: of(ours, 'sendUsPer1200') },
      { name: 'receive-cpu', unit: 'us/1200B', value: of(ours, 'receiveUsPer1200') },
      { name: 'udp-send-cpu', unit: 'us/1200B', value: of(udp, 'sendUsPer1200') },
      { name: 'udp-receive-cpu', unit: 'us/1200B', value: of(udp, 'receiveUsPer1200') },
      { name: 'tls-send-cpu', unit: 'us/1200B', value: of(tls, 'sendUsPer1200') },
      { name: 'tls-receive-cpu', unit: 'us/1200B', value: of(tls, 'receiveUsPer1200') },
    ],
  });

const messages = (span: Span): Scenario =>
  scenario({
    name: 'overlay-messages',
    title: 'W7: messages of 100 bytes one way, each acknowledged; beside it datagrams of eleven, and TLS',
    note: 'Each of ours fulfils a promise of its own when the other node has it. Nobody acknowledges those of UDP and TLS to who sent them.',
    subjects: {
      ours: { sample: 'stream', carrier: LARGE, bytes: 100, ...span },
      small: { sample: 'stream', carrier: SMALL, bytes: 100, ...span },
      udp: { sample: 'stream', carrier: UDP, bytes: 100 * PER_DATAGRAM, ...span },
      tls: { sample: 'stream', carrier: TLS, bytes: 100, ...span },
    },
    metrics: ({ ours, small, udp, tls }) => [
      { name: 'messages', unit: 'msgs/s', value: of(ours, 'rate') },
      { name: 'in-1200', unit: 'msgs/s', value: of(small, 'rate') },
      { name: 'udp', unit: 'msgs/s', value: of(udp, 'rate') * PER_DATAGRAM },
      { name: 'tls', unit: 'msgs/s', value: of(tls, 'rate') },
      { name: 'of-tls', unit: 'x', value: of(ours, 'rate') / of(tls, 'rate') },
      { name: 'send-cpu', unit: 'us', value: of(ours, 'sendUs') },
      { name: 'receive-cpu', unit: 'us', value: of(ours, 'receiveUs') },
    ],
  });

const pingPong = (span: Span): Scenario =>
  scenario({
    name: 'overlay-pingpong',
    title: 'W7: 128 bytes there and back, one at a time; beside it plain UDP, and TLS',
    subjects: {
      ours: { sample: 'echo', carrier: LARGE, bytes: 128, inFlight: 1, ...span },
      udp: { sample: 'echo', carrier: UDP_ECHO, bytes: 128, inFlight: 1, ...span },
      tls: { sample: 'echo', carrier: TLS, bytes: 128, inFlight: 1, ...span },
    },
    metrics: ({ ours, udp, tls }) => [
      { name: 'p50', unit: 'us', value: of(ours, 'p50Us') },
      { name: 'p99', unit: 'us', value: of(ours, 'p99Us') },
      { name: 'udp-p50', unit: 'us', value: of(udp, 'p50Us') },
      { name: 'tls-p50', unit: 'us', value: of(tls, 'p50Us') },
      { name: 'p50-to-udp', unit: 'x', value: of(ours, 'p50Us') / of(udp, 'p50Us') },
      { name: 'p50-to-tls', unit: 'x', value: of(ours, 'p50Us') / of(tls, 'p50Us') },
      { name: 'cpu', unit: 'us/side', value: (of(ours, 'sendUs') + of(ours, 'echoUs')) / 2 },
      { name: 'udp-cpu', unit: 'us/side', value: (of(udp, 'sendUs') + of(udp, 'echoUs')) / 2 },
    ],
  });

const echo = (inFlight: number, span: Span): Scenario =>
  scenario({
    name: `overlay-echo-${inFlight}`,
    title: `W7: 300 bytes there and back, ${inFlight} in flight; beside it plain UDP, and TLS`,
    subjects: {
      ours: { sample: 'echo', carrier: LARGE, bytes: 300, inFlight, ...span },
      udp: { sample: 'echo', carrier: UDP_ECHO, bytes: 300, inFlight, ...span },
      tls: { sample: 'echo', carrier: TLS, bytes: 300, inFlight, ...span },
    },
    metrics: ({ ours, udp, tls }) => [
      { name: 'echoes', unit: 'echoes/s', value: of(ours, 'rate') },
      { name: 'p50', unit: 'us', value: of(ours, 'p50Us') },
      { name: 'p99', unit: 'us', value: of(ours, 'p99Us') },
      { name: 'udp', unit: 'echoes/s', value: of(udp, 'rate') },
      { name: 'tls', unit: 'echoes/s', value: of(tls, 'rate') },
      { name: 'of-udp', unit: 'x', value: of(ours, 'rate') / of(udp, 'rate') },
      { name: 'p50-to-udp', unit: 'x', value: of(ours, 'p50Us') / of(udp, 'p50Us') },
      { name: 'cpu', unit: 'us/side', value: (of(ours, 'sendUs') + of(ours, 'echoUs')) / 2 },
      { name: 'udp-cpu', unit: 'us/side', value: (of(udp, 'sendUs') + of(udp, 'echoUs')) / 2 },
    ],
  });

function handshakes(quick: boolean): Scenario {
  const count = quick ? 16 : 200;
  return scenario({
    name: 'overlay-handshakes',
    title:
      'W7: handshakes with one node, four at a time, each of another member from another address; beside it TLS 1.3, not resumed',
    note: 'A node gives a quarter of a core to handshakes, about 200 a second, whoever asks. The CPU time of ours is that of all that comes with a new peer.',
    subjects: {
      ours: { sample: 'connect', kind: 'overlay', count, inFlight: 4 },
      tls: { sample: 'connect', kind: 'tls', count, inFlight: 4 },
    },
    metrics: ({ ours, tls }) => [
      { name: 'handshakes', unit: '/s', value: of(ours, 'rate') },
      { name: 'p50', unit: 'ms', value: of(ours, 'p50Ms') },
      { name: 'accept-cpu', unit: 'us', value: of(ours, 'acceptUs') },
      { name: 'dial-cpu', unit: 'us', value: of(ours, 'dialUs') },
      { name: 'tls', unit: '/s', value: of(tls, 'rate') },
      { name: 'tls-p50', unit: 'ms', value: of(tls, 'p50Ms') },
      { name: 'tls-accept-cpu', unit: 'us', value: of(tls, 'acceptUs') },
      { name: 'accept-to-tls', unit: 'x', value: of(ours, 'acceptUs') / of(tls, 'acceptUs') },
    ],
  });
}

const flood = (span: Span): Scenario =>
  scenario({
    name: 'overlay-flood',
    title:
      'A10: an established stream while 20,000 INITs a second come from 256 forged sources; beside it the same flood to nobody',
    note: 'The INITs have a good mac1, as of one who knows the network; each costs the node that and a COOKIE. The flood takes as much of the machine where it goes to nobody.',
    subjects: {
      flooded: { sample: 'flooded', to: 'receiver', perSecond: 20_000, ...span },
      spared: { sample: 'flooded', to: 'nobody', perSecond: 20_000, ...span },
    },
    metrics: ({ flooded, spared }) => [
      { name: 'goodput', unit: 'MB/s', value: of(flooded, 'mbPerSecond') },
      { name: 'spared', unit: 'MB/s', value: of(spared, 'mbPerSecond') },
      { name: 'kept', unit: 'x', value: of(flooded, 'mbPerSecond') / of(spared, 'mbPerSecond') },
      { name: 'inits', unit: '/s', value: of(flooded, 'floodRate') },
      { name: 'handshake', unit: 'ms', value: of(flooded, 'slowestHandshakeMs') },
      { name: 'grown', unit: 'MB', value: of(flooded, 'grownMb') },
    ],
  });

const relay = (span: Span): Scenario =>
  scenario({
    name: 'overlay-relay',
    title: 'W7: messages of 1,100 bytes one way by a relay, three processes',
    note: 'A relay lets a client send 10 MB a second; `per-core` is what one core could pass on by the CPU time of a packet.',
    subjects: { ours: { sample: 'stream', carrier: LARGE, bytes: 1_100, isRelayed: true, ...span } },
    metrics: ({ ours }) => [
      { name: 'packets', unit: 'pkts/s', value: of(ours, 'relayRate') },
      { name: 'cpu', unit: 'us/pkt', value: of(ours, 'relayUs') },
      { name: 'per-core', unit: 'pkts/s', value: 1e6 / of(ours, 'relayUs') },
    ],
  });

const relayDelay = (span: Span): Scenario =>
  scenario({
    name: 'overlay-relay-delay',
    title: 'W7: 128 bytes there and back by a relay, one at a time; beside it the same without',
    subjects: {
      relayed: { sample: 'echo', carrier: LARGE, bytes: 128, inFlight: 1, isRelayed: true, ...span },
      direct: { sample: 'echo', carrier: LARGE, bytes: 128, inFlight: 1, ...span },
    },
    metrics: ({ relayed, direct }) => [
      { name: 'p50', unit: 'us', value: of(relayed, 'p50Us') },
      { name: 'direct-p50', unit: 'us', value: of(direct, 'p50Us') },
      { name: 'added', unit: 'us', value: (of(relayed, 'p50Us') - of(direct, 'p50Us')) / 2 },
    ],
  });
